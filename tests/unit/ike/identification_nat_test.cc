// Identities, and who sits behind a NAT.

#include <gtest/gtest.h>

#include "crypto/prf.h"
#include "ike/v1/identification.h"
#include "ike/v1/nat.h"

namespace {

namespace v1 = ike::v1;
using base::Address;
using base::as_bytes;
using base::Endpoint;
using base::from_hex;

TEST(Identification, RoundTripsByteForByte) {
  for (const auto* bytes : {"01 11 06a5 c0a80102", "0b 00 0000 deadbeef", "02 11 06a5 6c6170746f70",
                            "04 00 0000 0a000000 ff000000"}) {
    const auto body = from_hex(bytes);
    EXPECT_EQ(v1::encode_identification(v1::decode_identification(body).value()), body);
  }
}

TEST(Identification, AddressTypesHaveTheirSize) {
  EXPECT_FALSE(v1::decode_identification(from_hex("01 00 0000 c0a801")));
  EXPECT_FALSE(v1::decode_identification(from_hex("01 00 0000 c0a8010203")));
  EXPECT_FALSE(v1::decode_identification(from_hex("05 00 0000 c0a80102")));
  EXPECT_FALSE(v1::decode_identification(from_hex("04 00 0000 c0a80102")));
  EXPECT_FALSE(v1::decode_identification(from_hex("01 00 00")));
  EXPECT_FALSE(v1::decode_identification({}));
}

TEST(Identification, IsShownToPeopleWithoutControlCharacters) {
  const auto shown = [](base::ByteView body) {
    return v1::describe(v1::decode_identification(body).value());
  };
  EXPECT_EQ(shown(from_hex("01 00 0000 c0a80102")), "192.168.1.2");
  EXPECT_EQ(shown(from_hex("02 00 0000 6c6170746f70")), "laptop");
  EXPECT_EQ(shown(from_hex("02 00 0000 6c610a70")), "0x6c610a70");
  EXPECT_EQ(shown(from_hex("0b 00 0000")), "0x");
}

struct Finding {
  const char* name;
  std::vector<Endpoint> claimed;  ///< NAT-D payloads in order: the destination, then the sources
  bool peer_behind, we_behind;
};

TEST(Nat, IsFoundFromTheHashesOfEitherEnd) {
  const v1::Cookie i{1, 2, 3}, r{4, 5, 6};
  const Endpoint us{Address::v4(0xcb007101), 500}, peer{Address::v4(0xc6336401), 500};
  const Endpoint inside{Address::v4(0xc0a80102), 500}, other_port{peer.address, 4500};
  const Finding rows[] = {
      {"none", {us, peer}, false, false},
      {"the peer", {us, inside}, true, false},
      {"the peer, by its port alone", {us, other_port}, true, false},
      {"we", {inside, peer}, false, true},
      {"both", {inside, inside}, true, true},
      {"none, among several addresses of the peer", {us, inside, peer}, false, false},
      {"too few to tell", {us}, false, false},
      {"nothing sent", {}, false, false},
  };
  for (const auto& row : rows) {
    std::vector<base::Bytes> bodies;
    for (const auto& e : row.claimed) bodies.push_back(v1::nat_d(crypto::Hash::sha1, i, r, e));
    v1::Chain chain;
    for (const auto& b : bodies) chain.payloads.push_back({v1::PayloadType::nat_d, b});
    const auto found = v1::find_nat(chain, crypto::Hash::sha1, i, r, us, peer);
    EXPECT_EQ(found.peer_behind_nat, row.peer_behind) << row.name;
    EXPECT_EQ(found.we_behind_nat, row.we_behind) << row.name;
  }
}

TEST(Nat, HashCoversCookiesAddressAndPortInNetworkOrder) {
  const v1::Cookie i{1}, r{2};
  const auto covered = from_hex("0100000000000000 0200000000000000 cb007101 1194");
  EXPECT_EQ(v1::nat_d(crypto::Hash::sha2_256, i, r, {Address::v4(0xcb007101), 4500}),
            crypto::digest(crypto::Hash::sha2_256, {covered}));
}

TEST(Nat, OriginalAddressHasTheShapeOfAnIdentification) {
  EXPECT_EQ(v1::nat_oa(Address::v4(0xc0a80102)), from_hex("01 00 0000 c0a80102"));
}

}  // namespace
