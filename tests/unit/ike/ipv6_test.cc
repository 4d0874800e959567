// Peers that come over IPv6: each has an address of its own as a rule, and that is its alias. The mark tells
// apart those that an address is shared by.

#include "scene.h"

namespace {

using namespace scene;

const auto gateway_6 = *Address::parse("2001:db8::1");
const auto host_6 = *Address::parse("2001:db8:2::10");
const auto nat_66 = *Address::parse("2001:db8:3::1");

InitiatorSettings over_ipv6(const Address& address = host_6, std::uint64_t seed = 2) {
  auto s = host(2, seed);
  s.local.address = address;
  s.gateway.address = gateway_6;
  return s;
}

TEST(Ipv6, APeerWithoutANatHasPlainEspAndItsOwnAddressForAnAlias) {
  World w(cheap());
  auto& client = w.add(over_ipv6());
  client.connect(w.now());
  w.run(2s);
  const auto* peer = w.peer_of(client);
  ASSERT_NE(peer, nullptr);
  EXPECT_EQ(w.disagreement(client), "");
  EXPECT_EQ(peer->alias, host_6);
  const auto* in = w.kernel().inbound(client.children()[0].out);
  EXPECT_FALSE(in->encap);
  EXPECT_EQ(in->selector.source.to_string(), "2001:db8:2::10/128");
  EXPECT_EQ(in->selector.destination.to_string(), "2001:db8::1/128");
  ASSERT_THAT(w.kernel().policies(), SizeIs(1));
  const auto& policy = w.kernel().policies().begin()->second;
  EXPECT_EQ(policy.selector.source.to_string(), "2001:db8::1/128");
  EXPECT_EQ(policy.selector.destination.to_string(), "2001:db8:2::10/128");
  EXPECT_EQ(policy.mark, peer->lookup_mark);
  EXPECT_THAT(w.complaints(), IsEmpty());
}

// The kernel looks for the SA that a router's Packet Too Big names without a mark.
TEST(Ipv6, ARouterThatHasNoRoomForPlainEspNamesAnSaThatTheKernelFinds) {
  World w(cheap());
  NatBox nat(nat_66);
  auto& plain = w.add(over_ipv6());
  auto& in_udp = w.add(over_ipv6(*Address::parse("fd00::2"), 3), &nat);
  for (auto* client : {&plain, &in_udp}) client->connect(w.now());
  w.run(3s);
  const auto mark_of_sa_to = [&](auto& client) {
    return w.kernel().outbound(w.peer_of(client)->mark, client.children()[0].in)->mark;
  };
  EXPECT_EQ(mark_of_sa_to(plain), std::nullopt);
  EXPECT_EQ(mark_of_sa_to(in_udp), w.peer_of(in_udp)->lookup_mark);
}

TEST(Ipv6, BesideAPeerOverIpv4BothAreServedAndLeaveNothing) {
  World w(cheap());
  NatBox nat(nat_a);
  auto& four = w.add(host(3), &nat);
  auto& six = w.add(over_ipv6());
  for (auto* client : {&four, &six}) client->connect(w.now());
  w.run(3s);
  EXPECT_EQ(w.disagreement(four) + w.disagreement(six), "");
  EXPECT_NE(w.peer_of(four)->mark, w.peer_of(six)->mark);
  EXPECT_TRUE(w.peer_of(four)->alias.is_v4());
  for (auto* client : {&four, &six}) {
    client->delete_esp(client->children()[0].in);
    client->delete_isakmp();
  }
  w.run(1s);
  EXPECT_TRUE(w.nothing_left());
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST(Ipv6, TwoPeersBehindOneAddressAreToldApartByTheirMarks) {
  World w(cheap());
  NatBox nat(nat_66);
  auto& first = w.add(over_ipv6(*Address::parse("fd00::2"), 2), &nat);
  auto& second = w.add(over_ipv6(*Address::parse("fd00::3"), 3), &nat);
  for (auto* client : {&first, &second}) client->connect(w.now());
  w.run(3s);
  EXPECT_EQ(w.disagreement(first) + w.disagreement(second), "");
  EXPECT_TRUE(w.peer_of(first)->nat);
  EXPECT_EQ(w.peer_of(first)->alias, w.peer_of(second)->alias);
  EXPECT_THAT(w.kernel().policies(), SizeIs(2));
  EXPECT_THAT(w.complaints(), IsEmpty());
}

/// Two at one address without a NAT, whose pairs bear one SPI: nothing tells the outbound SAs apart.
TEST(Ipv6, SecondAtOneAddressWithTheSpiOfTheFirstIsToldSoAndTakesNothingFromIt) {
  for (const bool deletes : {false, true}) {
    auto ws = cheap();
    ws.kernel.install_delay = 50ms;
    World w(ws);
    auto s = over_ipv6();
    s.spi = xfrm::Spi(0xc0ffee00);
    auto& client = w.add(s);
    client.connect(w.now());
    w.run(2s);
    const auto* first = w.peer_of(client);
    ASSERT_NE(first, nullptr);
    s.seed = 3;
    s.identity = udp_id(Address::v4(0x0a000001), 0, 0);
    client = Initiator(s);
    client.connect(w.now());
    while (client.children().empty()) w.run(1ms);
    w.run(15ms);  // its message 3 has come, and the kernel has not answered
    if (deletes) client.delete_esp(s.spi.value());
    w.run(5s);
    EXPECT_EQ(w.kernel().events_of(EventKind::kernel_refused), deletes ? 0u : 1u);
    EXPECT_EQ(client.deleted_spis().size(), deletes ? 0u : 1u);
    ASSERT_THAT(first->children, SizeIs(1));
    EXPECT_THAT(w.kernel().sas(), SizeIs(2));
    EXPECT_NE(w.kernel().outbound(first->mark, *s.spi), nullptr);
    EXPECT_THAT(w.kernel().imbalances(), IsEmpty());
    EXPECT_THAT(w.complaints(), IsEmpty());
  }
}

TEST(Ipv6, AServiceIsNotServedForItsAnswersMightLeaveInClearText) {
  constexpr ike::Service web{.protocol = 6, .port = 8080};
  auto settings = cheap();
  settings.engine.services = {web};
  settings.kernel.served.insert(web);
  World w(settings);
  auto s = over_ipv6();
  s.idci = udp_id(host_6, web.protocol, 0);
  s.idcr = udp_id(gateway_6, web.protocol, web.port);
  auto& client = w.add(s);
  client.connect(w.now());
  w.run(2s);
  EXPECT_TRUE(client.was_notified(ike::v1::notify::invalid_id_information));
  EXPECT_TRUE(w.kernel().empty());
}

TEST(Ipv6, TheKernelsWordThatAnOutboundSaIsNearlySpentFindsItsPeer) {
  World w(cheap());
  auto& client = w.add(over_ipv6());
  client.connect(w.now());
  w.run(40s);
  const auto* peer = w.peer_of(client);
  ASSERT_NE(peer, nullptr);
  auto id = peer->outbound_id(*peer->active());
  const auto said_to = [&](const Address& destination) {
    const auto before = w.left().size();
    id.destination = destination;
    w.engine().nearly_expired(id, w.now());
    w.pump();
    return w.left().size() - before;
  };
  EXPECT_EQ(said_to(nat_66), 0U) << "of an SA with that SPI to somebody else";
  EXPECT_EQ(said_to(host_6), 1U) << "message 1 of a Quick Mode";
}

TEST(Ipv6, ANatThatChangesThePortIsFollowedAndOneThatChangesTheAddressIsNot) {
  World w(cheap());
  NatBox nat(nat_66);
  auto& client = w.add(over_ipv6(*Address::parse("fd00::2")), &nat);
  client.connect(w.now());
  w.run(3s);
  const auto* peer = w.peer_of(client);
  ASSERT_NE(peer, nullptr);
  const auto seen_from = [&](const Endpoint& where) {
    w.engine().mapped({.sa = peer->inbound_id(client.children()[0].out),
                       .reqid = peer->reqid(),
                       .old_source = peer->remote,
                       .new_source = where},
                      w.now());
    w.run(3s);
    return peer->remote;
  };
  EXPECT_EQ(seen_from({nat_66, 50000}), (Endpoint{nat_66, 50000}));
  EXPECT_EQ(seen_from({*Address::parse("2001:db8:3::2"), 50001}), (Endpoint{nat_66, 50000}));
  EXPECT_EQ(peer->alias, nat_66);
  EXPECT_THAT(w.complaints(), IsEmpty());
}

}  // namespace
