// New keys that we ask for, since the client has not: by time, by the kernel's soft limit, and both ends at
// once. ESP flows all the while, and none of it may find an SA missing.

#include "pair_scene.h"
#include "scene.h"

namespace {

using namespace pair_scene;
using scene::Connected;

/// The client leaves it to the gateway.
PairSettings client_that_never_rekeys() {
  auto s = cheap_pair();
  s.connection.esp.lifetime = 600s;
  s.connection.ike.lifetime = 900s;
  return s;
}

TEST(RekeyByUs, BothPhasesAreRenewedAllDayWithoutALostPacket) {
  auto s = client_that_never_rekeys();
  s.esp_interval = 500ms;
  TwoEngines p(s);
  for (int hour = 0; hour < 4; ++hour) {
    p.run(1h);
    expect_agreement(p, 2);
  }
  EXPECT_THAT(p.lost(), IsEmpty());
  EXPECT_GT(p.rekeyed(p.gateway()), 20u);
  EXPECT_GT(p.gateway().received, 25000u);
}

TEST(RekeyByUs, SoftLimitOfTheKernelStartsAQuickMode) {
  TwoEngines p;
  const auto old = *Pair::peer_of(p.gateway())->active();
  p.gateway().engine.nearly_expired(Pair::peer_of(p.gateway())->inbound_id(old.in), p.now());
  p.run(30s);
  EXPECT_EQ(p.rekeyed(p.gateway()), 1u);
  EXPECT_NE(Pair::peer_of(p.gateway())->active()->in, old.in);
  p.run(30s);
  expect_agreement(p);
  EXPECT_THAT(p.lost(), IsEmpty());
}

TEST(RekeyByUs, SoftLimitOfTheOutboundSaDoesTheSameAndRepeatsNothing) {
  TwoEngines p;
  const auto* peer = Pair::peer_of(p.gateway());
  const auto id = peer->outbound_id(*peer->active());
  for (int i = 0; i < 5; ++i) p.gateway().engine.nearly_expired(id, p.now());
  p.run(60s);
  EXPECT_EQ(p.rekeyed(p.gateway()), 1u);
  expect_agreement(p);
  EXPECT_THAT(p.lost(), IsEmpty());
}

TEST(RekeyByUs, OldPairIsDeletedByWhoeverReplacedIt) {
  TwoEngines p;
  const auto* peer = Pair::peer_of(p.gateway());
  p.gateway().engine.nearly_expired(peer->inbound_id(peer->active()->in), p.now());
  p.run(5s);
  EXPECT_EQ(p.gateway().kernel.inbound_sas(), 2u);
  p.run(30s);
  expect_agreement(p);
  EXPECT_EQ(p.gateway().kernel.events_of(EventKind::peer_lost), 0u);
}

TEST(RekeyByUs, OutboundMovesOnlyWhenThePeerHasShownThatItHasTheNewPair) {
  TwoEngines p;
  p.network().conditions.delay = 300ms;
  const auto* peer = Pair::peer_of(p.gateway());
  const auto old = peer->active()->out;
  p.gateway().engine.nearly_expired(peer->inbound_id(peer->active()->in), p.now());
  while (Pair::count(p.gateway(), ChildState::confirming) == 0) p.run(10ms);
  EXPECT_EQ(p.gateway().kernel.newest_outbound()->spi, old) << "message 3 is on its way";
  p.run(3s);
  EXPECT_NE(p.gateway().kernel.newest_outbound()->spi, old);
  EXPECT_THAT(p.lost(), IsEmpty());
}

TEST(RekeyByUs, LostMessage3IsRepeatedBeforeAnythingIsSentOnTheNewPair) {
  TwoEngines p;
  const auto* peer = Pair::peer_of(p.gateway());
  p.gateway().engine.nearly_expired(peer->inbound_id(peer->active()->in), p.now());
  while (Pair::count(p.gateway(), ChildState::confirming) == 0) p.run(1ms);
  p.network().conditions.loss = 1;
  p.pump();
  while (p.network().pop_arrival(p.now() + 1h)) {
  }
  p.run(1s);
  p.network().conditions.loss = 0;
  p.run(60s);
  expect_agreement(p);
  EXPECT_EQ(p.rekeyed(p.gateway()), 1u);
  EXPECT_THAT(p.lost(), IsEmpty());
}

TEST(RekeyByUs, SilentPeerIsMovedToTheNewPairInTheEnd) {
  TwoEngines p;
  p.talk(false, true);
  const auto* peer = Pair::peer_of(p.gateway());
  p.gateway().engine.nearly_expired(peer->inbound_id(peer->active()->in), p.now());
  p.run(60s);
  EXPECT_EQ(p.rekeyed(p.gateway()), 1u);
  expect_agreement(p);
  EXPECT_THAT(p.lost(), IsEmpty());
}

/// Its ISAKMP SA ends after a minute and no IKE gets through for a while: ESP is all that is left.
struct EspAlone : TwoEngines {
  static PairSettings settings(std::chrono::seconds esp_lifetime) {
    auto s = cheap_pair();
    s.connection.ike.lifetime = 60s;
    s.connection.esp.lifetime = esp_lifetime;
    return s;
  }
  explicit EspAlone(std::chrono::seconds esp_lifetime) : TwoEngines(settings(esp_lifetime)) {
    network().conditions.loss = 1;
    run(150s);
  }
};

TEST(RekeyByUs, GoneIsakmpSaIsMadeAnewWhereThePeerIs) {
  EspAlone p(3600s);
  ASSERT_EQ(p.gateway().engine.isakmp_sas(), 0u);
  ASSERT_EQ(p.client().engine.isakmp_sas(), 0u);
  p.network().conditions.loss = 0;
  const auto* peer = Pair::peer_of(p.gateway());
  const auto number = peer->number;
  const auto endpoint = peer->remote;
  p.gateway().engine.nearly_expired(peer->inbound_id(peer->active()->in), p.now());
  p.run(45s);
  EXPECT_EQ(p.gateway().engine.isakmp_sas(), 1u);
  EXPECT_EQ(p.rekeyed(p.gateway()), 2u) << "both phases";
  EXPECT_EQ(Pair::peer_of(p.gateway())->number, number);
  EXPECT_EQ(Pair::peer_of(p.gateway())->remote, endpoint);
  expect_agreement(p);
  EXPECT_THAT(p.lost(), IsEmpty());
}

TEST(RekeyByUs, MainModeOfOursFollowsThePeerThatMovesMeanwhile) {
  EspAlone p(3600s);
  const auto* peer = Pair::peer_of(p.gateway());
  const auto inbound = peer->inbound_id(peer->active()->in);
  p.gateway().engine.nearly_expired(inbound, p.now());
  p.run(1s);
  p.nat().rebind();
  const auto place = p.nat().outward({p.client().address, 4500});
  p.gateway().engine.mapped(
      {.sa = inbound, .reqid = peer->reqid(), .old_source = peer->remote, .new_source = place}, p.now());
  p.network().conditions.loss = 0;
  p.run(10s);
  EXPECT_EQ(peer->remote, place);
  EXPECT_EQ(p.gateway().engine.isakmp_sas(), 1u);
  EXPECT_EQ(p.rekeyed(p.gateway()), 2u) << "both phases";
  EXPECT_THAT(p.lost(), IsEmpty());
}

TEST(RekeyByUs, SecretThatIsAnOldOneByNowIsUsedAndNamed) {
  EspAlone p(3600s);
  p.gateway().kernel.settings().psks = {{"family", "the new one"}, {"family", "swordfish"}};
  p.network().conditions.loss = 0;
  const auto* peer = Pair::peer_of(p.gateway());
  p.gateway().engine.nearly_expired(peer->inbound_id(peer->active()->in), p.now());
  p.run(45s);
  expect_agreement(p);
  EXPECT_EQ(p.gateway().kernel.told(EventKind::old_secret), "PSK family (secret 2)");
  EXPECT_EQ(Pair::peer_of(p.gateway())->authentication.secret, 1u);
}

TEST(RekeyByUs, PeerThatCannotBeReachedKeepsItsEspToItsEnd) {
  EspAlone p(600s);
  p.run(430s);  // 583 s
  EXPECT_THAT(p.lost(), IsEmpty());
  EXPECT_EQ(Pair::count(p.gateway(), ChildState::active), 1u);
  EXPECT_GE(p.gateway().kernel.events_of(EventKind::rekey_failed), 1u);
  p.talk(false, false);
  p.run(60s);
  EXPECT_TRUE(p.gateway().kernel.empty());
  EXPECT_FALSE(p.gateway().engine.next_timeout());
  EXPECT_THAT(p.complaints(), IsEmpty());
}

TEST(RekeyByUs, SomebodyElseWhereThePeerWasGetsNothingOfIt) {
  EspAlone p(3600s);
  const auto* peer = Pair::peer_of(p.gateway());
  const auto in = peer->active()->in;
  p.gateway().engine.nearly_expired(peer->inbound_id(in), p.now());
  p.run(1s);
  p.client().kernel.settings().psks = {{"family", "marlin"}};
  p.network().conditions.loss = 0;
  p.run(60s);
  EXPECT_EQ(p.gateway().engine.counters().main_modes, 1u) << "the first";
  EXPECT_EQ(Pair::peer_of(p.gateway())->active()->in, in);
  EXPECT_THAT(p.lost(), IsEmpty());
}

void nearly_expired(Pair& p, Pair::Side& side) {
  const auto* peer = Pair::peer_of(side);
  side.engine.nearly_expired(peer->inbound_id(peer->active()->in), p.now());
}

TEST(RekeyByUs, BothEndsAtOnceLoseNothingAndOnePairRemains) {
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    SCOPED_TRACE(seed);
    auto s = cheap_pair();
    s.seed = seed;
    s.esp_interval = 10ms;
    s.client_kernel.install_delay = std::chrono::milliseconds(seed % 7 * 10);
    s.gateway_kernel.install_delay = std::chrono::milliseconds(seed % 5 * 10);
    TwoEngines p(s);
    p.network().conditions.jitter = std::chrono::milliseconds(seed % 4 * 20);
    nearly_expired(p, p.client());
    p.run(std::chrono::milliseconds(seed % 6 * 7));
    nearly_expired(p, p.gateway());
    p.run(20s);
    ASSERT_THAT(p.lost(), IsEmpty());
    p.run(50s);
    expect_agreement(p, 2);
    ASSERT_THAT(p.lost(), IsEmpty());
    EXPECT_EQ(p.client().kernel.events_of(EventKind::peer_lost), 0u);
    if (HasFailure()) break;
  }
}

