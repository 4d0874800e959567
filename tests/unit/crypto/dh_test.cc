// Diffie-Hellman against the same arithmetic done here with plain big numbers and points.

#include "crypto/dh.h"

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>

namespace {

using base::Bytes;
using base::FreeWith;
using crypto::DhKey;
using crypto::Group;
using Bignum = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;
using Context = std::unique_ptr<BN_CTX, FreeWith<BN_CTX_free>>;

constexpr Group all_groups[] = {Group::modp1024, Group::modp1536, Group::modp2048,
                                Group::modp3072, Group::modp4096, Group::ecp256,
                                Group::ecp384,   Group::ecp521,   Group::curve25519};

Bignum prime_of(Group group) {
  switch (group) {
    case Group::modp1024: return Bignum(BN_get_rfc2409_prime_1024(nullptr));
    case Group::modp1536: return Bignum(BN_get_rfc3526_prime_1536(nullptr));
    case Group::modp2048: return Bignum(BN_get_rfc3526_prime_2048(nullptr));
    case Group::modp3072: return Bignum(BN_get_rfc3526_prime_3072(nullptr));
    default: return Bignum(BN_get_rfc3526_prime_4096(nullptr));
  }
}

Bytes padded(const BIGNUM* n, std::size_t size) {
  Bytes out(size);
  BN_bn2binpad(n, out.data(), static_cast<int>(size));
  return out;
}

TEST(Dh, BothEndsOfEveryGroupAgree) {
  for (const auto group : all_groups) {
    SCOPED_TRACE(static_cast<int>(group));
    const auto a = DhKey::generate(group).value();
    const auto mine = a.public_value().value();
    EXPECT_EQ(mine.size(), crypto::public_value_size(group));
    const auto b = crypto::respond(group, mine).value();
    EXPECT_EQ(b.public_value.size(), crypto::public_value_size(group));
    const auto shared = a.derive(b.public_value).value();
    EXPECT_TRUE(base::equal(shared.view(), b.shared.view()));
  }
}

TEST(Dh, ModpIsThePaddedPowerOfThePlainNumbers) {
  for (const auto group :
       {Group::modp1024, Group::modp1536, Group::modp2048, Group::modp3072, Group::modp4096}) {
    const auto size = crypto::public_value_size(group);
    const Context context(BN_CTX_new());
    const auto p = prime_of(group);
    const Bignum g(BN_new()), x(BN_new()), y(BN_new()), theirs(BN_new()), expected(BN_new());
    BN_set_word(g.get(), 2);
    BN_rand(x.get(), 320, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY);
    BN_mod_exp(y.get(), g.get(), x.get(), p.get(), context.get());
    const auto key = DhKey::generate(group).value();
    const auto public_value = key.public_value().value();
    BN_bin2bn(public_value.data(), static_cast<int>(size), theirs.get());
    BN_mod_exp(expected.get(), theirs.get(), x.get(), p.get(), context.get());
    const auto shared = key.derive(padded(y.get(), size)).value();
    EXPECT_TRUE(base::equal(shared.view(), padded(expected.get(), size)));
  }
}

TEST(Dh, SharedSecretWithLeadingZerosKeepsItsSize) {
  // A peer whose public value is 2 gets our own public value back as the secret, however small it is.
  const auto group = Group::modp2048;
  const auto size = crypto::public_value_size(group);
  Bytes two(size);
  two.back() = 2;
  const auto key = DhKey::generate(group).value();
  EXPECT_TRUE(base::equal(key.derive(two).value().view(), key.public_value().value()));
}

// RFC 2409 §5 and RFC 5903 §7, §9: once in 256 a value or a secret begins with a zero byte, and clients
// refuse one that is a byte short.
TEST(Dh, LeadingZeroByteOfAValueOrASecretIsKept) {
  for (const auto group : {Group::modp1024, Group::ecp256}) {
    SCOPED_TRACE(static_cast<int>(group));
    const auto size = crypto::public_value_size(group);
    const auto peer = DhKey::generate(group).value();
    const auto theirs = peer.public_value().value();
    bool in_value = false, in_secret = false;
    for (int i = 0; i < 10000 && !(in_value && in_secret); ++i) {
      const auto key = DhKey::generate(group).value();
      const auto value = key.public_value().value();
      const auto secret = key.derive(theirs).value();
      ASSERT_EQ(value.size(), size);
      ASSERT_EQ(secret.size(), group == Group::ecp256 ? size / 2 : size);
      if (value[0] != 0 && secret.view()[0] != 0) continue;
      in_value = in_value || value[0] == 0;
      in_secret = in_secret || secret.view()[0] == 0;
      EXPECT_TRUE(base::equal(peer.derive(value).value().view(), secret.view()));
    }
    EXPECT_TRUE(in_value && in_secret);
  }
}

TEST(Dh, EcpSecretIsTheXCoordinateAlone) {  // RFC 5903 §9
  const std::pair<Group, int> curves[] = {
      {Group::ecp256, NID_X9_62_prime256v1}, {Group::ecp384, NID_secp384r1}, {Group::ecp521, NID_secp521r1}};
  for (const auto& [group, nid] : curves) {
    const auto size = crypto::public_value_size(group);
    const std::unique_ptr<EC_GROUP, FreeWith<EC_GROUP_free>> curve(EC_GROUP_new_by_curve_name(nid));
    using Point = std::unique_ptr<EC_POINT, FreeWith<EC_POINT_free>>;
    const Point own(EC_POINT_new(curve.get())), theirs(EC_POINT_new(curve.get())),
        product(EC_POINT_new(curve.get()));
    const Bignum b(BN_new()), x(BN_new()), y(BN_new());
    BN_rand(b.get(), 250, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY);
    EC_POINT_mul(curve.get(), own.get(), b.get(), nullptr, nullptr, nullptr);
    EC_POINT_get_affine_coordinates(curve.get(), own.get(), x.get(), y.get(), nullptr);
    auto value = padded(x.get(), size / 2);
    base::append(value, padded(y.get(), size / 2));
    const auto key = DhKey::generate(group).value();
    Bytes octets{0x04};
    base::append(octets, key.public_value().value());
    ASSERT_EQ(EC_POINT_oct2point(curve.get(), theirs.get(), octets.data(), octets.size(), nullptr), 1);
    EC_POINT_mul(curve.get(), product.get(), nullptr, theirs.get(), b.get(), nullptr);
    EC_POINT_get_affine_coordinates(curve.get(), product.get(), x.get(), nullptr, nullptr);
    EXPECT_TRUE(base::equal(key.derive(value).value().view(), padded(x.get(), size / 2)));
  }
}

TEST(Dh, Curve25519AgreesWithRfc7748sBob) {
  const auto bob = base::from_hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
  const auto bobs = base::from_hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  using Pkey = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
  const auto key = DhKey::generate(Group::curve25519).value();
  const auto ours = key.public_value().value();
  const Pkey a(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, bob.data(), bob.size()));
  const Pkey b(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, ours.data(), ours.size()));
  const std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>> context(
      EVP_PKEY_CTX_new(a.get(), nullptr));
  Bytes expected(32);
  std::size_t size = expected.size();
  EVP_PKEY_derive_init(context.get());
  EVP_PKEY_derive_set_peer(context.get(), b.get());
  ASSERT_EQ(EVP_PKEY_derive(context.get(), expected.data(), &size), 1);
  EXPECT_TRUE(base::equal(key.derive(bobs).value().view(), expected));
}

