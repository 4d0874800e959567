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
    const auto found = v1::find_nat(chain, v1::NatFlavour::rfc3947, crypto::Hash::sha1, i, r, us, peer);
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

v1::NatFlavour chosen(std::initializer_list<const char*> vendors) {
  std::vector<base::Bytes> bodies;
  for (const auto* v : vendors) bodies.push_back(from_hex(v));
  v1::Chain chain;
  for (const auto& b : bodies) chain.payloads.push_back({v1::PayloadType::vendor_id, b});
  return v1::choose_nat_flavour(chain);
}

TEST(Nat, VendorIdsAreTheMd5OfTheirNames) {
  using v1::NatFlavour;
  const std::pair<NatFlavour, std::string_view> names[] = {
      {NatFlavour::rfc3947, "RFC 3947"},
      {NatFlavour::draft_03, "draft-ietf-ipsec-nat-t-ike-03"},
      {NatFlavour::draft_02, "draft-ietf-ipsec-nat-t-ike-02"},
      {NatFlavour::draft_02_newline, "draft-ietf-ipsec-nat-t-ike-02\n"}};
  for (const auto& [flavour, name] : names)
    EXPECT_TRUE(base::equal(v1::vendor_of(flavour), crypto::digest(crypto::Hash::md5, {as_bytes(name)})))
        << name;
  EXPECT_TRUE(v1::vendor_of(NatFlavour::none).empty());
}

TEST(Nat, RfcIsChosenWhereOfferedAndApplesOwnNever) {
  using v1::NatFlavour;
  const auto* rfc = "4a131c81070358455c5728f20e95452f";
  const auto* draft_03 = "7d9419a65310ca6f2c179d9215529d56";
  const auto* draft_02 = "cd60464335df21f87cfdb2fc68b6a448";
  const auto* newline = "90cb80913ebb696e086381b5ec427b1f";
  const auto* apple = "4df37928e9fc4fd1b3262170d515c662";
  const auto* draft_08 = "8f8d83826d246b6fc7a8a6a428c11de8";
  const auto* draft_04 = "9909b64eed937c6573de52ace952fa6b";
  EXPECT_EQ(chosen({rfc, apple, draft_08, draft_04, draft_03, draft_02, newline}), NatFlavour::rfc3947);
  EXPECT_EQ(chosen({newline, draft_02, draft_03, apple, rfc}), NatFlavour::rfc3947) << "whatever the order";
  EXPECT_EQ(chosen({apple, draft_08, draft_03, draft_02}), NatFlavour::draft_03);
  EXPECT_EQ(chosen({newline, draft_02}), NatFlavour::draft_02);
  EXPECT_EQ(chosen({newline}), NatFlavour::draft_02_newline);
  EXPECT_EQ(chosen({apple, draft_08, draft_04}), NatFlavour::none);
  EXPECT_EQ(chosen({}), NatFlavour::none);
}

TEST(Nat, HashesOfAnotherFlavourSayNothing) {
  const v1::Cookie i{1}, r{2};
  const Endpoint us{Address::v4(0xcb007101), 500}, peer{Address::v4(0xc6336401), 500};
  const auto any = v1::nat_d(crypto::Hash::sha1, i, r, {Address::v4(1), 1});
  v1::Chain chain;
  for (int n = 0; n < 2; ++n) chain.payloads.push_back({v1::PayloadType::nat_d_draft, any});
  EXPECT_FALSE(v1::find_nat(chain, v1::NatFlavour::rfc3947, crypto::Hash::sha1, i, r, us, peer).any());
  EXPECT_FALSE(v1::find_nat(chain, v1::NatFlavour::none, crypto::Hash::sha1, i, r, us, peer).any());
  EXPECT_TRUE(v1::find_nat(chain, v1::NatFlavour::draft_02, crypto::Hash::sha1, i, r, us, peer).any());
}

TEST(Nat, EchoGivesBackWhatThePeerSaidOfUsAndNoiseOfItself) {
  const v1::NatDPair truth{.about_peer = from_hex("aa"), .about_us = from_hex("bb")};
  v1::NatFinding found{.about_us = from_hex("cc")};
  const auto echoed = v1::nat_d_answer(v1::NatDetection::echo, truth, found, from_hex("dd"));
  EXPECT_EQ(echoed.about_us, from_hex("cc"));
  EXPECT_EQ(echoed.about_peer, from_hex("dd"));
  const auto truthful = v1::nat_d_answer(v1::NatDetection::truthful, truth, found, from_hex("dd"));
  EXPECT_EQ(truthful.about_us, truth.about_us);
  EXPECT_EQ(truthful.about_peer, truth.about_peer);
  found.about_us.clear();
  EXPECT_EQ(v1::nat_d_answer(v1::NatDetection::echo, truth, found, from_hex("dd")).about_us, truth.about_us);
}

TEST(Nat, AsManyOriginalAddressesAnswerAsCame) {
  const auto theirs = Address::v4(0xc6336401), ours = Address::v4(0xcb007101);
  EXPECT_TRUE(v1::nat_oa_answer(0, theirs, ours).empty());
  EXPECT_EQ(v1::nat_oa_answer(1, theirs, ours), (std::vector<base::Bytes>{v1::nat_oa(ours)}));
  EXPECT_EQ(v1::nat_oa_answer(2, theirs, ours),
            (std::vector<base::Bytes>{v1::nat_oa(theirs), v1::nat_oa(ours)}));
}

TEST(Nat, OriginalAddressHasTheShapeOfAnIdentification) {
  EXPECT_EQ(v1::nat_oa(Address::v4(0xc0a80102)), from_hex("01 00 0000 c0a80102"));
}

}  // namespace