// Each kernel sends on the pair that it got last: here the client on the one that we began, redundant or not.
TEST(RekeyByUs, BothEndsAtOnceLoseNothingWhereTheDeletesAreLost) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    auto s = cheap_pair();
    s.seed = seed;
    s.esp_interval = 200ms;
    TwoEngines p(s);
    p.network().fates[p.network().sent()] = harness::Fate::lost;
    nearly_expired(p, p.gateway());
    nearly_expired(p, p.client());
    p.run(10s);
    ASSERT_EQ(p.client().kernel.inbound_sas(), 3u);
    p.network().conditions.loss = 1;
    p.run(120s);
    ASSERT_THAT(p.lost(), IsEmpty());
    p.network().conditions.loss = 0;
    p.run(2h);
    ASSERT_THAT(p.lost(), IsEmpty());
    expect_agreement(p, 2);
  }
}

TEST(RekeyByUs, BothEndsOfOneHabitInBadWeatherLoseNothing) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    auto s = cheap_pair();
    s.seed = seed;
    s.esp_interval = 200ms;
    s.connection.esp.lifetime = 300s;
    s.connection.ike.lifetime = 500s;
    TwoEngines p(s);
    p.network().conditions = {.loss = 0.05, .duplicate = 0.2, .jitter = 300ms};
    p.run(1h);
    EXPECT_THAT(p.lost(), IsEmpty());
    expect_agreement(p, 3);
    if (HasFailure()) break;
  }
}

TEST(RekeyByUs, ClientThatAnswersNoQuickModeOfOursIsLeftInPeace) {
  Connected c;
  c.world.run(3590s);
  EXPECT_EQ(c.world.disagreement(c.client), "");
  EXPECT_GE(c.world.kernel().events_of(EventKind::rekey_failed), 1u);
  EXPECT_EQ(c.world.engine().peers().size(), 1u);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(RekeyByUs, ClientThatRenewsInTimeHearsNothingFromUs) {
  Connected c;
  for (int i = 0; i < 5; ++i) {
    c.world.run(3240s);  // Apple: nine tenths of an hour
    c.client.quick_mode(c.world.now());
    c.world.run(2s);
  }
  EXPECT_EQ(c.world.kernel().events_of(EventKind::rekey_failed), 0u);
  EXPECT_EQ(c.world.engine().counters().quick_modes, 6u);
}

}  // namespace
