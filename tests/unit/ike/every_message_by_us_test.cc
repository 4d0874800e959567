// What we begin ourselves, each of its messages and each pair of them lost, doubled or overtaken once: both
// ends agree on what they have, no packet finds an SA missing, and nothing stays half-made.

#include "fates.h"
#include "pair_scene.h"
#include "ways.h"

namespace {

using namespace pair_scene;
using scene::Way;
using Happening = std::map<std::size_t, harness::Fate>;

/// Nobody speaks but for a reason: neither dead peer detection nor keepalives of a NAT.
PairSettings quiet(Way way = Way::psk) {
  auto s = cheap_pair();
  s.nat = false;
  s.esp_interval = 500ms;
  for (auto* engine : {&s.client, &s.gateway}) engine->dpd = engine->silence_timeout = 0s;
  if (way != Way::certificate) return s;
  const auto gateway = scene::world_of(way);
  s.gateway.certificates = s.client.certificates = gateway.engine.certificates;
  s.client.certificates.front().id_body = scene::named(ike::v1::IdType::fqdn, "client");
  for (auto* kernel : {&s.client_kernel, &s.gateway_kernel})
    kernel->pretended_certificates = gateway.kernel.pretended_certificates;
  s.connection.ike.authentication = s.gateway.certificates.front().method;
  return s;
}

PairSettings with_pfs() {
  auto s = quiet();
  s.connection.esp.pfs = crypto::Group::modp2048;
  return s;
}

/// The ISAKMP SAs of a side, all of which are up and have nothing under way.
std::set<std::pair<ike::Cookie, ike::Cookie>> isakmp_sas_of(const Pair::Side& side, const ike::Peer& peer) {
  std::set<std::pair<ike::Cookie, ike::Cookie>> out;
  for (const auto number : peer.isakmp_sas) {
    const auto* sa = side.engine.isakmp_sa(number);
    EXPECT_TRUE(sa->state.is<ike::Up>());
    EXPECT_THAT(sa->quick_modes, IsEmpty());
    out.emplace(sa->initiator, sa->responder);
  }
  EXPECT_EQ(side.engine.isakmp_sas(), out.size()) << "and there are no others";
  EXPECT_EQ(side.engine.half_open(), 0u);
  EXPECT_EQ(peer.reaching.value, 0u);
  for (const auto& child : peer.children)
    EXPECT_TRUE(child.state == ChildState::active || child.state == ChildState::superseded);
  EXPECT_THAT(side.kernel.imbalances(), IsEmpty());
  return out;
}

void expect_that_both_have_the_same(Pair& p) {
  expect_agreement(p, 2);
  const auto *client = Pair::peer_of(p.client()), *gateway = Pair::peer_of(p.gateway());
  ASSERT_NE(client, nullptr);
  ASSERT_NE(gateway, nullptr);
  EXPECT_EQ(isakmp_sas_of(p.client(), *client), isakmp_sas_of(p.gateway(), *gateway));
  ASSERT_NE(client->active(), nullptr);
  ASSERT_NE(gateway->active(), nullptr);
  EXPECT_EQ(client->active()->in, gateway->active()->out);
  EXPECT_EQ(client->active()->out, gateway->active()->in);
  EXPECT_THAT(p.lost(), IsEmpty());
}

/// A part of a connection's life in which new keys are made.
struct Part {
  const char* name;
  std::size_t messages;  ///< in calm weather
  PairSettings (*settings)();
  void (*begin)(Pair&);
  base::Duration lasts;
};

/// The gateway's own wish for another pair.
void renew_the_pair(Pair& p) {
  const auto* peer = Pair::peer_of(p.gateway());
  p.gateway().engine.nearly_expired(peer->inbound_id(peer->active()->in), p.now());
}

/// Whichever end's time comes first: the other one sees that it is done.
PairSettings short_isakmp_sa(Way way) {
  auto s = quiet(way);
  s.connection.ike.lifetime = 600s;
  return s;
}

/// How many datagrams it took.
std::size_t live(const Part& part, const Happening& happening) {
  TwoEngines p(part.settings());
  p.run(70s);  // what the first Quick Mode left is forgotten
  EXPECT_EQ(p.rekeyed(p.client()) + p.rekeyed(p.gateway()), 0u);
  const auto first = p.network().sent();
  for (const auto& [number, fate] : happening) p.network().fates[first + number] = fate;
  part.begin(p);
  p.run(part.lasts);
  // Where the first end has to repeat itself the other one's time may come, too.
  EXPECT_GE(p.rekeyed(p.client()), 1u);
  EXPECT_EQ(p.rekeyed(p.client()), p.rekeyed(p.gateway()));
  expect_that_both_have_the_same(p);
  return p.network().sent() - first;
}

class EveryMessageByUs : public ::testing::TestWithParam<Part> {};

TEST_P(EveryMessageByUs, AndEachPair) {
  const auto& part = GetParam();
  ASSERT_EQ(live(part, {}), part.messages);
  fates::each_single_and_each_pair(part.messages,
                                   [&](const auto& happening) { (void)live(part, happening); });
}

// Three of Quick Mode or six of Main Mode, and the Delete of what they have replaced.
INSTANTIATE_TEST_SUITE_P(
    Of, EveryMessageByUs,
    ::testing::Values(Part{"QuickMode", 4, [] { return quiet(); }, renew_the_pair, 110s},
                      Part{"QuickModeWithPfs", 4, with_pfs, renew_the_pair, 110s},
                      Part{"MainMode", 7, [] { return short_isakmp_sa(Way::psk); }, [](Pair&) {}, 600s},
                      Part{"MainModeWithSignatures", 7, [] { return short_isakmp_sa(Way::certificate); },
                           [](Pair&) {}, 600s}),
    [](const auto& row) { return std::string(row.param.name); });

/// From nothing to the first pair, behind a NAT.
void dial(const Happening& happening) {
  auto s = quiet();
  s.nat = true;
  Pair p(s);
  p.network().fates = happening;
  p.connect();
  p.run(110s);
  p.talk(true, true);
  p.run(2s);
  expect_that_both_have_the_same(p);
}

/// The gateway's Deletes of the pair and of the ISAKMP SA, which nobody answers: at the other end one that is
/// lost, or comes late and is read no more, leaves what then is silent for too long.
void hang_up(const Happening& happening) {
  auto s = cheap_pair();
  s.client.silence_timeout = 400s;
  TwoEngines p(s);
  const auto first = p.network().sent();
  for (const auto& [number, fate] : happening) p.network().fates[first + number] = fate;
  p.talk(false, false);
  EXPECT_TRUE(p.gateway().engine.terminate(Pair::peer_of(p.gateway())->number, "test", p.now()));
  p.pump();
  EXPECT_EQ(p.network().sent() - first, 2u);
  EXPECT_THAT(p.gateway().engine.peers(), IsEmpty());
  const auto both_have_nothing = [&p] {
    return p.client().kernel.empty() && p.client().engine.isakmp_sas() == 0 &&
           p.client().engine.peers().empty() && p.gateway().kernel.empty() &&
           p.gateway().engine.isakmp_sas() == 0;
  };
  p.run(40s);
  const bool in_order =
      std::ranges::all_of(happening, [](const auto& f) { return f.second == harness::Fate::doubled; });
  EXPECT_TRUE(!in_order || both_have_nothing());
  p.run(500s);
  EXPECT_TRUE(both_have_nothing());
  EXPECT_FALSE(p.client().engine.next_timeout());
  EXPECT_FALSE(p.gateway().engine.next_timeout());
  EXPECT_THAT(p.complaints(), IsEmpty());
}

TEST(EveryMessageByUs, OfAGatewayThatHangsUp) { fates::each_single_and_each_pair(2, hang_up); }

TEST(EveryMessageByUs, OfAConnectionFromMainModeToQuickMode) { fates::each_single_and_each_pair(9, dial); }

}  // namespace
