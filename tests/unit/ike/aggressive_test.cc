// Aggressive Mode with pre-shared keys that are configured for it.

#include <set>

#include "harness/client_profile.h"
#include "scene.h"

namespace {

using namespace scene;
using ike::v1::IdType;
using ::testing::HasSubstr;
namespace v1 = ike::v1;

Bytes id_of(IdType type, std::string_view text) {
  return ike::v1::encode_identification(
      {.type = type, .protocol = 0, .port = 0, .data = base::as_bytes(text)});
}

WorldSettings branches() {
  auto ws = cheap();
  ws.engine.aggressive = {{"branch-7", "seven"}, {"b8@example.com", "eight"}, {"192.168.1.9", "nine"}};
  ws.kernel.psks = {
      {"family", "swordfish"}, {"seven", "secret of seven"}, {"eight", "of eight"}, {"nine", "of nine"}};
  return ws;
}

InitiatorSettings branch(std::uint8_t last = 2) {
  auto s = host(last);
  s.aggressive = true;
  s.psk = "secret of seven";
  s.identity = id_of(IdType::key_id, "branch-7");
  return s;
}

TEST(Aggressive, ConnectsThroughANatAndRekeys) {
  Connected c(branches(), branch());
  EXPECT_THAT(c.world.complaints(), IsEmpty());
  ASSERT_EQ(c.world.disagreement(c.client), "");
  EXPECT_TRUE(c.client.floated());
  const auto* peer = c.world.peer_of(c.client);
  EXPECT_EQ(peer->authentication.name, "seven");
  EXPECT_EQ(peer->identity, "branch-7");
  EXPECT_TRUE(peer->peer_behind_nat);
  EXPECT_EQ(c.world.kernel().derived_skeyids(), 1u) << "no other key is tried";
  c.client.rekey_ike(c.world.now());
  c.world.run(1s);
  c.client.quick_mode(c.world.now());
  c.world.run(1s);
  EXPECT_EQ(c.world.disagreement(c.client, 1), "");
  EXPECT_THAT(c.world.engine().peers(), SizeIs(1));
}

TEST(Aggressive, Message2NamesFragmentsAsThatOfMainModeDoes) {
  const auto named = [](ike::VendorIds policy, std::vector<Bytes> offered) {
    auto ws = branches();
    ws.engine.vendor_ids = policy;
    World w(ws);
    auto s = branch();
    s.vendor_ids = std::move(offered);
    w.add(s).connect(w.now());
    w.run(50ms);
    const auto& message_2 = w.left().front().bytes;
    const auto chain = ike::v1::decode_chain(ike::v1::decode_header(message_2)->next,
                                             base::ByteView(message_2).subspan(ike::v1::header_size));
    return ike::v1::understands_fragments(*chain);
  };
  const auto rfc3947 = base::to_bytes(ike::v1::vendor_rfc3947);
  const auto fragmentation = base::to_bytes(ike::v1::vendor_fragmentation);
  EXPECT_TRUE(named(ike::VendorIds::all, {rfc3947}));
  EXPECT_TRUE(named(ike::VendorIds::minimal, {rfc3947, fragmentation}));
  EXPECT_FALSE(named(ike::VendorIds::minimal, {rfc3947}));
}

TEST(Aggressive, WithRealGroupsAndWithoutANat) {
  for (const auto* group : {"modp2048", "ecp256", "curve25519"}) {
    auto ws = branches();
    ws.kernel.dh = harness::Dh::real;
    auto s = branch();
    s.local.address = public_host;
    s.dh = harness::Dh::real;
    s.ike = ike_transforms({std::string("aes256-sha256-") + group});
    World w(ws);
    auto& client = w.add(s);
    client.connect(w.now());
    w.run(2s);
    EXPECT_EQ(w.disagreement(client), "") << group;
    EXPECT_FALSE(client.floated());
    EXPECT_THAT(w.complaints(), IsEmpty());
  }
}

TEST(Aggressive, NatBeforeTheClientIsNotTakenForOneBeforeUs) {
  // Its NAT-D payloads come on 4500 and are of the ports of message 1.
  Connected c(branches(), branch());
  const auto* peer = c.world.peer_of(c.client);
  ASSERT_NE(peer, nullptr);
  EXPECT_FALSE(c.world.engine().isakmp_sa(*peer->isakmp_sas.begin())->nat.we_behind_nat);
}

TEST(Aggressive, EchoMakesAPublicClientUseUdpToo) {
  auto ws = branches();
  ws.engine.nat_detection = ike::v1::NatDetection::echo;
  auto s = branch();
  s.local.address = public_host;
  World w(ws);
  auto& client = w.add(s);
  client.connect(w.now());
  w.run(2s);
  ASSERT_EQ(w.disagreement(client), "");
  EXPECT_TRUE(client.nat_finding().we_behind_nat) << "it is told so";
  EXPECT_FALSE(client.nat_finding().peer_behind_nat) << "the truth about the gateway";
  EXPECT_TRUE(client.floated());
  EXPECT_TRUE(w.kernel().inbound(client.children()[0].out)->encap);
  EXPECT_FALSE(w.peer_of(client)->peer_behind_nat) << "we know better, and do not follow it anywhere";
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST(Aggressive, ShorterLifetimeIsSaidInAnInformationalAfterMessage3) {
  for (const auto ours : {900s, 28800s}) {
    auto ws = branches();
    ws.engine.ike_lifetime = ours;
    Connected c(ws, branch());
    ASSERT_EQ(c.world.disagreement(c.client), "");
    EXPECT_EQ(c.world.engine().isakmp_sa(*c.world.peer_of(c.client)->isakmp_sas.begin())->lifetime, ours);
    if (ours == c.client.settings().ike_lifetime) {
      EXPECT_THAT(c.client.notified(), IsEmpty());
      continue;
    }
    ASSERT_THAT(c.client.notified(), SizeIs(1));
    const auto& said = c.client.notified()[0];
    EXPECT_TRUE(said.encrypted);
    EXPECT_EQ(said.type, v1::notify::responder_lifetime);
    const auto [initiator, responder] = c.client.cookies();
    Bytes spi(initiator.begin(), initiator.end());
    base::append(spi, responder);
    EXPECT_EQ(said.spi, spi);
    EXPECT_EQ(v1::decode_lifetime(v1::ike_attribute::life_type, v1::ike_attribute::life_duration, said.data),
              ours);
  }
}

TEST(Aggressive, EveryKindOfIdentityFindsItsKey) {
  World w(branches());
  NatBox nat(nat_a);
  auto mail = branch(2);
  mail.identity = id_of(IdType::user_fqdn, "b8@example.com");
  mail.psk = "of eight";
  auto name = branch(3);
  name.identity = id_of(IdType::fqdn, "branch-7");
  auto address = branch(9);
  address.identity = {};  // its own address
  address.psk = "of nine";
  for (const auto& s : {mail, name, address}) {
    auto& client = w.add(s, &nat);
    client.connect(w.now());
    w.run(1s);
    EXPECT_EQ(w.disagreement(client), "");
  }
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST(Aggressive, Message3InClearAsRacoonSendsIt) {
  auto s = branch();
  s.aggressive_3_in_clear = true;
  Connected c(branches(), s);
  EXPECT_EQ(c.world.disagreement(c.client), "");
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Aggressive, UnknownIdentityGetsNoAnswerAndCostsNothing) {
  World w(branches());
  NatBox nat(nat_a);
  auto s = branch();
  s.identity = id_of(IdType::key_id, "branch-9");
  w.add(s, &nat).connect(w.now());
  w.run(3s);
  EXPECT_GT(w.dropped(DropReason::unknown_identity), 0u);
  EXPECT_THAT(w.left(), IsEmpty());
  EXPECT_EQ(w.kernel().computed_dh(), 0u);
  EXPECT_EQ(w.engine().half_open(), 0u);
}

TEST(Aggressive, IsNotThereUnlessConfigured) {
  auto ws = branches();
  ws.engine.aggressive.clear();
  World w(ws);
  NatBox nat(nat_a);
  w.add(branch(), &nat).connect(w.now());
  w.run(3s);
  EXPECT_GT(w.dropped(DropReason::unsupported_exchange), 0u);
  EXPECT_THAT(w.left(), IsEmpty());
}

TEST(Aggressive, WeakGroupIsRefusedEvenWhereMainModeTakesIt) {
  for (const auto* group : {"aes256-sha256-modp1024", "aes256-sha256-modp1536"}) {
    auto ws = branches();
    ws.engine.ike_transforms = ike_transforms({group, "aes256-sha256-modp2048"});
    World w(ws);
    NatBox nat(nat_a);
    auto s = branch();
    s.ike = ike_transforms({group});
    auto& client = w.add(s, &nat);
    client.connect(w.now());
    w.run(1s);
    EXPECT_FALSE(client.ike_up());
    EXPECT_EQ(w.kernel().computed_dh(), 0u);
    EXPECT_EQ(w.kernel().events_of(EventKind::proposal_refused), 1u);
    EXPECT_EQ(w.kernel().told(EventKind::proposal_refused), "IKE: it offers " + std::string(group) +
                                                                ", and Aggressive Mode does not take " +
                                                                group + ", which Main Mode would");
    EXPECT_TRUE(client.was_notified(ike::v1::notify::no_proposal_chosen));
  }
}

TEST(Aggressive, IsNotBlamedWhereMainModeWouldRefuseToo) {
  World w(branches());
  NatBox nat(nat_a);
  auto s = branch();
  s.ike = ike_transforms({"aes256-sha256-modp1024"});
  w.add(s, &nat).connect(w.now());
  w.run(1s);
  EXPECT_EQ(w.kernel().told(EventKind::proposal_refused),
            "IKE: it offers aes256-sha256-modp1024, and none of it is configured");
}

TEST(Aggressive, WrongKeyIsReportedOnceAndLeavesNothing) {
  World w(branches());
  NatBox nat(nat_a);
  auto s = branch();
  s.psk = "guessed";
  s.trusts_anybody = true;
  auto& client = w.add(s, &nat);
  client.connect(w.now());
  w.run(10s);
  EXPECT_THAT(w.engine().peers(), IsEmpty());
  ASSERT_EQ(w.kernel().events_of(EventKind::authentication_failed), 1u);
  EXPECT_THAT(w.kernel().told(EventKind::authentication_failed), HasSubstr("is not that of its identity"));
  w.run(60s);
  EXPECT_EQ(w.engine().isakmp_sas(), 0u);
}

TEST(Aggressive, DuplicateOfMessage1IsAnsweredWithTheSameBytes) {
  World w(branches());
  NatBox nat(nat_a);
  auto& client = w.add(branch(), &nat);
  client.connect(w.now());
  w.run(15ms);
  ASSERT_THAT(w.arrived(), SizeIs(1));
  const auto message_1 = w.arrived()[0];
  ASSERT_THAT(w.left(), SizeIs(1));
  w.inject(message_1.from, message_1.to, message_1.bytes);
  ASSERT_THAT(w.left(), SizeIs(2));
  EXPECT_EQ(w.left()[0].bytes, w.left()[1].bytes);
  EXPECT_EQ(w.kernel().computed_dh(), 1u);
  EXPECT_LE(w.left()[0].bytes.size(), 3 * message_1.bytes.size());
  w.run(2s);
  EXPECT_EQ(w.disagreement(client), "");
}

TEST(Aggressive, LostMessage3IsSentAgainWhenQuickModeComesWithoutIt) {
  World w(branches());
  NatBox nat(nat_a);
  auto& client = w.add(branch(), &nat);
  client.connect(w.now());
  w.run(15ms);  // message 2 is on its way
  w.network().conditions.loss = 1;
  w.run(10ms);  // message 3 and the first Quick Mode are lost
  w.network().conditions.loss = 0;
  w.run(6s);
  EXPECT_EQ(w.disagreement(client), "");
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST(Aggressive, TheOldestOfTooManyMayBeTheLastToFinish) {
  auto ws = branches();
  ws.engine.ike_lifetime = 900s;  // which a message after the third says
  Connected c(ws, branch());
  c.client.rekey_ike(c.world.now());
  c.world.run(15ms);
  c.world.network().conditions.loss = 1;
  c.world.run(5ms);  // its message 3 is lost
  c.client.quick_mode(c.world.now());
  c.world.run(5ms);
  c.world.network().conditions.loss = 0;
  const auto slow = c.client.cookies();
  for (int i = 0; i < 4; ++i) {
    c.client.rekey_ike(c.world.now());
    c.world.run(100ms);
  }
  c.world.run(10s);  // the Quick Mode is sent again, and message 3 with it
  EXPECT_LE(c.world.engine().isakmp_sas(), 4u);
  const auto& sas = c.world.peer_of(c.client)->isakmp_sas;
  EXPECT_TRUE(std::any_of(sas.begin(), sas.end(), [&](ike::SaNumber number) {
    const auto* sa = c.world.engine().isakmp_sa(number);
    return sa != nullptr && std::pair(sa->initiator, sa->responder) == slow;
  })) << "the one that has just been proven stays";
}

/// A gateway that knows the group of the scripted clients (with_a_group and so on).
WorldSettings with_their_group() {
  auto ws = cheap();
  ws.engine.aggressive = {{"branch", "family"}};
  return ws;
}

TEST(Aggressive, AppleAndChromeOsComeUpWithTheirGroups) {
  struct Row {
    harness::ClientProfile (*profile)(std::uint64_t seed);
    const char* ike;
  };
  for (const auto& [profile, ike] : {Row{harness::apple_with_a_group, "aes256-sha256-modp2048"},
                                     Row{harness::chromeos_with_a_tunnel_group, "aes128-sha256-modp3072"}}) {
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      const auto p = profile(seed);
      SCOPED_TRACE(p.name + " " + std::to_string(seed));
      for (const bool behind_a_nat : {true, false}) {
        World w(with_their_group());
        NatBox nat(nat_a);
        auto base = behind_a_nat ? host() : without_nat();
        base.seed = seed + 1;
        auto& client = w.add(harness::speaking_like(p, base), behind_a_nat ? &nat : nullptr);
        client.connect(w.now());
        w.run(3s);
        EXPECT_THAT(w.complaints(), IsEmpty());
        ASSERT_EQ(w.disagreement(client), "");
        const auto* peer = w.peer_of(client);
        EXPECT_EQ(peer->client, p.client);
        EXPECT_EQ(peer->identity, "branch");
        EXPECT_EQ(peer->peer_behind_nat, behind_a_nat);
        EXPECT_EQ(to_string(w.engine().isakmp_sa(*peer->isakmp_sas.begin())->transform), ike);
      }
    }
  }
}

/// What Main Mode takes, and nothing of DH 14 or DH 15 that they offer.
WorldSettings with_weak_groups() {
  auto ws = with_their_group();
  ws.engine.ike_transforms =
      ike_transforms({"aes256-sha256-modp1024", "aes256-sha1-modp1024", "aes256-sha1-ecp256"});
  return ws;
}

TEST(Aggressive, ApplesSecondTryWithAWeakGroupIsRefusedToo) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    const auto profile = harness::apple_with_a_group(seed);
    World w(with_weak_groups());
    NatBox nat(nat_a);
    auto& client = w.add(harness::speaking_like(profile, host()), &nat);
    client.connect(w.now());
    w.run(500ms);
    std::vector<std::string> refused;
    for (const auto& e : w.kernel().events()) {
      if (e.kind == EventKind::proposal_refused) refused.push_back(e.detail);
    }
    EXPECT_THAT(refused, ::testing::ElementsAre(HasSubstr("aes256-sha256-modp2048"),
                                                HasSubstr("aes256-sha256-modp1024")));
    EXPECT_EQ(w.kernel().computed_dh(), 0u);
    w.run(200s);
    std::set<v1::Cookie> tries;
    for (const auto& d : w.arrived()) tries.insert(v1::decode_header(d.bytes)->initiator);
    EXPECT_THAT(tries, SizeIs(2)) << "and there is no third one";
    EXPECT_FALSE(client.ike_up());
    EXPECT_TRUE(w.nothing_left());
  }
}

TEST(Aggressive, AndroidWithAnIdentifierIsRefusedForItsWeakGroup) {
  World w(with_weak_groups());
  NatBox nat(nat_a);
  auto& named = w.add(harness::speaking_like(harness::android_with_an_identifier(1), host(2)), &nat);
  named.connect(w.now());
  w.run(2s);
  EXPECT_FALSE(named.ike_up());
  EXPECT_TRUE(named.was_notified(v1::notify::no_proposal_chosen));
  EXPECT_EQ(w.kernel().computed_dh(), 0u);
  auto& plain = w.add(harness::speaking_like(harness::android_7(1), host(3)), &nat);
  plain.connect(w.now());
  w.run(3s);
  EXPECT_EQ(w.disagreement(plain), "") << "in Main Mode the same group is taken";
}

/// So many messages 1 of its, from as many prefixes.
void flood(World& w, const InitiatorSettings& settings, std::uint32_t count = 1000) {
  Initiator sample(settings);
  sample.main_mode(w.now());
  auto message = sample.next_send()->bytes;
  for (std::uint32_t i = 0; i < count; ++i) {
    message[0] = static_cast<std::uint8_t>(i >> 8 | 0x80);
    message[1] = static_cast<std::uint8_t>(i);
    w.inject({Address::v4(0x0a000000 + i * 256), 500}, {gateway, 500}, message);
  }
}

TEST(Aggressive, FloodForAKnownIdentityIsLimited) {
  World w(branches());
  flood(w, branch());
  EXPECT_LE(w.kernel().computed_dh(), 101u);
  EXPECT_GT(w.dropped(DropReason::half_open_limit), 800u);
  w.run(40s);
  EXPECT_TRUE(w.nothing_left());
}

TEST(Aggressive, FloodLeavesThoseWhoseNeighboursAreConnectedTheirRoom) {
  World w(branches());
  NatBox nat(nat_a);
  auto& first = w.add(branch(2), &nat);
  first.connect(w.now());
  w.run(2s);
  flood(w, branch());
  auto& second = w.add(branch(3), &nat);
  second.connect(w.now());
  w.run(1s);
  EXPECT_EQ(w.disagreement(second), "");
}

TEST(Aggressive, FloodBeyondItsRateTakesNothingFromStrangersInMainMode) {
  auto ws = branches();
  ws.engine.max_half_open = 150;
  World w(ws);
  NatBox nat(nat_a);
  flood(w, host(), 75);  // half of the table: rates count from here on
  flood(w, branch());
  auto& client = w.add(host(3), &nat);
  client.connect(w.now());
  w.run(1s);
  EXPECT_EQ(w.disagreement(client), "");
}

TEST(Aggressive, FloodOfUnknownIdentitiesIsToldOfATimeOrTwo) {
  World w(branches());
  auto unknown = branch();
  unknown.identity = udp_id(Address::v4(0x0a0a0a0a), 0, 0);
  flood(w, unknown);
  EXPECT_EQ(w.dropped(DropReason::unknown_identity), 1000u);
  EXPECT_EQ(w.kernel().events_of(EventKind::authentication_failed), 50u);
}

TEST(Aggressive, WhoWasPutOffIsServedWhenItRepeatsMessage1) {
  World w(branches());
  NatBox nat(nat_a);
  w.kernel().put_off_dh(1);
  auto& client = w.add(branch(2), &nat);
  client.connect(w.now());
  w.run(20s);
  EXPECT_EQ(w.disagreement(client), "");
}

TEST(Aggressive, InitialContactEndsTheDevicesOldSelfAtOnce) {
  auto ws = branches();
  ws.engine.psks["seven"] = {.device = true};
  World w(ws);
  NatBox nat(nat_a), other(nat_b);
  auto& before = w.add(branch(2), &nat);
  before.connect(w.now());
  w.run(2s);
  ASSERT_THAT(w.engine().peers(), SizeIs(1));
  auto s = branch(4);
  s.contact = harness::Contact::in_message_5;
  auto& after = w.add(s, &other);
  after.main_mode(w.now());  // and no Quick Mode
  w.run(2s);
  ASSERT_TRUE(after.ike_up());
  EXPECT_THAT(w.engine().peers(), SizeIs(1));
  EXPECT_EQ(w.engine().peers().begin()->second.remote.address, nat_b);
}

TEST(Aggressive, LossAndReorderingDoNotHurt) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    auto ws = branches();
    ws.seed = ws.kernel.seed = seed;
    World w(ws);
    w.network().conditions = {.loss = 0.2, .duplicate = 0.3, .delay = 10ms, .jitter = 500ms};
    NatBox nat(nat_a);
    auto& client = w.add(branch(), &nat);
    client.connect(w.now());
    w.run(20s);
    w.network().conditions = {};
    w.run(15s);
    EXPECT_EQ(w.disagreement(client), "") << seed;
  }
}

}  // namespace
