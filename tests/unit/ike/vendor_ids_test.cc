// Vendor IDs against the texts they are said to be the MD5 of, and profiles by what they tell apart.

#include "ike/v1/vendor_ids.h"

#include <gtest/gtest.h>

#include "crypto/prf.h"
#include "ike/profile.h"

namespace {

namespace v1 = ike::v1;
using base::Bytes;
using base::ByteView;
using ike::Client;

Bytes md5(std::string_view text) { return crypto::digest(crypto::Hash::md5, {base::as_bytes(text)}); }

TEST(VendorIds, AreTheMd5OfTheirTexts) {
  const std::pair<ByteView, std::string_view> known[] = {
      {v1::vendor_rfc3947, "RFC 3947"},
      {v1::vendor_natt_00, "draft-ietf-ipsec-nat-t-ike-00"},
      {v1::vendor_natt_02, "draft-ietf-ipsec-nat-t-ike-02"},
      {v1::vendor_natt_02n, "draft-ietf-ipsec-nat-t-ike-02\n"},
      {v1::vendor_natt_03, "draft-ietf-ipsec-nat-t-ike-03"},
      {v1::vendor_natt_04, "draft-ietf-ipsec-nat-t-ike-04"},
      {v1::vendor_natt_05, "draft-ietf-ipsec-nat-t-ike-05"},
      {v1::vendor_natt_06, "draft-ietf-ipsec-nat-t-ike-06"},
      {v1::vendor_natt_07, "draft-ietf-ipsec-nat-t-ike-07"},
      {v1::vendor_natt_08, "draft-ietf-ipsec-nat-t-ike-08"},
      {v1::vendor_natt_apple, "draft-ietf-ipsec-nat-t-ike"},
      {v1::vendor_fragmentation, "FRAGMENTATION"},
      {v1::vendor_microsoft, "MS NT5 ISAKMPOAKLEY"},
      {v1::vendor_ms_negotiation, "MS-Negotiation Discovery Capable"},
      {v1::vendor_ms_initial_contact, "Vid-Initial-Contact"},
      {v1::vendor_ms_cga, "IKE CGA version 1"},
      {v1::vendor_strongswan, "strongSwan"},
  };
  for (const auto& [id, text] : known) EXPECT_TRUE(base::equal(id, md5(text))) << text;
  // These are cut short, the first two to make room for a version.
  EXPECT_TRUE(base::equal(v1::vendor_unity, ByteView(md5("CISCO-UNITY")).first(14)));
  EXPECT_TRUE(base::equal(v1::vendor_xauth, ByteView(md5("draft-ietf-ipsra-isakmp-xauth-06.txt")).first(8)));
}

struct Message1 {
  std::vector<Bytes> ids;
  v1::Chain chain;
  explicit Message1(std::vector<Bytes> vendor_ids) : ids(std::move(vendor_ids)) {
    for (const auto& id : ids) chain.payloads.push_back({v1::PayloadType::vendor_id, id});
  }
};

TEST(VendorIds, FragmentsAreUnderstoodWithoutCapabilitiesOrWithMainModes) {
  const auto fragmentation = [](std::string_view capabilities) {
    auto id = base::to_bytes(v1::vendor_fragmentation);
    base::append(id, base::from_hex(capabilities));
    return v1::understands_fragments(Message1({id}).chain);
  };
  EXPECT_TRUE(fragmentation("")) << "Windows, Libreswan";
  EXPECT_TRUE(fragmentation("80000000")) << "racoon, strongSwan";
  EXPECT_TRUE(fragmentation("c0000000")) << "Cisco";
  EXPECT_FALSE(fragmentation("40000000")) << "Base Mode only";
  EXPECT_FALSE(fragmentation("80")) << "no capability word";
  EXPECT_FALSE(v1::understands_fragments(Message1({Bytes(15, 0x40)}).chain));
  EXPECT_FALSE(v1::understands_fragments({}));
}

TEST(Profile, ClientWithoutAnyVendorIdIsUnknown) {
  EXPECT_EQ(ike::recognise({}, {}), Client::unknown);
  EXPECT_EQ(ike::recognise(Message1({base::to_bytes(v1::vendor_rfc3947), {}, Bytes(300, 1)}).chain, {}),
            Client::unknown);
}

TEST(Profile, EveryClientHasAName) {
  for (auto c = 0; c <= static_cast<int>(Client::cisco); ++c)
    EXPECT_FALSE(ike::name_of(Client{static_cast<std::uint8_t>(c)}).empty());
  EXPECT_EQ(ike::name_of(Client::cisco), "cisco");
  EXPECT_EQ(ike::name_of(Client::unknown), "unknown");
}

TEST(Profile, AndroidIsNeverGivenTheSuitesItTruncates) {
  const auto all = ike::default_esp_suites();
  const auto left = ike::suites_for(Client::android, all);
  EXPECT_LT(left.size(), all.size());
  for (const auto& s : left) EXPECT_NE(s.integrity, xfrm::Integrity::hmac_sha2_256_128);
  EXPECT_EQ(ike::suites_for(Client::apple, all), all);
  EXPECT_EQ(ike::suites_for(Client::unknown, all), all);
}

std::function<void(std::span<std::uint8_t>)> counting() {
  return [n = std::uint64_t{0}](std::span<std::uint8_t> out) mutable {
    // A step of an odd 64-bit number reaches every value.
    n += 0x9e3779b97f4a7c15;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(n >> (8 * (i % 8)));
  };
}

TEST(Cookie, IsBelowTheInitiatorsForApple) {
  const auto random = counting();
  for (const auto* text :
       {"ffffffffffffffff", "8000000000000000", "7fffffffffffffff", "0100000000000001", "0123456789abcdef"}) {
    const auto bytes = base::from_hex(text);
    v1::Cookie theirs{};
    std::ranges::copy(bytes, theirs.begin());
    std::set<v1::Cookie> seen;
    for (int i = 0; i < 200; ++i) {
      const auto ours = ike::responder_cookie(Client::apple, theirs, random);
      EXPECT_LT(ours, theirs) << text;
      EXPECT_NE(ours, v1::Cookie{});
      seen.insert(ours);
    }
    EXPECT_EQ(seen.size(), 200u);
  }
}

TEST(Cookie, IsAnythingWhereBelowWouldLeaveLittleToGuess) {
  const auto random = counting();
  for (const v1::Cookie theirs : {v1::Cookie{0, 0, 0, 0, 0, 0, 0, 1}, v1::Cookie{0, 0xff, 1, 2, 3, 4, 5, 6},
                                  v1::Cookie{1, 0, 0, 0, 0, 0, 0, 0}}) {
    int above = 0;
    for (int i = 0; i < 100; ++i) above += ike::responder_cookie(Client::apple, theirs, random) > theirs;
    EXPECT_GT(above, 50);
  }
}

TEST(Cookie, IsAnythingForOthersAndNeverZero) {
  const v1::Cookie theirs{0x80};
  const auto random = counting();
  int above = 0;
  for (int i = 0; i < 200; ++i) above += ike::responder_cookie(Client::windows, theirs, random) > theirs;
  EXPECT_GT(above, 50);
  EXPECT_LT(above, 150);
  auto zeros = 3;
  const auto lazy = [&zeros](std::span<std::uint8_t> out) {
    std::ranges::fill(out, zeros-- > 0 ? std::uint8_t{0} : std::uint8_t{7});
  };
  EXPECT_EQ(ike::responder_cookie(Client::unknown, theirs, lazy)[0], 7);
  EXPECT_EQ(zeros, -1);
}

}  // namespace
