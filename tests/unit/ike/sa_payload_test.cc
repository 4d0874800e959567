// Proposals: how they decode, which is chosen, and how transforms are written and read.

#include "ike/v1/sa_payload.h"

#include <gmock/gmock.h>

#include "ike/v1/nat.h"

namespace {

namespace v1 = ike::v1;
using base::Bytes;
using base::from_hex;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Mode = v1::EncapsulationMode;

/// Owns the bytes that a Proposal borrows.
struct Offer {
  std::vector<Bytes> attributes;
  Bytes spi{0xc0, 0xff, 0xee, 0x00};
  v1::SaPayload sa{.doi = 1, .situation = 1, .proposals = {}};
};

Offer ike_offer(std::initializer_list<std::string_view> names) {
  Offer out;
  for (const auto n : names)
    out.attributes.push_back(v1::encode_attributes(ike::parse_ike_transform(n).value(), 28800s));
  v1::Proposal p{.number = 1, .protocol = 1, .spi = {}, .transforms = {}};
  for (const auto& a : out.attributes)
    p.transforms.push_back({.number = static_cast<std::uint8_t>(p.transforms.size() + 1),
                            .id = 1,
                            .attributes = {},
                            .raw_attributes = a});
  out.sa.proposals = {p};
  return out;
}

struct EspRow {
  std::string_view suite;
  std::uint8_t number = 1;
  std::uint8_t protocol = 3;
  Mode mode = Mode::transport;
};
Bytes esp_body(std::initializer_list<EspRow> rows, Bytes spi = {0xc0, 0xff, 0xee, 0x00}) {
  Offer out;
  out.spi = std::move(spi);
  for (const auto& r : rows)
    out.attributes.push_back(v1::encode_attributes(ike::parse_esp_suite(r.suite).value(), r.mode, 3600s, {}));
  std::size_t i = 0;
  for (const auto& r : rows) {
    const auto id = v1::esp_transform_id(ike::parse_esp_suite(r.suite).value());
    out.sa.proposals.push_back(
        {.number = r.number,
         .protocol = r.protocol,
         .spi = out.spi,
         .transforms = {{.number = 1, .id = id, .attributes = {}, .raw_attributes = out.attributes[i++]}}});
  }
  return v1::encode_sa(out.sa);
}

const auto esp = ike::default_esp_suites();
const auto ike_defaults = ike::default_ike_transforms();

TEST(SaPayload, EveryTruncationOfAnOfferIsRefused) {
  for (const auto& body : {v1::encode_sa(ike_offer({"aes256-sha1-modp2048", "aes128-sha1-modp2048"}).sa),
                           esp_body({{"aes256-sha1", 1}, {"aes128gcm16", 2}})}) {
    ASSERT_TRUE(v1::decode_sa(body));
    for (std::size_t size = 0; size < body.size(); ++size) {
      const auto cut = v1::decode_sa(base::ByteView(body).first(size));
      EXPECT_TRUE(!cut || (size == 8 && cut->proposals.empty())) << size;
    }
  }
}

TEST(SaPayload, TrailingBytesWrongCountsAndStrangersInTheChainAreRefused) {
  const auto body = v1::encode_sa(ike_offer({"aes256-sha1-modp2048"}).sa);
  auto longer = body;
  longer.push_back(0);
  EXPECT_FALSE(v1::decode_sa(longer));
  auto count = body;
  count[8 + 7] = 2;  // two transforms, it says
  EXPECT_FALSE(v1::decode_sa(count));
  auto spi = body;
  spi[8 + 6] = 200;
  EXPECT_FALSE(v1::decode_sa(spi));
  auto next = body;
  next[8] = 13;  // a vendor ID after the proposal
  EXPECT_FALSE(v1::decode_sa(next));
}

TEST(SaPayload, MoreTransformsThanAnybodyNeedsAreRefused) {
  Offer offer;
  offer.attributes.push_back(v1::encode_attributes(ike_defaults[0], 1h));
  v1::Proposal p{.number = 1, .protocol = 1, .spi = {}, .transforms = {}};
  for (int i = 0; i < 60; ++i)
    p.transforms.push_back({.number = 1, .id = 1, .attributes = {}, .raw_attributes = offer.attributes[0]});
  offer.sa.proposals = {p, p, p, p};
  EXPECT_TRUE(v1::decode_sa(v1::encode_sa(offer.sa)));
  offer.sa.proposals.push_back(p);
  EXPECT_FALSE(v1::decode_sa(v1::encode_sa(offer.sa)));
}

TEST(SaPayload, OneProposalMayHoldAsManyTransformsAsItsCountCanSay) {
  Offer offer;
  offer.attributes.push_back(v1::encode_attributes(ike_defaults[0], 1h));
  v1::Proposal p{.number = 1, .protocol = 1, .spi = {}, .transforms = {}};
  for (int i = 0; i < 255; ++i)
    p.transforms.push_back({.number = 1, .id = 1, .attributes = {}, .raw_attributes = offer.attributes[0]});
  offer.sa.proposals = {p};
  EXPECT_TRUE(v1::decode_sa(v1::encode_sa(offer.sa)));
}

TEST(Choose, ALifetimeOfZeroIsNone) {
  auto offer = ike_offer({"aes256-sha1-modp2048"});
  offer.attributes[0] = v1::encode_attributes(ike::parse_ike_transform("aes256-sha1-modp2048").value(), 0s);
  offer.sa.proposals[0].transforms[0].raw_attributes = offer.attributes[0];
  const auto body = v1::encode_sa(offer.sa);
  const auto chosen = v1::choose(v1::decode_sa(body).value(), ike_defaults);
  ASSERT_TRUE(chosen);
  EXPECT_FALSE(chosen->lifetime);
}

TEST(SaPayload, AttributesThatRunOverAreRefused) {
  // DOI, situation; proposal 1 ISAKMP; transform 1 KEY_IKE; attribute 12 of 4 bytes with 2 there
  const auto body = from_hex("00000001 00000001 00000016 01010001 0000000e 01010000 000c 0004 7080");
  EXPECT_FALSE(v1::decode_sa(body));
}

TEST(Choose, WindowsListGivesEcp256WhichIsFirstOfOurs) {
  // clients.md §1, the proposals in Windows' order
  const auto offer = ike_offer({"aes256-sha1-ecp384", "aes128-sha1-ecp256", "aes256-sha1-modp2048",
                                "3des-sha1-modp2048", "3des-sha1-modp1024"});
  const auto body = v1::encode_sa(offer.sa);
  const auto chosen = v1::choose(v1::decode_sa(body).value(), ike_defaults);
  ASSERT_TRUE(chosen);
  EXPECT_EQ(ike::to_string(chosen->transform), "aes128-sha1-ecp256");
  EXPECT_EQ(chosen->proposal.transforms[0].number, 2) << "its own number is echoed";
  EXPECT_EQ(chosen->lifetime, 28800s);
  const std::vector<ike::IkeTransform> reversed{*ike::parse_ike_transform("3des-sha1-modp1024"),
                                                *ike::parse_ike_transform("aes256-sha1-ecp384")};
  EXPECT_EQ(ike::to_string(v1::choose(v1::decode_sa(body).value(), reversed)->transform),
            "3des-sha1-modp1024");
  EXPECT_FALSE(v1::choose(v1::decode_sa(body).value(), std::vector<ike::IkeTransform>{}));
}

TEST(Choose, OtherAuthenticationThanAPreSharedKeyIsPassedOver) {
  auto offer = ike_offer({"aes256-sha1-modp2048"});
  // Attribute 3, authentication: RSA signatures instead
  auto& a = offer.attributes[0];
  for (std::size_t i = 0; i + 3 < a.size(); ++i) {
    if (a[i] == 0x80 && a[i + 1] == 3) a[i + 3] = 3;
  }
  offer.sa.proposals[0].transforms[0].raw_attributes = a;
  const auto body = v1::encode_sa(offer.sa);
  const auto sa = v1::decode_sa(body).value();
  EXPECT_FALSE(v1::choose(sa, ike_defaults));
  EXPECT_EQ(v1::describe(sa), "aes256-sha1-modp2048-rsa");
  const auto chosen = v1::choose(sa, ike_defaults, {ike::AuthMethod::psk, ike::AuthMethod::rsa_signature});
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->authentication, ike::AuthMethod::rsa_signature);
}

