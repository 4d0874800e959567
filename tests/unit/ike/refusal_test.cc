// What is refused, how it is answered, and what is accepted although it looks odd.

#include "scene.h"

namespace {

using namespace scene;
namespace notify = ike::v1::notify;

TEST(Refusal, MainModeProposalWithoutACommonTransformIsAnsweredInClear) {
  World w(cheap());
  auto s = without_nat();
  s.ike = ike_transforms({"3des-sha1-modp1024", "aes128-md5-modp1024"});
  auto& client = w.add(s);
  client.connect(w.now());
  w.run(1s);
  ASSERT_THAT(client.notified(), SizeIs(1));
  EXPECT_EQ(client.notified()[0].type, notify::no_proposal_chosen);
  EXPECT_FALSE(client.notified()[0].encrypted);
  EXPECT_EQ(w.engine().isakmp_sas(), 0u);
  ASSERT_EQ(w.kernel().events_of(EventKind::proposal_refused), 1u);
  EXPECT_THAT(w.kernel().events()[0].detail, ::testing::HasSubstr("3des-sha1-modp1024, aes128-md5-modp1024"));
}

TEST(Refusal, OwnOrderOfPreferenceDecides) {
  World w(cheap());
  auto s = without_nat();
  s.ike = ike_transforms({"aes128-sha1-modp2048", "aes256-sha256-modp3072", "aes256-sha256-ecp256"});
  s.esp = esp_suites({"aes256-sha1", "aes128gcm16"});
  s.offer = harness::Offer::proposal_each;
  auto& client = w.add(s);
  client.connect(w.now());
  w.run(2s);
  EXPECT_THAT(w.complaints(), IsEmpty());
  EXPECT_EQ(w.disagreement(client), "");
  EXPECT_EQ(ike::to_string(client.children().at(0).suite), "aes128gcm16");
  const auto& peer = *w.peer_of(client);
  EXPECT_EQ(ike::to_string(w.engine().isakmp_sa(*peer.isakmp_sas.begin())->transform),
            "aes256-sha256-ecp256");
}

TEST(Refusal, QuickModeWithoutACommonSuiteIsAnsweredEncrypted) {
  World w(cheap());
  auto s = without_nat();
  s.esp = esp_suites({"3des-md5"});
  auto& client = w.add(s);
  client.connect(w.now());
  w.run(1s);
  ASSERT_THAT(client.notified(), SizeIs(1));
  EXPECT_EQ(client.notified()[0].type, notify::no_proposal_chosen);
  EXPECT_TRUE(client.notified()[0].encrypted);
  EXPECT_TRUE(w.kernel().empty());
  EXPECT_EQ(w.kernel().events_of(EventKind::quick_mode_refused), 1u);
}

TEST(Refusal, PfsGroupThatNobodyKnowsIsRefused) {
  World w(cheap());
  auto s = without_nat();
  s.pfs = crypto::Group{1};  // MODP 768
  auto& client = w.add(s);
  client.connect(w.now());
  w.run(1s);
  EXPECT_TRUE(client.was_notified(notify::no_proposal_chosen));
  EXPECT_EQ(w.kernel().computed_dh(), 1u);
}

struct Ids {
  const char* name;
  std::uint8_t their_protocol;
  std::uint16_t their_port;
  std::uint8_t our_protocol;
  std::uint16_t our_port;
  bool accepted;
};
class QuickModeIds : public ::testing::TestWithParam<Ids> {};

TEST_P(QuickModeIds, AreEchoedOrRefused) {
  const auto& p = GetParam();
  World w(cheap());
  auto s = without_nat();
  s.idci = udp_id(Address::v4(0x0a0a0a0a), p.their_protocol, p.their_port);
  s.idcr = udp_id(gateway, p.our_protocol, p.our_port);
  auto& client = w.add(s);
  client.connect(w.now());
  w.run(1s);
  EXPECT_THAT(w.complaints(), IsEmpty()) << "they come back byte for byte";
  EXPECT_EQ(client.children().size(), p.accepted ? 1u : 0u);
  EXPECT_EQ(client.was_notified(notify::invalid_id_information), !p.accepted);
  EXPECT_EQ(w.kernel().empty(), !p.accepted);
}

INSTANTIATE_TEST_SUITE_P(
    Refusal, QuickModeIds,
    ::testing::Values(Ids{"Windows", 17, 1701, 17, 1701, true}, Ids{"Android", 17, 0, 17, 1701, true},
                      Ids{"Apple", 17, 54321, 17, 1701, true}, Ids{"racoon", 17, 0, 17, 0, true},
                      Ids{"TcpOfOurs", 17, 1701, 6, 1701, false},
                      Ids{"TcpOfTheirs", 6, 1701, 17, 1701, false}, Ids{"AnyProtocol", 0, 0, 0, 0, false},
                      Ids{"OtherPort", 17, 1701, 17, 9999, false}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(Refusal, AddressesOfOtherTypesInIdsAreEchoedToo) {
  World w(cheap());
  auto s = without_nat();  // Windows XP rekeys with ID_FQDN for itself (clients.md §1)
  s.idci = ike::v1::encode_identification({.type = ike::v1::IdType::fqdn,
                                           .protocol = 17,
                                           .port = 1701,
                                           .data = base::as_bytes("laptop.example")});
  auto& client = w.add(s);
  client.connect(w.now());
  w.run(1s);
  EXPECT_THAT(w.complaints(), IsEmpty());
  EXPECT_EQ(w.disagreement(client), "");
}

std::uint32_t lifetime_in(const Bytes& data) {
  const auto duration = base::ByteView(data).last(4);
  return std::uint32_t{duration[0]} << 24 | std::uint32_t{duration[1]} << 16 |
         std::uint32_t{duration[2]} << 8 | duration[3];
}

TEST(Refusal, LongerLifetimesThanOursAreShortenedByNotification) {
  auto ws = cheap();
  ws.engine.ike_lifetime = 3600s;
  ws.engine.esp_lifetime = 1800s;
  auto s = host();
  s.ike_lifetime = 86400s;
  s.esp_lifetime = 7200s;
  Connected c(ws, s);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
  ASSERT_THAT(c.client.notified(), SizeIs(2));
  for (const auto& n : c.client.notified()) EXPECT_EQ(n.type, notify::responder_lifetime);
  EXPECT_EQ(lifetime_in(c.client.notified()[0].data), 3600u);
  EXPECT_EQ(lifetime_in(c.client.notified()[1].data), 1800u);
  EXPECT_THAT(c.client.notified()[0].spi, SizeIs(16));
  EXPECT_THAT(c.client.notified()[1].spi, SizeIs(4));
}

/// Without Life Type and Life Duration, which come last and measure four bytes each.
Bytes without_lifetime(Bytes attributes) {
  attributes.resize(attributes.size() - 8);
  return attributes;
}

/// Its offers name no lifetime at all.
InitiatorSettings without_lifetimes() {
  namespace v1 = ike::v1;
  auto s = host();
  const auto sa = [](std::uint8_t protocol, base::ByteView spi, std::uint8_t id, const Bytes& attributes) {
    const v1::Transform transform{.number = 1, .id = id, .attributes = {}, .raw_attributes = attributes};
    return v1::encode_sa(
        {.doi = 1,
         .situation = 1,
         .proposals = {{.number = 1, .protocol = protocol, .spi = spi, .transforms = {transform}}}});
  };
  s.ike_sa = sa(v1::protocol_isakmp, {}, 1,
                without_lifetime(v1::encode_attributes(s.ike.front(), 28800s, ike::AuthMethod::psk)));
  const auto suite = s.esp.front();
  s.esp_sa = [sa, suite](xfrm::Spi spi, v1::EncapsulationMode mode) {
    wire::Writer bytes;
    bytes.u32(spi.value);
    return sa(v1::protocol_ipsec_esp, bytes.view(), v1::esp_transform_id(suite),
              without_lifetime(v1::encode_attributes(suite, mode, 28800s, std::nullopt)));
  };
  return s;
}

// RFC 2407 §4.5: "If unspecified, the default value shall be assumed to be 28800 seconds".
TEST(Refusal, WhoNamesNoLifetimeMeansEightHoursAndIsToldOfLess) {
  for (const auto ours : {1800s, 28800s, 86400s}) {
    SCOPED_TRACE(ours.count());
    auto ws = cheap();
    ws.engine.ike_lifetime = ws.engine.esp_lifetime = ours;
    Connected c(ws, without_lifetimes());
    ASSERT_EQ(c.world.disagreement(c.client), "");
    const auto agreed = std::min<std::chrono::seconds>(ours, 28800s);
    const auto* peer = c.world.peer_of(c.client);
    EXPECT_EQ(c.world.engine().isakmp_sa(*peer->isakmp_sas.begin())->lifetime, agreed);
    EXPECT_EQ(peer->active()->lifetime, agreed);
    ASSERT_THAT(c.client.notified(), SizeIs(ours < 28800s ? 2 : 0));
    for (const auto& n : c.client.notified()) {
      EXPECT_EQ(n.type, notify::responder_lifetime);
      EXPECT_EQ(lifetime_in(n.data), ours.count());
    }
  }
}

Bytes name_of_size(std::size_t size, std::uint8_t protocol, std::uint16_t port) {
  const Bytes name(size, 'a');
  return ike::v1::encode_identification(
      {.type = ike::v1::IdType::fqdn, .protocol = protocol, .port = port, .data = name});
}

TEST(Refusal, IdentityLongerThanAnyDistinguishedNameIsNotKept) {
  for (const std::size_t size : {2000u, 2100u, 12000u}) {
    SCOPED_TRACE(size);
    auto s = host();
    s.identity = name_of_size(size, 0, 0);
    Connected c(cheap(), s);
    const bool taken = size == 2000;
    EXPECT_THAT(c.world.engine().peers(), SizeIs(taken ? 1 : 0));
    EXPECT_EQ(c.world.engine().counters().authentication_failures, taken ? 0u : 1u);
    EXPECT_EQ(c.world.kernel().told(EventKind::authentication_failed),
              taken ? "" : "its identity has " + std::to_string(size + 4) + " bytes, and 2048 are allowed");
    EXPECT_EQ(c.world.engine().half_open(), 0u);
  }
}

TEST(Refusal, TrafficThatIsNamedAtGreatLengthIsNotServed) {
  for (const std::size_t size : {2000u, 2100u}) {
    auto s = host();
    s.idci = name_of_size(size, 17, 1701);
    Connected c(cheap(), s);
    EXPECT_EQ(c.client.was_notified(notify::invalid_id_information), size > 2000);
    EXPECT_EQ(c.world.kernel().empty(), size > 2000);
  }
}

TEST(Refusal, ShorterLifetimesOfThePeerAreKept) {
  auto s = host();
  s.esp_lifetime = 600s;
  Connected c(cheap(), s);
  EXPECT_THAT(c.client.notified(), IsEmpty());
  const auto* in = c.world.kernel().inbound(c.client.children().at(0).out);
  EXPECT_EQ(in->lifetimes.hard.time, 720s) << "the kernel's limit is a net behind our own timer";
  c.world.run(605s);
  EXPECT_EQ(c.world.kernel().sas().size(), 0u);
  EXPECT_EQ(c.world.kernel().events_of(EventKind::sa_expired), 1u);
}

}  // namespace
