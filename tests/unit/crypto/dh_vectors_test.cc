// Diffie-Hellman with known private values: RFC 5903 §8, RFC 7748 §6.1 (tests/vectors/crypto/curves.txt),
// NIST's of its curves (ecc_cdh.txt), and the MODP groups with Python's integers as their origin (modp.txt).

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "../vector_file.h"
#include "crypto/dh.h"

namespace crypto {

/// Production code makes its private values and never sees one.
struct KnownDhKey {
  static DhKey of(Group group, EVP_PKEY* key) { return {group, DhKey::Key(key)}; }
};

}  // namespace crypto

namespace {

using base::Bytes;
using base::ByteView;
using base::FreeWith;
using base::from_hex;
using base::hex;
using crypto::DhKey;
using crypto::Group;
using Bignum = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;

struct Named {
  const char* name;
  Group group;
  const char* openssl;
};
constexpr Named groups[] = {
    {"modp1024", Group::modp1024, nullptr},     {"modp1536", Group::modp1536, "modp_1536"},
    {"modp2048", Group::modp2048, "modp_2048"}, {"modp3072", Group::modp3072, "modp_3072"},
    {"modp4096", Group::modp4096, "modp_4096"}, {"ecp256", Group::ecp256, "P-256"},
    {"ecp384", Group::ecp384, "P-384"},         {"ecp521", Group::ecp521, "P-521"},
    {"curve25519", Group::curve25519, nullptr}};

Bignum number(ByteView bytes) {
  return Bignum(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
}

/// The public value that belongs to a private one, by plain arithmetic: OpenSSL wants both.
Bignum power_of_two(Group group, const BIGNUM* exponent, Bignum& prime) {
  const std::unique_ptr<BN_CTX, FreeWith<BN_CTX_free>> context(BN_CTX_new());
  prime.reset(group == Group::modp1024   ? BN_get_rfc2409_prime_1024(nullptr)
              : group == Group::modp1536 ? BN_get_rfc3526_prime_1536(nullptr)
              : group == Group::modp2048 ? BN_get_rfc3526_prime_2048(nullptr)
              : group == Group::modp3072 ? BN_get_rfc3526_prime_3072(nullptr)
                                         : BN_get_rfc3526_prime_4096(nullptr));
  const Bignum two(BN_new());
  Bignum out(BN_new());
  BN_set_word(two.get(), 2);
  BN_mod_exp(out.get(), two.get(), exponent, prime.get(), context.get());
  return out;
}

Bytes multiple_of_generator(const char* curve_name, const BIGNUM* factor) {
  const std::unique_ptr<EC_GROUP, FreeWith<EC_GROUP_free>> curve(
      EC_GROUP_new_by_curve_name(EC_curve_nist2nid(curve_name)));
  const std::unique_ptr<EC_POINT, FreeWith<EC_POINT_free>> point(EC_POINT_new(curve.get()));
  EC_POINT_mul(curve.get(), point.get(), factor, nullptr, nullptr, nullptr);
  Bytes out(EC_POINT_point2oct(curve.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED, nullptr, 0, nullptr));
  EC_POINT_point2oct(curve.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED, out.data(), out.size(),
                     nullptr);
  return out;
}

DhKey key_with(const Named& named, const Bytes& private_value) {
  if (named.group == Group::curve25519)
    return crypto::KnownDhKey::of(
        named.group,
        EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, private_value.data(), private_value.size()));
  const bool modp = std::string(named.name).starts_with("modp");
  const auto x = number(private_value);
  const std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>> build(OSSL_PARAM_BLD_new());
  Bignum prime, y, g(BN_new());
  Bytes point;
  BN_set_word(g.get(), 2);
  if (named.openssl != nullptr)
    OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, named.openssl, 0);
  if (modp) {
    y = power_of_two(named.group, x.get(), prime);
    if (named.openssl == nullptr) {
      OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_FFC_P, prime.get());
      OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_FFC_G, g.get());
    }
    OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_PUB_KEY, y.get());
  } else {
    point = multiple_of_generator(named.openssl, x.get());
    OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  }
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_PRIV_KEY, x.get());
  const std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>> params(OSSL_PARAM_BLD_to_param(build.get()));
  const std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>> context(
      EVP_PKEY_CTX_new_from_name(nullptr, modp ? "DH" : "EC", nullptr));
  EVP_PKEY* key = nullptr;
  EVP_PKEY_fromdata_init(context.get());
  EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, params.get());
  EXPECT_NE(key, nullptr);
  return crypto::KnownDhKey::of(named.group, key);
}

class DhVectors : public ::testing::TestWithParam<const char*> {};

TEST_P(DhVectors, BothEndsComeToThePublicValuesAndTheSecret) {
  const auto all = vectors::of(GetParam());
  std::size_t compared = 0;
  for (const auto& [name, shared] : all) {
    if (!name.ends_with(".shared")) continue;
    SCOPED_TRACE(name);
    const auto stem = name.substr(0, name.size() - std::string(".shared").size());
    const auto named = std::ranges::find(groups, stem.substr(0, stem.find('.')), &Named::name);
    ASSERT_NE(named, std::end(groups));
    for (const auto* ends : {"ab", "ba"}) {
      const auto key = key_with(*named, from_hex(all.at(stem + ".private_" + ends[0])));
      EXPECT_EQ(hex(key.public_value().value()), all.at(stem + ".public_" + ends[0]));
      const auto secret = key.derive(from_hex(all.at(stem + ".public_" + ends[1])));
      ASSERT_TRUE(secret);
      EXPECT_EQ(hex(secret->view()), shared);
    }
    ++compared;
  }
  EXPECT_EQ(compared * 5, all.size()) << "every vector is used";
  EXPECT_GE(compared, 4u);
}

INSTANTIATE_TEST_SUITE_P(Of, DhVectors, ::testing::Values("crypto/curves.txt", "crypto/modp.txt"),
                         [](const auto& file) { return std::string(file.index == 0 ? "Curves" : "Modp"); });

TEST(DhVectors, OfNistGiveThePublicValueAndTheSecret) {
  const auto all = vectors::of("crypto/ecc_cdh.txt");
  for (const std::string curve : {"ecp256", "ecp384", "ecp521"}) {
    SCOPED_TRACE(curve);
    const auto key =
        key_with(*std::ranges::find(groups, curve, &Named::name), from_hex(all.at(curve + ".private")));
    EXPECT_EQ(hex(key.public_value().value()), all.at(curve + ".public"));
    const auto secret = key.derive(from_hex(all.at(curve + ".peer")));
    ASSERT_TRUE(secret);
    EXPECT_EQ(hex(secret->view()), all.at(curve + ".shared"));
  }
}

TEST(DhVectors, LeadingZeroByteIsAmongThem) {
  const auto all = vectors::of("crypto/modp.txt");
  for (const auto* group : {"modp1024", "modp1536", "modp2048", "modp3072", "modp4096"}) {
    EXPECT_TRUE(all.at(std::string(group) + ".short_value.public_b").starts_with("00"));
    EXPECT_TRUE(all.at(std::string(group) + ".short_secret.shared").starts_with("00"));
  }
}

}  // namespace
