// Keys and hashes of RFC 2409 against tests/vectors/ike/keymat.txt, which Python's hmac made.

#include "ike/v1/keymat.h"

#include <gtest/gtest.h>

#include "../vector_file.h"

namespace {

namespace v1 = ike::v1;
using base::Bytes;
using base::hex;

struct Case {
  const char* name;
  const char* transform;
  const char* suite;
  std::uint32_t spi;
  bool pfs;
};

constexpr Case cases[] = {
    {"md5_3des", "3des-md5-modp2048", "3des-md5", 0x11223344, false},
    {"sha1_aes256", "aes256-sha1-modp2048", "aes256-sha1", 0xc0ffee00, false},
    {"sha1_aes128", "aes128-sha1-modp2048", "aes128-sha1", 0x00001000, true},
    {"sha256_aes256", "aes256-sha256-modp2048", "aes128gcm16", 0xffffffff, true},
    {"sha384_aes192", "aes192-sha384-modp2048", "aes192-sha384", 0x01020304, false},
    {"sha512_aes256", "aes256-sha512-modp2048", "aes256-sha512", 0xdeadbeef, true},
};

Bytes pattern(unsigned first, std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(first + 7 * i);
  return out;
}

v1::Cookie cookie(unsigned first) {
  v1::Cookie out;
  std::ranges::copy(pattern(first, out.size()), out.begin());
  return out;
}

TEST(Keymat, AgreesWithAnIndependentComputation) {
  auto expected = vectors::of("ike/keymat.txt");
  std::size_t compared = 0;
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto t = ike::parse_ike_transform(c.transform).value();
    const auto ni = pattern(1, 20), nr = pattern(2, 32), g_xi = pattern(3, 256), g_xr = pattern(4, 256);
    const auto g_xy = base::Secret(pattern(5, 256));
    const auto cky_i = cookie(6), cky_r = cookie(7);
    const auto sai_b = pattern(8, 48), id_b = pattern(9, 8), rest = pattern(10, 100);
    const v1::MessageId m_id(0xa1b2c3d4);
    const auto same = [&](const char* field, base::ByteView actual) {
      EXPECT_EQ(hex(actual), expected[std::string(c.name) + "." + field]) << field;
      ++compared;
    };
    const auto skeyid = v1::skeyid_of_psk(t.hash, base::as_bytes("swordfish"), ni, nr);
    same("skeyid", skeyid.view());
    const auto keys = v1::derive_session_keys(t, skeyid, g_xy, cky_i, cky_r);
    same("skeyid_d", keys.skeyid_d.view());
    same("skeyid_a", keys.skeyid_a.view());
    same("encryption_key", keys.encryption_key.view());
    same("hash_i", v1::phase1_hash(t.hash, skeyid, g_xi, g_xr, cky_i, cky_r, sai_b, id_b).view());
    same("hash_r", v1::phase1_hash(t.hash, skeyid, g_xr, g_xi, cky_r, cky_i, sai_b, id_b).view());
    const auto iv = v1::phase1_iv(t, g_xi, g_xr);
    same("phase1_iv", iv);
    same("phase2_iv", v1::phase2_iv(t, iv, m_id));
    same("hash_1", v1::phase2_hash(t.hash, keys.skeyid_a, m_id, {}, rest).view());
    same("hash_2", v1::phase2_hash(t.hash, keys.skeyid_a, m_id, ni, rest).view());
    same("hash_3", v1::phase2_hash3(t.hash, keys.skeyid_a, m_id, ni, nr).view());
    const auto suite = ike::parse_esp_suite(c.suite).value();
    const auto esp = v1::derive_keymat(t.hash, keys.skeyid_d, c.pfs ? g_xy.view() : base::ByteView{},
                                       xfrm::Spi(c.spi), ni, nr, suite);
    same("esp_encryption", esp.encryption_key.view());
    same("esp_integrity", esp.integrity_key.view());
  }
  EXPECT_EQ(compared, expected.size()) << "every vector is used";
}

// Of the kind of NIST's vectors for IKEv1 with signatures (SP 800-135), as the tests of a public library of
// key derivation have it; Python's hmac agrees.
TEST(Keymat, AgreesWithAPublishedVectorOfSignatures) {
  const auto of = [](std::string_view text) { return base::from_hex(text); };
  const auto cookie_of = [&of](std::string_view text) {
    v1::Cookie out;
    std::ranges::copy(of(text), out.begin());
    return out;
  };
  const auto ni = of("ced5635da6796075"), nr = of("6244b427712fb776");
  const base::Secret g_xy(
      of("2a2e0bbe8da3657a83f3d35826e49e2d38e557e912a1b9e6c30c63577b3eab71"
         "5466202862027f2c26f3090743555579611771db0b92bef93834432a3a7762fc"
         "8a0f4889fd281d6082770d10a40d7bad61e832f041e620d6787e7f62ab2861dd"
         "fbe272e0d9d3cdec5f1bbf750e24b8b32d6d714968ad69ce5086c32ad2742ebc"));
  const auto t = ike::parse_ike_transform("aes128-sha1-modp1024").value();
  const auto skeyid = v1::skeyid_of_signature(t.hash, ni, nr, g_xy);
  EXPECT_EQ(hex(skeyid.view()), "dc37ac99de6dcfbd1ee74af7fb36f9b4b0a7829d");
  const auto keys =
      v1::derive_session_keys(t, skeyid, g_xy, cookie_of("382e5c8b0a3fa307"), cookie_of("ba4b7616700a2413"));
  EXPECT_EQ(hex(keys.skeyid_d.view()), "486293ed547adb562cefdaf43d3d8457b196f2b6");
  EXPECT_EQ(hex(keys.skeyid_a.view()), "f4053b5ca07e59bb41b8f401037ca90b72b3917e");
  EXPECT_EQ(hex(keys.encryption_key.view()), "49a1d53a80fb77e663552964fbbcb450") << "SKEYID_e begins so";
}

TEST(Keymat, DirectionsDifferByTheirSpi) {
  const auto secret = base::Secret(pattern(1, 20));
  const auto suite = ike::parse_esp_suite("aes256-sha1").value();
  const auto a = v1::derive_keymat(crypto::Hash::sha1, secret, {}, xfrm::Spi(0x1000), pattern(2, 16),
                                   pattern(3, 16), suite);
  const auto b = v1::derive_keymat(crypto::Hash::sha1, secret, {}, xfrm::Spi(0x1001), pattern(2, 16),
                                   pattern(3, 16), suite);
  EXPECT_FALSE(base::equal(a.encryption_key.view(), b.encryption_key.view()));
  EXPECT_FALSE(base::equal(a.integrity_key.view(), b.integrity_key.view()));
}

}  // namespace
