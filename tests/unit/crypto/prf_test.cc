// RFC 2202 (HMAC-MD5, HMAC-SHA1), RFC 4231 (HMAC-SHA2), and plain digests of "abc".

#include "crypto/prf.h"

#include <gtest/gtest.h>

namespace {

using base::as_bytes;
using base::Bytes;
using base::from_hex;
using base::hex;
using crypto::Hash;

struct Row {
  Hash hash;
  std::string key, data, mac;
};

TEST(Prf, AgreesWithTheRfcVectors) {
  const std::string hi = hex(as_bytes("Hi There"));
  const auto key_of = [](std::size_t size) {
    std::string out;
    for (std::size_t i = 0; i < size; ++i) out += "0b";
    return out;
  };
  const auto jefe = hex(as_bytes("Jefe")), want = hex(as_bytes("what do ya want for nothing?"));
  std::string long_key;
  for (int i = 0; i < 131; ++i) long_key += "aa";
  const auto larger = hex(as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"));
  const Row rows[] = {
      {Hash::md5, key_of(16), hi, "9294727a3638bb1c13f48ef8158bfc9d"},
      {Hash::md5, jefe, want, "750c783e6ab0b503eaa86e310a5db738"},
      {Hash::sha1, key_of(20), hi, "b617318655057264e28bc0b6fb378c8ef146be00"},
      {Hash::sha1, jefe, want, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
      {Hash::sha2_256, key_of(20), hi, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {Hash::sha2_256, jefe, want, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {Hash::sha2_256, long_key, larger, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {Hash::sha2_384, jefe, want,
       "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"},
      {Hash::sha2_512, jefe, want,
       "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab"
       "1a3"
       "4d4a6b4b636e070a38bce737"},
  };
  for (const auto& row : rows)
    EXPECT_EQ(hex(crypto::prf(row.hash, from_hex(row.key), {from_hex(row.data)}).view()), row.mac);
}

TEST(Prf, PartsAreConcatenated) {
  const auto key = from_hex("0102030405");
  EXPECT_EQ(hex(crypto::prf(Hash::sha1, key, {as_bytes("what do "), {}, as_bytes("ya want")}).view()),
            hex(crypto::prf(Hash::sha1, key, {as_bytes("what do ya want")}).view()));
  EXPECT_EQ(crypto::digest(Hash::sha2_512, {as_bytes("a"), as_bytes("bc")}),
            crypto::digest(Hash::sha2_512, {as_bytes("abc")}));
}

TEST(Prf, AcceptsAnEmptyKey) {
  // HMAC-SHA256("", ""), e.g. from Python's hmac.
  EXPECT_EQ(hex(crypto::prf(Hash::sha2_256, {}, {}).view()),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Digest, OfAbcIsThatOfTheStandards) {
  EXPECT_EQ(hex(crypto::digest(Hash::md5, {as_bytes("abc")})), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(hex(crypto::digest(Hash::sha1, {as_bytes("abc")})), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(hex(crypto::digest(Hash::sha2_256, {as_bytes("abc")})),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  for (const auto h : {Hash::md5, Hash::sha1, Hash::sha2_256, Hash::sha2_384, Hash::sha2_512})
    EXPECT_EQ(crypto::digest(h, {}).size(), crypto::hash_size(h));
}

}  // namespace
