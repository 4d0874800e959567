// RFC 3602 §4 (AES-CBC), NIST SP 800-38A F.2 (192 and 256 bits), FIPS 81 with three equal keys (3DES).

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

const Row rows[] = {
    {Cipher::aes_cbc, "06a9214036b8a15b512e03d534120006", "3dafba429d9eb430b422da802c9fac41",
     "53696e676c6520626c6f636b206d7367", "e353779c1079aeb82708942dbe77181a"},
    {Cipher::aes_cbc, "c286696d887c9aa0611bbb3e2025a45a", "562e17996d093d28ddb3ba695a2e6f58",
     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
     "d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1"},
    {Cipher::aes_cbc, "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b", "000102030405060708090a0b0c0d0e0f",
     "6bc1bee22e409f96e93d7e117393172a", "4f021db243bc633d7178183a9fa071e8"},
    {Cipher::aes_cbc, "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
     "000102030405060708090a0b0c0d0e0f", "6bc1bee22e409f96e93d7e117393172a",
     "f58c4c04d6e5f1ba779eabfb5f7bfbd6"},
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