TEST(Choose, EspOnlyInTheModeThatTheNatCallsFor) {
  const auto plain = esp_body({{"aes256-sha1", 1, 3, Mode::transport}});
  const auto udp = esp_body({{"aes256-sha1", 1, 3, Mode::udp_transport}});
  const auto tunnel = esp_body({{"aes256-sha1", 1, 3, Mode::tunnel}});
  EXPECT_TRUE(v1::choose(v1::decode_sa(plain).value(), esp, Mode::transport));
  EXPECT_FALSE(v1::choose(v1::decode_sa(plain).value(), esp, Mode::udp_transport));
  EXPECT_TRUE(v1::choose(v1::decode_sa(udp).value(), esp, Mode::udp_transport));
  EXPECT_FALSE(v1::choose(v1::decode_sa(udp).value(), esp, Mode::transport));
  EXPECT_FALSE(v1::choose(v1::decode_sa(tunnel).value(), esp, Mode::transport));
}

// clients.md §1: what Windows says behind a NAT is one or the other.
TEST(Choose, TheNumberOfADraftForUdpIsAsGoodAsThatOfRfc3947) {
  for (const auto offered : {Mode::udp_transport, Mode::udp_transport_draft}) {
    const auto body = esp_body({{"aes256-sha1", 1, 3, offered}});
    const auto sa = v1::decode_sa(body).value();
    for (const auto wanted : {Mode::udp_transport, Mode::udp_transport_draft}) {
      const auto chosen = v1::choose(sa, esp, wanted);
      ASSERT_TRUE(chosen);
      EXPECT_EQ(chosen->mode, offered) << "it comes back as it came";
    }
    EXPECT_FALSE(v1::choose(sa, esp, Mode::transport));
  }
  const auto tunnel = esp_body({{"aes256-sha1", 1, 3, Mode::udp_tunnel_draft}});
  EXPECT_FALSE(v1::choose(v1::decode_sa(tunnel).value(), esp, Mode::udp_transport_draft));
}

