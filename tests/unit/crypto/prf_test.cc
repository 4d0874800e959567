// RFC 2202 (HMAC-MD5, HMAC-SHA1), RFC 4231 (HMAC-SHA2), NIST's examples of FIPS 198:
// tests/vectors/crypto/hmac.txt; and plain digests.

#include "crypto/prf.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "../vector_file.h"

namespace {

using base::as_bytes;
using base::from_hex;
using base::hex;
using crypto::Hash;

TEST(Prf, AgreesWithTheVectorsOfTheRfcsAndOfNist) {
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
  EXPECT_EQ(compared, 6u * 2 + 6u * 3 + 4u);
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
  EXPECT_EQ(
      hex(crypto::digest(Hash::sha2_384, {as_bytes("abc")})),
      "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
  EXPECT_EQ(hex(crypto::digest(Hash::sha2_512, {as_bytes("abc")})),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
  for (const auto h : {Hash::md5, Hash::sha1, Hash::sha2_256, Hash::sha2_384, Hash::sha2_512})
    EXPECT_EQ(crypto::digest(h, {}).size(), crypto::hash_size(h));
}

// NIST's examples of FIPS 180-4 (SHA1.pdf and so on).
TEST(Digest, OfTwoBlocksIsThatOfNist) {
  const auto two_of_64 = as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");
  const auto two_of_128 = as_bytes(
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
      "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu");
  EXPECT_EQ(hex(crypto::digest(Hash::sha1, {two_of_64})), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  EXPECT_EQ(hex(crypto::digest(Hash::sha2_256, {two_of_64})),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(
      hex(crypto::digest(Hash::sha2_384, {two_of_128})),
      "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712fcc7c71a557e2db966c3e9fa91746039");
  EXPECT_EQ(hex(crypto::digest(Hash::sha2_512, {two_of_128})),
            "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
            "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909");
}

}  // namespace
