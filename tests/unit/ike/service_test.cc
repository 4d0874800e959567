// Besides L2TP a peer may speak what a [[service]] names, in SAs of that service's own.

#include "scene.h"

namespace {

using namespace scene;
using ike::v1::notify::invalid_id_information;

constexpr std::uint8_t tcp = 6;

WorldSettings with_a_web_page() {
  auto s = cheap();
  s.engine.services = {{tcp, 8080}};
  s.kernel.served.insert({tcp, 8080});
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
  const auto web = spis_of(c.client, 1);
  EXPECT_NE(c.world.kernel().outbound(mark, l2tp.in), nullptr) << "the web page does not replace it";
  EXPECT_THAT(c.world.kernel().policies(), SizeIs(2));
  c.client.quick_mode(c.world.now());
  c.world.run(2s);
  ASSERT_THAT(c.client.children(), SizeIs(3));
  EXPECT_NE(c.world.kernel().outbound(mark, l2tp.in), nullptr);
  EXPECT_EQ(c.world.kernel().outbound(mark, web.in), nullptr);
  EXPECT_NE(c.world.kernel().outbound(mark, spis_of(c.client, 2).in), nullptr);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
  c.world.engine().shut_down(c.world.now());
  c.world.pump();
  EXPECT_TRUE(c.world.nothing_left()) << "both policies";
}

}  // namespace