TEST(Choose, NumbersOfEncapsulationAreThoseOfTheRfcAndOfTheDrafts) {
  // RFC 3947 §5.1 has 4; draft-ietf-ipsec-nat-t-ike-03 §5.1 has 61444, of the private range.
  const auto body = [](const std::string& mode) {
    const std::string sa = "00000001 00000001", proposal = "00000028 01030401 c0ffee00";
    const std::string transform = "0000001c 010c0000 80010001 80020e10 80060100 80050002";
    return from_hex(sa + proposal + transform + mode);  // aes256-sha1 for 3600 s
  };
  const auto rfc = body("80040004"), draft = body("8004f004"), draft_tunnel = body("8004f003");
  const auto chosen = [](const Bytes& offered, Mode mode) {
    return v1::choose(v1::decode_sa(offered).value(), esp, mode).has_value();
  };
  EXPECT_TRUE(chosen(rfc, v1::udp_transport_of(v1::NatFlavour::rfc3947)));
  for (const auto flavour :
       {v1::NatFlavour::draft_03, v1::NatFlavour::draft_02, v1::NatFlavour::draft_02_newline}) {
    EXPECT_TRUE(chosen(draft, v1::udp_transport_of(flavour)));
    EXPECT_FALSE(chosen(draft_tunnel, v1::udp_transport_of(flavour)));
  }
  EXPECT_FALSE(chosen(draft, Mode::transport));
  const auto answer =
      esp_body({{"aes256-sha1", 1, 3, v1::udp_transport_of(v1::NatFlavour::draft_02_newline)}});
  EXPECT_THAT(base::hex(answer), HasSubstr("8004f004"));
}

