// RFC 3602 §4 (AES-CBC), NIST SP 800-38A F.2 (four blocks each), FIPS 81 with three equal keys (3DES).

#include "crypto/cipher.h"

#include <gtest/gtest.h>

namespace {

using base::as_bytes;
using base::from_hex;
using base::hex;
using crypto::Cipher;

struct Row {
  Cipher cipher;
  const char *key, *iv, *clear, *sealed;
};

/// The text of all of NIST's.
constexpr const char* four_blocks =
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52ef"
    "f69f2445df4f9b17ad2b417be66c3710";

const Row rows[] = {
    {Cipher::aes_cbc, "06a9214036b8a15b512e03d534120006", "3dafba429d9eb430b422da802c9fac41",
     "53696e676c6520626c6f636b206d7367", "e353779c1079aeb82708942dbe77181a"},
    {Cipher::aes_cbc, "c286696d887c9aa0611bbb3e2025a45a", "562e17996d093d28ddb3ba695a2e6f58",
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1"},
    {Cipher::aes_cbc, "2b7e151628aed2a6abf7158809cf4f3c", "000102030405060708090a0b0c0d0e0f", four_blocks,
     "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b273bed6b8e3c1743b7116e69e222295163ff1caa"
     "1681f"
     "ac09120eca307586e1a7"},
    {Cipher::aes_cbc, "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "000102030405060708090a0b0c0d0e0f",
     four_blocks,
     "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a571b242012fb7ae07fa9baac3df102e008b0e27"
     "98859"
     "8881d920a9e64f5615cd"},
    {Cipher::aes_cbc, "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
     "000102030405060708090a0b0c0d0e0f", four_blocks,
     "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d39f23369a9d9bacfa530e26304231461b2eb05e"
     "2c39b"
     "e9fcda6c19078c6a9d1b"},
    {Cipher::des3_cbc, "0123456789abcdef0123456789abcdef0123456789abcdef", "1234567890abcdef",
     "4e6f77206973207468652074696d6520666f7220616c6c20", "e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6"},
};

TEST(Cipher, AgreesWithTheStandards) {
  for (const auto& row : rows) {
    EXPECT_EQ(hex(crypto::encrypt_cbc(row.cipher, from_hex(row.key), from_hex(row.iv), from_hex(row.clear))),
              row.sealed);
    EXPECT_EQ(hex(crypto::decrypt_cbc(row.cipher, from_hex(row.key), from_hex(row.iv), from_hex(row.sealed))),
              row.clear);
  }
}

TEST(Cipher, WrongSizesAreAnInvariantOfTheCaller) {
  const auto key = from_hex(rows[0].key), iv = from_hex(rows[0].iv);
  EXPECT_DEATH(crypto::encrypt_cbc(Cipher::aes_cbc, key, iv, as_bytes("no whole block")), "");
  EXPECT_DEATH(crypto::encrypt_cbc(Cipher::aes_cbc, as_bytes("short"), iv, iv), "");
  EXPECT_DEATH(crypto::encrypt_cbc(Cipher::aes_cbc, key, as_bytes("short"), iv), "");
}

}  // namespace
