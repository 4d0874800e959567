// Besides L2TP a peer may speak what a [[service]] names, in SAs of that service's own.

#include "pair_scene.h"
#include "scene.h"

namespace {

using namespace scene;
using ike::ChildState;
using ike::v1::notify::invalid_id_information;

constexpr std::uint8_t tcp = 6;
constexpr ike::Service web{.protocol = tcp, .port = 8080};

WorldSettings with_a_web_page() {
  auto s = cheap();
  s.engine.services = {web};
  s.kernel.served.insert(web);
  return s;
}

/// Asks for that instead of L2TP.
InitiatorSettings asking(std::uint8_t protocol, std::uint16_t port) {
  auto s = host();
  s.idci = udp_id(s.local.address, protocol, 0);
  s.idcr = udp_id(gateway, protocol, port);
  return s;
}

TEST(Service, ThatIsConfiguredIsAdmittedExactly) {
  Connected c(with_a_web_page(), asking(tcp, 8080));
  EXPECT_THAT(c.world.complaints(), IsEmpty());
  ASSERT_THAT(c.client.children(), SizeIs(1));
  const auto* peer = c.world.peer_of(c.client);
  const auto& in = c.world.kernel().inbound(c.client.children()[0].out)->selector;
  EXPECT_EQ(in.protocol, tcp);
  EXPECT_EQ(in.destination_port, 8080);
  EXPECT_EQ(in.source, (base::Prefix{peer->alias, 32}));
  const auto& out = c.world.kernel().outbound(peer->mark, c.client.children()[0].in)->selector;
  EXPECT_EQ(out.protocol, tcp);
  EXPECT_EQ(out.source_port, 8080);
  ASSERT_THAT(c.world.kernel().policies(), SizeIs(1));
  EXPECT_EQ(c.world.kernel().policies().begin()->second.selector, out);
}

/// FakeKernel has an eye on it.
TEST(Service, L2tpIsServedFromTheNearEndAndOthersFromTheAddressDialled) {
  auto s = with_a_web_page();
  s.engine.numbering.near_bit = s.kernel.near_bit = 0x00800000;
  Connected c(std::move(s));
  const auto* peer = c.world.peer_of(c.client);
  const auto near = base::Address::v4(peer->alias.v4_value() | 0x00800000);
  EXPECT_EQ(c.world.kernel().newest_outbound()->selector.source, base::host(near));
  c.client.ask_for(udp_id(c.client.settings().local.address, tcp, 0), udp_id(gateway, tcp, 8080));
  c.client.quick_mode(c.world.now());
  c.world.run(2s);
  ASSERT_THAT(c.client.children(), SizeIs(2));
  EXPECT_EQ(c.world.kernel().newest_outbound(web)->selector.source, base::host(gateway));
  EXPECT_THAT(c.world.complaints(), IsEmpty());
  c.world.engine().shut_down(c.world.now());
  c.world.pump();
  EXPECT_TRUE(c.world.nothing_left());
}

TEST(Service, ThatIsNotConfiguredIsRefused) {
  for (const auto& [protocol, port] :
       {std::pair<std::uint8_t, std::uint16_t>{tcp, 8081}, {17, 8080}, {tcp, 0}}) {
    Connected c(with_a_web_page(), asking(protocol, port));
    EXPECT_TRUE(c.client.was_notified(invalid_id_information));
    EXPECT_TRUE(c.world.kernel().empty());
  }
}

TEST(Service, StandsBesideL2tpAndEachIsRenewedForItself) {
  Connected c(with_a_web_page());
  const auto l2tp = spis_of(c.client);
  const auto mark = c.world.peer_of(c.client)->mark;
  c.client.ask_for(udp_id(c.client.settings().local.address, tcp, 0), udp_id(gateway, tcp, 8080));
  c.client.quick_mode(c.world.now());
  c.world.run(2s);
  ASSERT_THAT(c.client.children(), SizeIs(2));
  const auto page = spis_of(c.client, 1);
  EXPECT_NE(c.world.kernel().outbound(mark, l2tp.in), nullptr) << "the web page does not replace it";
  EXPECT_THAT(c.world.kernel().policies(), SizeIs(2));
  c.client.quick_mode(c.world.now());
  c.world.run(2s);
  ASSERT_THAT(c.client.children(), SizeIs(3));
  EXPECT_NE(c.world.kernel().outbound(mark, l2tp.in), nullptr);
  EXPECT_EQ(c.world.kernel().outbound(mark, page.in), nullptr);
  EXPECT_NE(c.world.kernel().outbound(mark, spis_of(c.client, 2).in), nullptr);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
  c.world.engine().shut_down(c.world.now());
  c.world.pump();
  EXPECT_TRUE(c.world.nothing_left()) << "both policies";
}

TEST(Service, ThatRenewsItsPairsAgainAndAgainCrowdsOutNobodyElses) {
  Connected c(with_a_web_page());
  const auto l2tp = spis_of(c.client);
  const auto mark = c.world.peer_of(c.client)->mark;
  c.client.ask_for(udp_id(c.client.settings().local.address, tcp, 0), udp_id(gateway, tcp, 8080));
  for (int i = 0; i < 12; ++i) {
    c.client.quick_mode(c.world.now());
    c.world.run(2s);
  }
  const auto* peer = c.world.peer_of(c.client);
  EXPECT_EQ(std::ranges::count(peer->children, web, &ike::ChildSa::service), 8);
  ASSERT_NE(peer->active(), nullptr);
  EXPECT_EQ(peer->active()->in, l2tp.out);
  EXPECT_NE(c.world.kernel().outbound(mark, l2tp.in), nullptr);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Service, ThatIsDeletedLeavesTheOtherAlone) {
  Connected c(with_a_web_page());
  const auto l2tp = spis_of(c.client);
  const auto mark = c.world.peer_of(c.client)->mark;
  c.client.ask_for(udp_id(c.client.settings().local.address, tcp, 0), udp_id(gateway, tcp, 8080));
  c.client.quick_mode(c.world.now());
  c.world.run(2s);
  const auto page = spis_of(c.client, 1);
  // A new pair of L2TP is on its way: it is no successor of the one that goes.
  c.client.ask_for(udp_id(c.client.settings().local.address, 17, 1701), udp_id(gateway, 17, 1701));
  c.client.quick_mode(c.world.now());
  c.client.delete_esp(page.in);
  c.world.run(1s);
  EXPECT_EQ(c.world.kernel().inbound(page.out), nullptr);
  EXPECT_EQ(c.world.kernel().outbound(mark, page.in), nullptr);
  c.world.run(30s);
  EXPECT_NE(c.world.kernel().outbound(mark, c.client.children().back().in), nullptr);
  EXPECT_EQ(c.world.kernel().outbound(mark, l2tp.in), nullptr) << "replaced by its like";
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

/// One client with L2TP and the web page, both talking.
struct TwoServices : pair_scene::TwoEngines {
  static harness::PairSettings settings() {
    auto s = pair_scene::cheap_pair();
    s.client.services = s.gateway.services = {web};
    s.client_kernel.served.insert(web);
    s.gateway_kernel.served.insert(web);
    return s;
  }
  explicit TwoServices(harness::PairSettings s = settings()) : TwoEngines(std::move(s)) {
    talk(false, false);
    connect(web);
    run(2s);
    talk(true, true);
    run(1s);
  }
  static const ike::Peer& of(const Side& side) { return side.engine.peers().begin()->second; }
  void soft_limit(Side& side, const ike::Service& service) {
    side.engine.nearly_expired(of(side).inbound_id(of(side).active(service)->in), now());
  }
  void expect_an_active_pair_each() {
    for (auto* side : {&client(), &gateway()}) {
      ASSERT_EQ(side->engine.peers().size(), 1u);
      EXPECT_EQ(count(*side, ChildState::active), 2u);
      EXPECT_NE(of(*side).active(), nullptr);
      EXPECT_NE(of(*side).active(web), nullptr);
      EXPECT_THAT(side->kernel.policies(), SizeIs(2));
    }
    EXPECT_THAT(complaints(), IsEmpty());
    EXPECT_THAT(lost(), IsEmpty());
  }
};

TEST(Service, RenewedByUsIsTheSameServiceAndTheOtherKeepsItsPair) {
  TwoServices p;
  p.expect_an_active_pair_each();
  const auto before = p.rekeyed(p.gateway());
  const auto l2tp = p.of(p.gateway()).active()->in, page = p.of(p.gateway()).active(web)->in;
  p.soft_limit(p.gateway(), web);
  p.run(60s);
  EXPECT_EQ(p.of(p.gateway()).active()->in, l2tp);
  EXPECT_NE(p.of(p.gateway()).active(web)->in, page);
  p.soft_limit(p.gateway(), ike::l2tp_service);
  p.run(60s);
  EXPECT_NE(p.of(p.gateway()).active()->in, l2tp);
  p.expect_an_active_pair_each();
  EXPECT_EQ(p.rekeyed(p.gateway()), before + 2);
  EXPECT_THAT(p.gateway().kernel.imbalances(), IsEmpty());
}

TEST(Service, AndL2tpAreRenewedAllDayWithoutALostPacket) {
  auto s = TwoServices::settings();
  s.connection.esp.lifetime = 600s;
  s.connection.ike.lifetime = 900s;
  s.esp_interval = 500ms;
  TwoServices p(s);
  p.run(4h);
  EXPECT_GT(p.rekeyed(p.gateway()), 40u);
  EXPECT_THAT(p.lost(), IsEmpty());
  EXPECT_THAT(p.complaints(), IsEmpty());
  EXPECT_LE(p.gateway().kernel.inbound_sas(), 4u);
}

TEST(Service, AndL2tpRenewedByBothEndsAtOnceLoseNothing) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    auto s = TwoServices::settings();
    s.seed = seed;
    s.esp_interval = 10ms;
    s.client_kernel.install_delay = std::chrono::milliseconds(seed % 7 * 10);
    s.gateway_kernel.install_delay = std::chrono::milliseconds(seed % 5 * 10);
    TwoServices p(s);
    p.network().conditions.jitter = std::chrono::milliseconds(seed % 4 * 20);
    for (const auto& service : {ike::l2tp_service, web}) {
      p.soft_limit(p.client(), service);
      p.run(std::chrono::milliseconds(seed % 6 * 7));
      p.soft_limit(p.gateway(), service);
    }
    p.run(70s);
    p.expect_an_active_pair_each();
    if (HasFailure()) break;
  }
}

TEST(Service, OfAPeerWithoutIsakmpSaIsAskedForAnewByThatService) {
  auto s = TwoServices::settings();
  s.connection.ike.lifetime = 60s;
  TwoServices p(s);
  p.network().conditions.loss = 1;
  p.run(150s);
  ASSERT_EQ(p.gateway().engine.isakmp_sas(), 0u);
  p.network().conditions.loss = 0;
  const auto l2tp = p.of(p.gateway()).active()->in, page = p.of(p.gateway()).active(web)->in;
  p.soft_limit(p.gateway(), web);
  p.run(45s);
  EXPECT_EQ(p.of(p.gateway()).active()->in, l2tp);
  EXPECT_NE(p.of(p.gateway()).active(web)->in, page);
  p.expect_an_active_pair_each();
}

}  // namespace