TEST(Choose, XauthIsPassedOverAndNamedAsWhatItIs) {
  auto offer = ike_offer({"aes256-sha1-modp2048", "aes256-sha1-modp2048"});
  // draft-ietf-ipsec-isakmp-xauth-06 §7.2: XAUTHInitPreShared is 65001
  auto& first = offer.attributes[0];
  for (std::size_t i = 0; i + 3 < first.size(); i += 4) {
    if (first[i] == 0x80 && first[i + 1] == 3) first[i + 2] = 0xfd, first[i + 3] = 0xe9;
  }
  auto& transforms = offer.sa.proposals[0].transforms;
  for (std::size_t i = 0; i < 2; ++i) transforms[i].raw_attributes = offer.attributes[i];
  const auto both = v1::encode_sa(offer.sa);
  const auto chosen = v1::choose(v1::decode_sa(both).value(), ike_defaults);
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->proposal.transforms[0].number, 2);
  transforms.pop_back();
  const auto alone = v1::encode_sa(offer.sa);
  EXPECT_FALSE(v1::choose(v1::decode_sa(alone).value(), ike_defaults));
  EXPECT_EQ(v1::describe(v1::decode_sa(alone).value()), "aes256-sha1-modp2048 with XAUTH");
}

TEST(Describe, NamesAuthenticationThatIsNotServed) {
  const auto described = [](std::uint16_t method) {
    auto offer = ike_offer({"aes256-sha1-modp2048"});
    auto& attributes = offer.attributes[0];
    for (std::size_t i = 0; i + 3 < attributes.size(); i += 4) {
      if (attributes[i] != 0x80 || attributes[i + 1] != 3) continue;
      attributes[i + 2] = static_cast<std::uint8_t>(method >> 8);
      attributes[i + 3] = static_cast<std::uint8_t>(method);
    }
    offer.sa.proposals[0].transforms[0].raw_attributes = attributes;
    const auto body = v1::encode_sa(offer.sa);
    return v1::describe(v1::decode_sa(body).value());
  };
  for (const int xauth : {65001, 65005, 65010})
    EXPECT_EQ(described(static_cast<std::uint16_t>(xauth)), "aes256-sha1-modp2048 with XAUTH");
  for (const int hybrid : {64221, 64224})
    EXPECT_EQ(described(static_cast<std::uint16_t>(hybrid)),
              "aes256-sha1-modp2048 with hybrid authentication (XAUTH)");
  for (const int other : {2, 4, 64220, 64225, 65000, 65011})
    EXPECT_EQ(described(static_cast<std::uint16_t>(other)),
              "aes256-sha1-modp2048 with an authentication method we do not know");
}

TEST(Choose, SequenceNumbersOf64BitsArePassedOver) {
  auto offer = [](std::string_view suite, std::uint16_t esn) {
    const auto wanted = ike::parse_esp_suite(suite).value();
    Offer out;
    out.attributes = {v1::encode_attributes(wanted, Mode::transport, 3600s, {})};
    base::append(out.attributes[0], Bytes{0x80, v1::esp_attribute::esn, 0, static_cast<std::uint8_t>(esn)});
    const v1::Transform transform{.number = 1,
                                  .id = v1::esp_transform_id(wanted),
                                  .attributes = {},
                                  .raw_attributes = out.attributes[0]};
    out.sa.proposals = {{.number = 1, .protocol = 3, .spi = out.spi, .transforms = {transform}}};
    return v1::encode_sa(out.sa);
  };
  const auto body = offer("aes256-sha1", 1);  // RFC 4304 §2
  const auto offered = v1::decode_sa(body).value();
  EXPECT_FALSE(v1::choose(offered, esp, Mode::transport)) << "whoever sends so computes another ICV";
  EXPECT_THAT(v1::describe(offered), HasSubstr("aes256-sha1 with 64-bit sequence numbers"));
}

TEST(Choose, ProposalsOfOneNumberAreTakenTogetherOrNotAtAll) {
  // RFC 2408 §4.2: ESP and AH under one number is a demand for both
  const auto both = esp_body({{"aes256-sha1", 1, 2}, {"aes256-sha1", 1, 3}, {"aes128-sha1", 2, 3}});
  const auto chosen = v1::choose(v1::decode_sa(both).value(), esp, Mode::transport);
  ASSERT_TRUE(chosen);
  EXPECT_EQ(ike::to_string(chosen->suite), "aes128-sha1");
  EXPECT_EQ(chosen->proposal.number, 2);
}

