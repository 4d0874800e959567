// The NAT gives a peer another port or address: it is followed there, alone, on authentic news only, and
// nothing else of it changes.

#include "pair_scene.h"
#include "scene.h"

namespace {

using namespace scene;

/// Where the gateway sends what it has for the client's first pair; empty when its books disagree.
std::string direction_of(World& w, const Initiator& client, std::size_t child = 0) {
  const auto* peer = w.peer_of(client, child);
  if (peer == nullptr) return "no peer";
  const auto& pair = client.children().at(child);
  const auto* in = w.kernel().inbound(pair.out);
  const auto* out = w.kernel().outbound(peer->mark, pair.in);
  if (in == nullptr || out == nullptr || !in->encap || !out->encap) return "no pair in UDP";
  if (in->encap->source_port != out->encap->destination_port) return "the ports of its SAs differ";
  return Endpoint{w.kernel().entries().at(peer->mark).home, out->encap->destination_port}.to_string();
}

/// Where the client's ESP comes from now.
std::string place_of(NatBox& nat, const Initiator& client) {
  return nat.outward({client.settings().local.address, 4500}).to_string();
}

xfrm::Mapping mapping(const World& w, const Initiator& client, const Endpoint& to) {
  const auto* peer = w.peer_of(client);
  return {.sa = peer->inbound_id(client.children().at(0).out),
          .reqid = peer->reqid(),
          .old_source = peer->remote,
          .new_source = to};
}

const Endpoint elsewhere{nat_b, 55555};

void tell(World& w, const xfrm::Mapping& m) {
  w.engine().mapped(m, w.now());
  w.pump();
}

TEST(NatLife, MappingWithAnotherPortMovesTheEncapsulationOnly) {
  Connected c;
  const auto* peer = c.world.peer_of(c.client);
  const auto alias = peer->alias;
  tell(c.world, mapping(c.world, c.client, {nat_a, 55555}));
  EXPECT_EQ(direction_of(c.world, c.client), "198.51.100.1:55555");
  EXPECT_EQ(c.world.peer_of(c.client)->alias, alias);
  EXPECT_EQ(c.world.engine().counters().moves, 1u);
  EXPECT_EQ(c.world.kernel().events_of(EventKind::peer_moved), 1u);
  EXPECT_EQ(c.world.disagreement(c.client), "");
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(NatLife, MappingWithAnotherAddressMovesItsHome) {
  Connected c;
  tell(c.world, mapping(c.world, c.client, elsewhere));
  EXPECT_EQ(direction_of(c.world, c.client), elsewhere.to_string());
  EXPECT_EQ(c.world.peer_of(c.client)->remote, elsewhere);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(NatLife, RepeatedNewsChangesNothing) {
  Connected c;
  const auto news = mapping(c.world, c.client, elsewhere);
  for (int i = 0; i < 5; ++i) {
    tell(c.world, news);  // the inbound SA's recorded source stays, so the kernel goes on
    c.world.run(10s);
  }
  EXPECT_EQ(c.world.kernel().moves(), 1u);
  EXPECT_EQ(c.world.engine().counters().moves, 1u);
}

TEST(NatLife, MappingIsBelievedForThePeerWhoseSaItNamesOnly) {
  World w(cheap());
  NatBox nat(nat_a);
  auto& a = w.add(host(2), &nat);
  auto& b = w.add(host(3), &nat);
  a.connect(w.now());
  b.connect(w.now());
  w.run(2s);
  const auto of_a = mapping(w, a, elsewhere), of_b = mapping(w, b, elsewhere);
  auto foreign = of_a;
  foreign.reqid = of_b.reqid;
  tell(w, foreign);
  foreign = of_a;
  foreign.sa.destination = nat_b;
  tell(w, foreign);
  foreign = of_a;
  foreign.sa.spi = xfrm::Spi(0x12345678);
  tell(w, foreign);
  for (const std::uint32_t reqid : {0u, 0x7u, 0xffffffffu, 0x0fffff00u}) {
    foreign = of_a;
    foreign.reqid = xfrm::Reqid(reqid);
    tell(w, foreign);
  }
  EXPECT_EQ(w.engine().counters().moves, 0u);
  tell(w, of_b);
  EXPECT_EQ(direction_of(w, a), place_of(nat, a)) << "the neighbour stays";
  EXPECT_EQ(direction_of(w, b), elsewhere.to_string());
}

TEST(NatLife, PeerBehindNoNatIsNotMoved) {
  World w(cheap());
  auto& client = w.add(without_nat());
  client.connect(w.now());
  w.run(2s);
  ASSERT_THAT(client.children(), SizeIs(1));
  tell(w, mapping(w, client, elsewhere));
  EXPECT_EQ(w.engine().counters().moves, 0u);
  EXPECT_EQ(w.peer_of(client)->remote.address, public_host);
}

TEST(NatLife, NobodyMovesIntoTheAliasRange) {
  Connected c;
  tell(c.world, mapping(c.world, c.client, {Address::v4(0xf0000002), 4500}));
  EXPECT_EQ(c.world.engine().counters().moves, 0u);
}

TEST(NatLife, ManyMovesAtOnceBecomeTwo) {
  Connected c;
  for (std::uint16_t port = 50000; port < 50100; ++port)
    tell(c.world, mapping(c.world, c.client, {nat_a, port}));
  EXPECT_EQ(c.world.kernel().moves(), 1u);
  c.world.run(2s);
  EXPECT_EQ(c.world.kernel().moves(), 2u);
  EXPECT_EQ(direction_of(c.world, c.client), "198.51.100.1:50099") << "the last is where it is";
}

TEST(NatLife, MoveThatIsTakenBackInTimeIsNone) {
  Connected c;
  const auto home = c.world.peer_of(c.client)->remote;
  tell(c.world, mapping(c.world, c.client, elsewhere));
  tell(c.world, mapping(c.world, c.client, home));
  tell(c.world, mapping(c.world, c.client, elsewhere));
  c.world.run(5s);
  EXPECT_EQ(direction_of(c.world, c.client), elsewhere.to_string());
  EXPECT_EQ(c.world.kernel().moves(), 1u);
}

TEST(NatLife, InformationalFromAnotherPortMovesThePeer) {
  Connected c;
  c.nat.rebind();
  c.client.r_u_there(7);
  c.world.run(1s);
  EXPECT_EQ(direction_of(c.world, c.client), place_of(c.nat, c.client));
  EXPECT_EQ(c.world.left().back().to.to_string(), place_of(c.nat, c.client)) << "the answer, too";
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(NatLife, QuickModeFromAnotherPortMovesTheOldPairToo) {
  Connected c;
  c.nat.rebind();
  c.client.quick_mode(c.world.now());
  c.world.run(5ms);
  c.world.run(2s);
  ASSERT_THAT(c.client.children(), SizeIs(2));
  const auto* old = c.world.kernel().inbound(c.client.children()[0].out);
  EXPECT_EQ(old->encap->source_port, c.nat.outward({c.client.settings().local.address, 4500}).port);
  EXPECT_EQ(direction_of(c.world, c.client, 1), place_of(c.nat, c.client));
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(NatLife, AnotherAddressByIkeMovesTheHome) {
  Connected c;
  c.client.r_u_there(7);
  c.world.run(1s);
  const auto request = c.world.arrived().back();
  c.client.r_u_there(8);
  // What the client sends leaves by another uplink of its NAT.
  while (auto send = c.client.next_send()) c.world.inject(elsewhere, send->to, send->bytes);
  EXPECT_EQ(direction_of(c.world, c.client), elsewhere.to_string());
  c.world.inject(request.from, request.to, request.bytes);
  EXPECT_EQ(direction_of(c.world, c.client), elsewhere.to_string()) << "an old message proves nothing";
}

TEST(NatLife, RepeatedInformationalDoesNotMoveThePeer) {
  Connected c;
  c.client.r_u_there(7);
  c.world.run(1s);
  const auto request = c.world.arrived().back();
  c.world.inject(elsewhere, request.to, request.bytes);
  EXPECT_EQ(direction_of(c.world, c.client), place_of(c.nat, c.client));
  EXPECT_EQ(c.world.engine().counters().moves, 0u);
}

TEST(NatLife, ForgedInformationalDoesNotMoveThePeer) {
  Connected c;
  c.client.r_u_there(7);
  while (auto send = c.client.next_send()) {
    auto forged = send->bytes;
    forged.back() ^= 1;
    c.world.inject(elsewhere, send->to, forged);
  }
  EXPECT_EQ(c.world.engine().counters().moves, 0u);
}

TEST(NatLife, RepeatedQuickModeDoesNotMoveThePeer) {
  Connected c;
  std::vector<harness::Datagram> quick;
  for (const auto& d : c.world.arrived()) {
    if (d.to.port == 4500) quick.push_back(d);
  }
  for (const auto& d : quick) c.world.inject(elsewhere, d.to, d.bytes);
  EXPECT_EQ(c.world.engine().counters().moves, 0u);
  EXPECT_EQ(direction_of(c.world, c.client), place_of(c.nat, c.client));
}

TEST(NatLife, WhatWeAskGoesToTheNewPlace) {
  Connected c;
  tell(c.world, mapping(c.world, c.client, elsewhere));
  c.world.run(90s);  // it is silent, so it is asked whether it lives
  EXPECT_EQ(c.world.left().back().to, elsewhere);
}

TEST(NatLife, MainModeFromTheNewPlaceIsTheSamePeer) {
  Connected c;
  const auto mark = c.world.peer_of(c.client)->mark;
  c.nat.rebind();
  c.client.r_u_there(7);
  c.world.run(1s);
  c.client.rekey_ike(c.world.now());
  c.world.run(2s);
  ASSERT_EQ(c.client.isakmp_sas(), 2u);
  EXPECT_THAT(c.world.engine().peers(), SizeIs(1));
  EXPECT_EQ(c.world.peer_of(c.client)->mark, mark);
}

TEST(NatLife, WhoeverGetsTheOldPlaceIsSomebodyElse) {
  Connected c;  // both are 192.168.1.2, with the same key
  const auto old = c.world.peer_of(c.client)->remote;
  tell(c.world, mapping(c.world, c.client, elsewhere));
  c.nat.rebind();
  NatBox again(nat_a, static_cast<std::uint16_t>(old.port - 1));  // 500 comes first, then 4500
  auto& other = c.world.add(host(2, 77), &again);
  other.connect(c.world.now());
  c.world.run(2s);
  EXPECT_THAT(c.world.engine().peers(), SizeIs(2));
  ASSERT_THAT(other.children(), SizeIs(1));
  EXPECT_EQ(c.world.peer_of(other)->remote, old);
  EXPECT_EQ(direction_of(c.world, c.client), elsewhere.to_string());
}

TEST(NatLife, PeerThatTakesAnothersPlaceTakesNothingElse) {
  World w(cheap());
  NatBox nat(nat_a), other(nat_b);
  auto& a = w.add(host(2, 1), &nat);
  auto& b = w.add(host(2, 2), &other);  // the same identity
  a.connect(w.now());
  b.connect(w.now());
  w.run(2s);
  const auto b_was_at = w.peer_of(b)->remote;
  tell(w, mapping(w, a, b_was_at));
  EXPECT_EQ(direction_of(w, a), b_was_at.to_string());
  ASSERT_NE(w.peer_of(a), w.peer_of(b));
  EXPECT_EQ(w.disagreement(b), "");
  w.engine().shut_down(w.now());
  w.pump();
  EXPECT_TRUE(w.nothing_left());
  EXPECT_THAT(w.complaints(), IsEmpty());
}

/// A peer seems to have moved to where somebody else of its identity comes from later.
struct PlaceTakenBefore {
  World world{cheap()};
  NatBox nat{nat_a}, other{nat_b, 2000};
  const Endpoint place{nat_b, 2001};  // 500 comes first, then 4500
  Initiator& bad;
  Initiator& victim;
  explicit PlaceTakenBefore(InitiatorSettings bad_settings = host(2, 1))
      : bad(world.add(std::move(bad_settings), &nat)), victim(world.add(host(2, 2), &other)) {
    bad.connect(world.now());
    world.run(2s);
    tell(world, mapping(world, bad, place));
  }
  /// R-U-THERE-ACK from there.
  void guess(std::uint32_t sequence) {
    wire::Writer data;
    data.u32(sequence);
    const auto cookies = bad.cookies();
    Bytes spi(cookies.first.begin(), cookies.first.end());
    base::append(spi, cookies.second);
    bad.informational(ike::v1::PayloadType::notification,
                      ike::v1::encode_notification({.protocol = ike::v1::protocol_isakmp,
                                                    .spi = spi,
                                                    .type = ike::v1::notify::r_u_there_ack,
                                                    .data = data.view()}));
    while (auto send = bad.next_send()) world.inject(place, send->to, send->bytes);
  }
  std::uint32_t asked() {
    return *world.engine().isakmp_sa(*world.peer_of(bad)->isakmp_sas.begin())->dpd_asked;
  }
  void expect_victim_to_be_somebody_else() {
    victim.connect(world.now());
    world.run(2s);
    ASSERT_NE(world.peer_of(victim), nullptr);
    EXPECT_EQ(world.peer_of(victim)->remote, place);
    EXPECT_NE(world.peer_of(victim), world.peer_of(bad));
    EXPECT_THAT(world.engine().peers(), SizeIs(2));
    EXPECT_EQ(world.disagreement(victim), "");
    EXPECT_THAT(world.complaints(), IsEmpty());
  }
};

TEST(NatLife, PeerThatOnlySeemsToHaveMovedIsNotWhoComesFromThere) {
  PlaceTakenBefore p;
  EXPECT_EQ(p.world.left().back().to, p.place) << "it is asked whether it is there";
  p.expect_victim_to_be_somebody_else();
  p.victim.rekey_ike(p.world.now());
  p.world.run(2s);
  EXPECT_THAT(p.world.engine().peers(), SizeIs(2)) << "and stays who it is";
}

TEST(NatLife, WhetherItIsThereCannotBeGuessedByCounting) {
  PlaceTakenBefore p;
  ASSERT_GT(p.asked(), 200u);
  for (std::uint32_t n = 1; n < 200; ++n) p.guess(n);
  p.expect_victim_to_be_somebody_else();
}

TEST(NatLife, FewGuessesSpendTheQuestion) {
  PlaceTakenBefore p;
  const auto asked = p.asked();
  for (std::uint32_t n = 1; n < 10; ++n) p.guess(asked + n);
  p.guess(asked);
  p.expect_victim_to_be_somebody_else();
}

TEST(NatLife, IsAskedAgainWhetherItIsThereWhereAQuestionIsLost) {
  Connected c;
  const auto mark = c.world.peer_of(c.client)->mark;
  c.world.network().conditions.loss = 1;
  c.nat.rebind();
  tell(c.world, mapping(c.world, c.client, c.nat.outward({c.client.settings().local.address, 4500})));
  c.world.run(3s);
  EXPECT_FALSE(c.world.peer_of(c.client)->known_to_be_there());
  c.world.network().conditions.loss = 0;
  c.world.run(10s);
  EXPECT_TRUE(c.world.peer_of(c.client)->known_to_be_there());
  c.client.rekey_ike(c.world.now());
  c.world.run(2s);
  ASSERT_EQ(c.client.isakmp_sas(), 2u);
  EXPECT_THAT(c.world.engine().peers(), SizeIs(1));
  EXPECT_EQ(c.world.peer_of(c.client)->mark, mark);
}

TEST(NatLife, IsAskedAFewTimesWhetherItIsThere) {
  PlaceTakenBefore p;
  const auto before = p.world.left().size();
  p.world.run(29s);  // after which it has been silent for long enough to be asked anyhow
  EXPECT_LE(p.world.left().size() - before, 4u);
}

TEST(NatLife, PeersThatOnlySeemToBeThereTakeNobodysRoom) {
  World w(cheap());
  NatBox nat(nat_a), other(nat_b, 2000);
  for (std::uint8_t i = 10; i < 30; ++i) {
    auto& bad = w.add(host(i), &nat);
    bad.connect(w.now());
    w.run(1s);
    tell(w, mapping(w, bad, {nat_b, 2001}));
  }
  auto& victim = w.add(host(2), &other);
  victim.connect(w.now());
  w.run(2s);
  EXPECT_EQ(w.disagreement(victim), "");
}

TEST(NatLife, QuickModeFromTheNewPlaceProvesItWhereNobodyCanBeAsked) {
  auto s = host();  // as Windows is
  s.dpd = false;
  s.answers_dpd = false;
  for (const bool quick_mode : {true, false}) {
    Connected c(cheap(), s);
    const auto mark = c.world.peer_of(c.client)->mark;
    c.nat.rebind();
    tell(c.world, mapping(c.world, c.client, c.nat.outward({s.local.address, 4500})));
    if (quick_mode) c.client.quick_mode(c.world.now());
    c.world.run(2s);
    c.client.rekey_ike(c.world.now());
    c.world.run(2s);
    ASSERT_EQ(c.client.isakmp_sas(), 2u);
    EXPECT_THAT(c.world.engine().peers(), SizeIs(quick_mode ? 1 : 2));
    EXPECT_EQ(c.world.peer_of(c.client)->mark, mark);
  }
}

TEST(NatLife, NewKeysByUsProveThePlaceOfOneThatCannotBeAsked) {
  harness::Pair p(pair_scene::cheap_pair());
  p.connect();
  p.pump();
  auto message_1 = p.network().pop_arrival(p.now() + 1s);
  ASSERT_TRUE(message_1);
  const auto& wanted = ike::v1::vendor_dpd;
  auto& bytes = message_1->bytes;
  const auto vendor = std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
  ASSERT_NE(vendor, bytes.end());
  *vendor ^= 1;  // it no longer says that it understands R-U-THERE
  p.network().send(*message_1, p.now());
  p.run(2s);
  const auto* peer = harness::Pair::peer_of(p.gateway());
  ASSERT_NE(peer, nullptr);
  p.nat().rebind();
  const auto place = p.nat().outward({p.client().address, 4500});
  const auto& old = peer->children.at(0);
  p.gateway().engine.mapped({.sa = peer->inbound_id(old.in),
                             .reqid = peer->reqid(),
                             .old_source = peer->remote,
                             .new_source = place},
                            p.now());
  EXPECT_FALSE(peer->known_to_be_there());
  p.run(2s);
  EXPECT_EQ(peer->remote, place);
  EXPECT_TRUE(peer->known_to_be_there());
  p.run(25s);
  EXPECT_EQ(p.gateway().kernel.events_of(EventKind::rekeyed), 1u) << "once is enough";
}

TEST(NatLife, MoveWhileAPairIsInstalledReachesThatPairToo) {
  auto ws = cheap();
  ws.kernel.install_delay = 200ms;
  Connected c(ws);
  c.client.quick_mode(c.world.now());
  c.world.run(300ms);
  tell(c.world, mapping(c.world, c.client, elsewhere));
  c.world.run(5s);
  ASSERT_THAT(c.client.children(), SizeIs(2));
  EXPECT_EQ(direction_of(c.world, c.client, 1), elsewhere.to_string());
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(NatLife, MoveThatTheKernelRefusesIsAskedForAgainUntilItIsMade) {
  Connected c;
  c.world.kernel().refuse_moves(3);
  tell(c.world, mapping(c.world, c.client, elsewhere));
  EXPECT_EQ(c.world.kernel().moves(), 0u);
  for (int i = 0; i < 4; ++i) {
    c.world.run(2s);
    tell(c.world, mapping(c.world, c.client, elsewhere));  // the kernel goes on telling it
  }
  EXPECT_EQ(c.world.kernel().moves(), 1u);
  EXPECT_EQ(direction_of(c.world, c.client), elsewhere.to_string());
  c.world.run(5min);
  EXPECT_EQ(c.world.kernel().moves(), 1u) << "once is enough";
}

TEST(NatLife, MoveOfThePortAloneBringsTheAddressThatTheKernelHasRefused) {
  Connected c;
  c.world.kernel().refuse_moves(1);
  tell(c.world, mapping(c.world, c.client, elsewhere));
  c.world.run(900ms);
  const Endpoint other_port{elsewhere.address, 44444};
  tell(c.world, mapping(c.world, c.client, other_port));
  c.world.run(5s);
  EXPECT_EQ(direction_of(c.world, c.client), other_port.to_string());
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(NatLife, PeerThatGoesWhileItsMoveIsRefusedLeavesNothing) {
  Connected c;
  c.world.kernel().refuse_moves(100);
  tell(c.world, mapping(c.world, c.client, elsewhere));
  c.world.run(3s);
  c.world.engine().shut_down(c.world.now());
  c.world.pump();
  EXPECT_TRUE(c.world.nothing_left());
}

TEST(NatLife, PeerThatGoesWhileItsMoveWaitsLeavesNothing) {
  Connected c;
  tell(c.world, mapping(c.world, c.client, elsewhere));
  tell(c.world, mapping(c.world, c.client, {nat_b, 44444}));
  c.world.engine().shut_down(c.world.now());
  c.world.pump();
  EXPECT_TRUE(c.world.nothing_left());
}

}  // namespace
