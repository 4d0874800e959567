// Settings that change under peers that are up, and under those that are just coming.

#include "company.h"
#include "pair_scene.h"

namespace {

using namespace scene;

/// A world and what its engine was told.
struct Changing {
  WorldSettings told;
  World world;
  NatBox nat{nat_a};

  explicit Changing(WorldSettings ws) : told(std::move(ws)), world(told) {}
  void reconfigure() {
    world.engine().reconfigure(told.engine, world.now());
    world.pump();
  }
};

TEST(Reconfigure, WhoeverIsUpGoesOnByTheTermsThatWereAgreed) {
  auto ws = cheap();
  ws.engine.psks["family"] = {.device = true};
  Changing c(std::move(ws));
  auto& client = c.world.add(host(), &c.nat);
  client.connect(c.world.now());
  c.world.run(2s);
  const auto before = c.world.peer_of(client)->number;
  c.told.engine.psks.clear();
  c.told.engine.esp_suites = esp_suites({"aes256gcm16"});
  c.told.engine.esp_lifetime = 600s;
  c.reconfigure();
  c.world.run(15min);
  ASSERT_EQ(c.world.disagreement(client), "");
  EXPECT_EQ(c.world.peer_of(client)->number, before);
  EXPECT_TRUE(c.world.peer_of(client)->authentication.device) << "as it was when it came";
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Reconfigure, NewPairsFollowTheNewTerms) {
  Changing c(cheap());
  auto& client = c.world.add(host(), &c.nat);
  client.connect(c.world.now());
  c.world.run(2s);
  ASSERT_GT(c.world.peer_of(client)->children.front().lifetime, 600s);
  c.told.engine.esp_lifetime = 600s;
  c.reconfigure();
  client.quick_mode(c.world.now());
  c.world.run(2s);
  ASSERT_EQ(c.world.disagreement(client, 1), "");
  EXPECT_EQ(c.world.peer_of(client, 1)->active()->lifetime, 600s);
}

TEST(Reconfigure, FewerMayBeHalfOpenFromNowOn) {
  Changing c(cheap());
  c.told.engine.max_half_open = 0;
  c.reconfigure();
  auto& client = c.world.add(host(), &c.nat);
  client.connect(c.world.now());
  c.world.run(5s);
  EXPECT_EQ(c.world.engine().isakmp_sas(), 0u);
  EXPECT_GT(c.world.dropped(DropReason::half_open_limit), 0u);
}

TEST(Reconfigure, KeyThatIsKnownNowLetsItsClientInWithTheSameMessage5) {
  Changing c(cheap());
  auto s = host();
  s.psk = "opensesame";
  auto& client = c.world.add(s, &c.nat);
  client.connect(c.world.now());
  c.world.run(500ms);
  ASSERT_THAT(c.world.engine().peers(), IsEmpty());
  const auto begun = c.world.engine().counters().main_modes;
  c.world.kernel().settings().psks.push_back({"new", "opensesame"});
  c.reconfigure();
  c.world.run(20s);
  ASSERT_EQ(c.world.disagreement(client), "");
  EXPECT_EQ(c.world.peer_of(client)->authentication.name, "new");
  EXPECT_EQ(c.world.engine().counters().main_modes, begun + 1);
}

TEST(Reconfigure, KeysThatAreBeingTriedAreTriedAnewAmongTheNewOnes) {
  auto ws = cheap();
  ws.kernel.psks.clear();
  for (int i = 0; i < 100; ++i) ws.kernel.psks.push_back({std::to_string(i), "secret " + std::to_string(i)});
  ws.kernel.skeyid_batch = 10;
  ws.kernel.skeyid_delay = 10ms;
  Changing c(std::move(ws));
  auto s = host();
  s.psk = "secret 3";
  auto& client = c.world.add(s, &c.nat);
  // The fitting one moves to where the trial has been already.
  auto& psks = c.world.kernel().settings().psks;
  std::swap(psks.at(3), psks.at(99));
  client.connect(c.world.now());
  while (c.world.kernel().derived_skeyids() < 50) c.world.run(1ms);
  std::swap(psks.at(3), psks.at(99));
  c.reconfigure();
  c.world.run(200ms);
  EXPECT_EQ(c.world.disagreement(client), "");
}

/// While ours signs, or while a peer's is being verified.
TEST(Reconfigure, CertificatesThatChangePlacesAreNotTakenForOneAnother) {
  for (const auto moment : {5ms, 15ms}) {
    Company company({KeyKind::p256, KeyKind::rsa});
    const auto bob = company.person("bob", KeyKind::rsa);
    auto ws = cheap();
    ws.kernel.skeyid_delay = 10ms;
    company.equip(ws.engine, ws.kernel, company.own);
    Changing c(std::move(ws));
    auto s = company.client(bob);
    s.certificates->expected_certificate = company.gateways[1].der();
    auto& client = c.world.add(s, &c.nat);
    client.connect(c.world.now());
    while (c.world.kernel().verified_certificates() == 0) c.world.run(1ms);
    c.world.run(moment);
    ASSERT_THAT(c.world.engine().peers(), IsEmpty());
    auto& kernel = c.world.kernel().settings();
    std::ranges::reverse(c.told.engine.certificates);
    std::ranges::reverse(kernel.own_keys);
    std::ranges::reverse(kernel.own_methods);
    c.reconfigure();
    c.world.run(200ms);
    EXPECT_EQ(c.world.disagreement(client), "") << moment.count();
    EXPECT_THAT(c.world.complaints(), IsEmpty());
  }
}

/// The old secret stands in another place once there is a newer one.
TEST(Reconfigure, GatewayRenewsByTheSecretThatThePeerHas) {
  auto s = pair_scene::cheap_pair();
  s.connection.esp.lifetime = 600s;
  s.connection.ike.lifetime = 900s;
  pair_scene::TwoEngines p(s);
  p.gateway().kernel.settings().psks = {{"family", "a newer one"}, {"family", "swordfish"}};
  p.gateway().engine.reconfigure(s.gateway, p.now());
  p.run(1h);
  pair_scene::expect_agreement(p, 2);
  EXPECT_GT(p.gateway().engine.isakmp_sas(), 0u);
  EXPECT_EQ(p.client().kernel.events_of(EventKind::authentication_failed), 0u);
}

TEST(Reconfigure, WatchForSilencePausesAndGoesOn) {
  Changing c(cheap());
  auto& client = c.world.add(host(), &c.nat);
  client.connect(c.world.now());
  c.world.run(2s);
  const auto dpd = c.told.engine.dpd;
  const auto silence = c.told.engine.silence_timeout;
  c.told.engine.dpd = 0s;
  c.told.engine.silence_timeout = 0s;
  c.reconfigure();
  client.stop_answering_dpd();
  c.world.run(15min);
  EXPECT_EQ(c.world.disagreement(client), "") << "nobody asks it";
  c.told.engine.dpd = dpd;
  c.told.engine.silence_timeout = silence;
  c.reconfigure();
  c.world.run(15min);
  EXPECT_EQ(c.world.peer_of(client), nullptr) << "it does not answer";
}

TEST(Reconfigure, SilenceThatWasAllowedIsNotHeldAgainstAnybody) {
  auto ws = cheap();
  ws.engine.dpd = 600s;
  ws.engine.dpd_timeout = 3600s;
  Changing c(ws);
  auto& client = c.world.add(host(), &c.nat);
  client.connect(c.world.now());
  c.world.run(400s);
  c.told.engine.dpd = 30s;
  c.told.engine.dpd_timeout = 120s;
  c.reconfigure();
  c.world.run(20min);
  EXPECT_EQ(c.world.kernel().events_of(EventKind::peer_silent), 0u);
  EXPECT_EQ(c.world.disagreement(client), "") << "it answers when it is asked";
}

TEST(Reconfigure, AggressiveModeEndsByNoKeyThatHasGone) {
  auto ws = cheap();
  ws.engine.aggressive = {{"branch", "family"}, {"other", "family"}};
  ws.engine.psks["family"] = {.bind_user = true};
  Changing c(std::move(ws));
  auto s = host();
  s.aggressive = true;
  s.identity = ike::v1::encode_identification(
      {.type = ike::v1::IdType::key_id, .protocol = 0, .port = 0, .data = base::as_bytes("branch")});
  auto& client = c.world.add(s, &c.nat);
  client.connect(c.world.now());
  while (c.world.left().empty()) c.world.run(1ms);
  ASSERT_THAT(c.world.engine().peers(), IsEmpty());
  c.told.engine.aggressive = {{"other", "another"}};
  c.told.engine.psks.clear();
  c.world.kernel().settings().psks = {{"another", "marlin"}};
  c.reconfigure();
  c.world.run(1min);
  EXPECT_THAT(c.world.engine().peers(), IsEmpty());
  EXPECT_EQ(c.world.engine().half_open(), 0u);
}

TEST(Reconfigure, WithoutTheCertificateThatWasAgreedOnThereIsNoPeer) {
  Company company({KeyKind::rsa});
  const auto bob = company.person("bob", KeyKind::rsa);
  auto ws = cheap();
  ws.kernel.skeyid_delay = 10ms;
  company.equip(ws.engine, ws.kernel, company.own);
  Changing c(std::move(ws));
  auto& client = c.world.add(company.client(bob), &c.nat);
  client.connect(c.world.now());
  while (c.world.kernel().verified_certificates() == 0) c.world.run(1ms);
  c.told.engine.certificates.clear();
  c.reconfigure();
  c.world.run(2min);
  EXPECT_THAT(c.world.engine().peers(), IsEmpty());
  EXPECT_EQ(c.world.engine().half_open(), 0u);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

}  // namespace