TEST(Dh, PublicValuesOfAWrongSizeAreRefused) {
  for (const auto group : all_groups) {
    const auto key = DhKey::generate(group).value();
    auto value = DhKey::generate(group).value().public_value().value();
    value.push_back(0);
    EXPECT_FALSE(key.derive(value));
    EXPECT_FALSE(key.derive(base::ByteView(value).first(value.size() - 2)));
    EXPECT_FALSE(key.derive({}));
  }
}

TEST(Dh, ModpValuesOutsideOfOneAndPMinusOneAreRefused) {  // RFC 6989 §2.1
  for (const auto group :
       {Group::modp1024, Group::modp1536, Group::modp2048, Group::modp3072, Group::modp4096}) {
    SCOPED_TRACE(static_cast<int>(group));
    const auto size = crypto::public_value_size(group);
    const auto key = DhKey::generate(group).value();
    const auto p = prime_of(group);
    Bytes zero(size), one(size);
    one.back() = 1;
    EXPECT_FALSE(key.derive(zero));
    EXPECT_FALSE(key.derive(one));
    EXPECT_FALSE(key.derive(padded(p.get(), size)));
    BN_sub_word(p.get(), 1);
    EXPECT_FALSE(key.derive(padded(p.get(), size)));
    BN_sub_word(p.get(), 1);
    EXPECT_TRUE(key.derive(padded(p.get(), size))) << "p-2 is in the range";
    EXPECT_FALSE(key.derive(Bytes(size, 0xff)));
  }
}

TEST(Dh, PointsThatAreNotOnTheCurveAreRefused) {
  for (const auto group : {Group::ecp256, Group::ecp384, Group::ecp521}) {
    const auto key = DhKey::generate(group).value();
    auto value = DhKey::generate(group).value().public_value().value();
    value.back() ^= 1;
    EXPECT_FALSE(key.derive(value));
    EXPECT_FALSE(key.derive(Bytes(value.size())));
    EXPECT_FALSE(key.derive(Bytes(value.size(), 0xff)));
  }
  const auto key = DhKey::generate(Group::curve25519).value();
  EXPECT_FALSE(key.derive(Bytes(32))) << "a point of small order gives the secret zero (RFC 7748 §6.1)";
}

TEST(Dh, CoordinatesThatAreNotReducedAreRefused) {  // RFC 6989 §2.3
  const std::unique_ptr<EC_GROUP, FreeWith<EC_GROUP_free>> curve(
      EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  const std::unique_ptr<EC_POINT, FreeWith<EC_POINT_free>> point(EC_POINT_new(curve.get()));
  const Bignum p(BN_new()), x(BN_new()), y(BN_new());
  EC_GROUP_get_curve(curve.get(), p.get(), nullptr, nullptr, nullptr);
  BN_set_word(x.get(), 1);
  while (EC_POINT_set_compressed_coordinates(curve.get(), point.get(), x.get(), 0, nullptr) != 1)
    BN_add_word(x.get(), 1);
  EC_POINT_get_affine_coordinates(curve.get(), point.get(), x.get(), y.get(), nullptr);
  const auto key = DhKey::generate(Group::ecp256).value();
  const auto value_of = [&] {
    auto out = padded(x.get(), 32);
    base::append(out, padded(y.get(), 32));
    return out;
  };
  EXPECT_TRUE(key.derive(value_of()));
  BN_add(x.get(), x.get(), p.get());
  EXPECT_FALSE(key.derive(value_of()));
}

}  // namespace