TEST(Choose, ReservedAndMisshapenSpisArePassedOver) {
  for (const auto& spi :
       {Bytes{0, 0, 0, 0}, Bytes{0, 0, 0, 255}, Bytes{1, 2}, Bytes{}, Bytes{1, 2, 3, 4, 5}}) {
    const auto body = esp_body({{"aes256-sha1"}}, spi);
    EXPECT_FALSE(v1::choose(v1::decode_sa(body).value(), esp, Mode::transport)) << base::hex(spi);
  }
  const auto first = esp_body({{"aes256-sha1"}}, Bytes{0, 0, 1, 0});
  EXPECT_EQ(v1::choose(v1::decode_sa(first).value(), esp, Mode::transport)->spi, xfrm::Spi(256));
}

TEST(Choose, DesNullAndUnknownTransformsArePassedOver) {
  auto body = esp_body({{"aes256-sha1"}});
  // The transform identifier stands after SA (8), proposal (8 + 4 SPI) and the transform's header (4) and
  // number
  for (const std::uint8_t id : {std::uint8_t{2}, std::uint8_t{11}, std::uint8_t{200}}) {
    body[8 + 12 + 5] = id;
    EXPECT_FALSE(v1::choose(v1::decode_sa(body).value(), esp, Mode::transport)) << int{id};
  }
}

TEST(Names, EveryTransformIsReadBackFromItsName) {
  for (const auto& t : ike_defaults) EXPECT_EQ(ike::parse_ike_transform(ike::to_string(t)), t);
  for (const auto& s : esp) EXPECT_EQ(ike::parse_esp_suite(ike::to_string(s)), s);
  for (const auto* name : {"3des-md5-modp1024", "aes256-sha512-curve25519", "aes192-sha384-ecp521"})
    EXPECT_EQ(ike::to_string(ike::parse_ike_transform(name).value()), name);
}

TEST(Names, WordsThatAreNoneAreRefused) {
  for (const auto* name : {"", "aes256", "aes256-sha1", "aes256-sha1-modp2048-x", "aes512-sha1-modp2048",
                           "AES256-sha1-modp2048", "aes256--modp2048", "-", "des-sha1-modp2048"})
    EXPECT_FALSE(ike::parse_ike_transform(name)) << name;
  for (const auto* name : {"", "aes256", "aes256gcm16-sha1", "null-sha1", "aes256-", "aes256-sha1-sha1"})
    EXPECT_FALSE(ike::parse_esp_suite(name)) << name;
}

TEST(Defaults, HoldNothingWeak) {
  for (const auto& t : ike_defaults) {
    const auto name = ike::to_string(t);
    for (const auto* weak : {"3des", "md5", "modp1024", "modp1536"})
      EXPECT_EQ(name.find(weak), name.npos) << name;
  }
  for (const auto& s : esp) {
    const auto name = ike::to_string(s);
    for (const auto* weak : {"3des", "md5"}) EXPECT_EQ(name.find(weak), name.npos) << name;
  }
}

TEST(Suites, KeySizesAreThoseOfTheRfcs) {
  const auto sizes = [](std::string_view name) {
    const auto s = ike::parse_esp_suite(name).value();
    return std::pair(ike::encryption_key_size(s), ike::integrity_key_size(s));
  };
  using Sizes = std::pair<std::size_t, std::size_t>;
  EXPECT_EQ(sizes("aes128gcm16"), Sizes(20, 0)) << "RFC 4106 §8.1: 16 bytes and the salt";
  EXPECT_EQ(sizes("aes256gcm16"), Sizes(36, 0));
  EXPECT_EQ(sizes("aes192-sha384"), Sizes(24, 48)) << "RFC 4868 §2.1.1";
  EXPECT_EQ(sizes("aes256-sha512"), Sizes(32, 64));
  EXPECT_EQ(sizes("3des-md5"), Sizes(24, 16));
  EXPECT_EQ(sizes("aes128-sha1"), Sizes(16, 20));
}

TEST(Describe, ALongOfferIsCutShort) {
  Offer offer = ike_offer({});
  for (int i = 0; i < 60; ++i) offer.attributes.push_back(v1::encode_attributes(ike_defaults[0], 1h));
  for (const auto& a : offer.attributes)
    offer.sa.proposals[0].transforms.push_back({.number = 1, .id = 1, .attributes = {}, .raw_attributes = a});
  const auto body = v1::encode_sa(offer.sa);
  EXPECT_LT(v1::describe(v1::decode_sa(body).value()).size(), 400u);
}

}  // namespace
