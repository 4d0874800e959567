// RFC 2202 (HMAC-MD5, HMAC-SHA1), RFC 4231 (HMAC-SHA2): tests/vectors/crypto/hmac.txt; and plain digests.

#include "crypto/prf.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "../vector_file.h"

namespace {

using base::as_bytes;
using base::from_hex;
using base::hex;
using crypto::Hash;

TEST(Prf, AgreesWithTheRfcVectors) {
  const std::pair<std::string, Hash> hashes[] = {{"md5", Hash::md5},
                                                 {"sha1", Hash::sha1},
                                                 {"sha256", Hash::sha2_256},
                                                 {"sha384", Hash::sha2_384},
                                                 {"sha512", Hash::sha2_512}};
  auto all = vectors::of("crypto/hmac.txt");
  std::size_t compared = 0;
  for (const auto& [name, mac] : all) {
    if (!name.ends_with(".mac")) continue;
    SCOPED_TRACE(name);
    const auto stem = name.substr(0, name.size() - 4);
    const auto hash =
        std::ranges::find(hashes, stem.substr(stem.find('.') + 1), &std::pair<std::string, Hash>::first);
    ASSERT_NE(hash, std::end(hashes));
    EXPECT_EQ(
        hex(crypto::prf(hash->second, from_hex(all.at(stem + ".key")), {from_hex(all.at(stem + ".data"))})
                .view()),
        mac);
    ++compared;
  }
  EXPECT_EQ(compared, 6u * 2 + 6u * 3);
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
