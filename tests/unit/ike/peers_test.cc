// Peers are told apart by cookies and SPIs, never by address or by what they call themselves.

#include "scene.h"

namespace {

using namespace scene;

TEST(Peers, TwoBehindOneAddressAreSeparate) {
  World w(cheap());
  NatBox nat(nat_a);
  auto& a = w.add(host(2), &nat);
  auto& b = w.add(host(3), &nat);
  a.connect(w.now());
  b.connect(w.now());
  w.run(5s);
  EXPECT_THAT(w.complaints(), IsEmpty());
  EXPECT_EQ(w.disagreement(a), "");
  EXPECT_EQ(w.disagreement(b), "");
  ASSERT_THAT(w.engine().peers(), SizeIs(2));
  EXPECT_NE(w.peer_of(a)->mark, w.peer_of(b)->mark);
  EXPECT_NE(w.peer_of(a)->alias, w.peer_of(b)->alias);
}

TEST(Peers, TwoBehindOneAddressWithTheSameIdentityAreSeparate) {
  World w(cheap());
  NatBox nat(nat_a);
  auto with_id = [](std::uint8_t last) {
    auto s = host(last);
    s.identity = udp_id(Address::v4(0x0a000001), 0, 0);
    return s;
  };
  auto& a = w.add(with_id(2), &nat);
  auto& b = w.add(with_id(3), &nat);
  a.connect(w.now());
  b.connect(w.now());
  w.run(5s);
  EXPECT_THAT(w.complaints(), IsEmpty());
  EXPECT_EQ(w.disagreement(a), "");
  EXPECT_EQ(w.disagreement(b), "");
  EXPECT_THAT(w.engine().peers(), SizeIs(2));
}

TEST(Peers, TheSamePrivateAddressBehindTwoNatsIsTwoPeers) {
  World w(cheap());
  NatBox first(nat_a), second(nat_b);
  auto& a = w.add(host(2, 1), &first);
  auto& b = w.add(host(2, 2), &second);
  a.connect(w.now());
  b.connect(w.now());
  w.run(5s);
  EXPECT_THAT(w.complaints(), IsEmpty());
  EXPECT_EQ(w.disagreement(a), "");
  EXPECT_EQ(w.disagreement(b), "");
  EXPECT_EQ(w.kernel().entries().at(w.peer_of(a)->mark).home, nat_a);
  EXPECT_EQ(w.kernel().entries().at(w.peer_of(b)->mark).home, nat_b);
}

TEST(Peers, ClientsMayChooseEqualSpis) {
  World w(cheap());
  NatBox nat(nat_a);
  auto same_spi = [](std::uint8_t last) {
    auto s = host(last);
    s.spi = xfrm::Spi(0xc0ffee00);
    return s;
  };
  auto& a = w.add(same_spi(2), &nat);
  auto& b = w.add(same_spi(3), &nat);
  a.connect(w.now());
  b.connect(w.now());
  w.run(5s);
  EXPECT_THAT(w.complaints(), IsEmpty());
  EXPECT_EQ(a.children().at(0).in, b.children().at(0).in);
  EXPECT_EQ(w.disagreement(a), "");
  EXPECT_EQ(w.disagreement(b), "");
  a.delete_esp(xfrm::Spi(0xc0ffee00));
  w.run(20s);
  EXPECT_EQ(w.disagreement(b), "") << "a Delete of A's SPI is about A's SA";
  EXPECT_EQ(w.kernel().outbound_sas(), 1u);
}

TEST(Peers, TwoPreSharedKeysServeOneListener) {
  auto ws = cheap();
  ws.kernel.psks = {{"family", "swordfish"}, {"office", "correct horse"}};
  World w(ws);
  NatBox nat(nat_a);
  auto office = host(3);
  office.psk = "correct horse";
  auto& a = w.add(host(2), &nat);
  auto& b = w.add(office, &nat);
  a.connect(w.now());
  b.connect(w.now());
  w.run(5s);
  EXPECT_THAT(w.complaints(), IsEmpty());
  EXPECT_EQ(w.disagreement(a), "");
  EXPECT_EQ(w.disagreement(b), "");
  EXPECT_EQ(w.peer_of(a)->key.psk, "family");
  EXPECT_EQ(w.peer_of(b)->key.psk, "office");
}

TEST(Peers, WrongPreSharedKeyIsReportedOnceAndLeavesNothing) {
  World w(cheap());
  NatBox nat(nat_a);
  auto wrong = host();
  wrong.psk = "guess";
  auto& client = w.add(wrong, &nat);
  client.connect(w.now());
  w.run(10s);
  EXPECT_FALSE(client.ike_up());
  EXPECT_EQ(w.dropped(DropReason::undecryptable), 1u) << "what the client repeats is not tried again";
  EXPECT_EQ(w.kernel().events_of(EventKind::authentication_failed), 1u);
  EXPECT_EQ(w.engine().isakmp_sas(), 1u);
  w.run(30s);
  EXPECT_TRUE(w.nothing_left());
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST(Peers, NoPreSharedKeyAtAllSaysSo) {
  auto ws = cheap();
  ws.kernel.psks.clear();
  World w(ws);
  auto& client = w.add(without_nat());
  client.connect(w.now());
  w.run(10s);
  ASSERT_EQ(w.kernel().events_of(EventKind::authentication_failed), 1u);
  EXPECT_THAT(w.kernel().told(EventKind::authentication_failed), ::testing::HasSubstr("no pre-shared key"));
}

TEST(Peers, NumberRestsInQuarantineBeforeItIsGivenOutAgain) {
  auto ws = cheap();
  ws.engine.numbering.capacity = 1;
  ws.engine.numbering.quarantine = 300s;
  World w(ws);
  NatBox nat(nat_a);
  auto& a = w.add(host(2), &nat);
  a.connect(w.now());
  w.run(2s);
  auto& b = w.add(host(3), &nat);
  b.connect(w.now());
  w.run(2s);
  EXPECT_EQ(w.disagreement(a), "");
  EXPECT_EQ(w.kernel().events_of(EventKind::no_number_left), 1u) << "the only one is A's";
  ASSERT_TRUE(w.engine().terminate(w.peer_of(a)->number, "a test", w.now()));
  w.run(60s);
  auto& c = w.add(host(4), &nat);
  c.connect(w.now());
  w.run(40s);
  EXPECT_FALSE(c.ike_up()) << "the number rests";
  w.run(300s);
  auto& d = w.add(host(5), &nat);
  d.connect(w.now());
  w.run(2s);
  EXPECT_EQ(w.disagreement(d), "");
  EXPECT_THAT(w.kernel().complaints(), IsEmpty());
}

TEST(Peers, NumbersBeginAnywhereBesideADaemonThatOutlivesUsAndAllAreGivenOut) {
  std::set<std::uint32_t> firsts;
  for (std::uint64_t seed = 1; seed < 9; ++seed) {
    auto ws = cheap();
    ws.seed = seed;
    ws.engine.numbering.from_anywhere = true;
    ws.engine.numbering.capacity = 5;
    World w(ws);
    NatBox nat(nat_a);
    for (std::uint8_t i = 2; i < 9; ++i) w.add(host(i), &nat).connect(w.now());
    w.run(2s);
    std::set<std::uint32_t> given;
    for (const auto& [number, peer] : w.engine().peers()) given.insert(number.value);
    EXPECT_EQ(given, (std::set<std::uint32_t>{1, 2, 3, 4, 5}));
    firsts.insert(
        std::ranges::find(w.kernel().events(), EventKind::peer_authenticated, &ike::Event::kind)->peer.value);
  }
  EXPECT_GT(firsts.size(), 1u);
}

TEST(Peers, OneThatAsksForNoIpsecSaIsGoneAfterAMinute) {
  World w(cheap());
  NatBox nat(nat_a);
  auto& idle = w.add(host(2), &nat);
  auto& working = w.add(host(3), &nat);
  idle.main_mode(w.now());
  working.connect(w.now());
  w.run(55s);
  EXPECT_THAT(w.engine().peers(), SizeIs(2));
  w.run(10s);
  EXPECT_THAT(w.engine().peers(), SizeIs(1));
  EXPECT_EQ(idle.deleted_isakmp(), 1u) << "it is told";
  EXPECT_EQ(w.disagreement(working), "");
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST(Peers, NumberThatTheKernelNeverHeardOfNeedsNoRest) {
  auto ws = cheap();
  ws.engine.numbering.capacity = 1;
  World w(ws);
  NatBox nat(nat_a);
  w.add(host(2), &nat).main_mode(w.now());
  w.run(65s);
  auto& b = w.add(host(3), &nat);
  b.connect(w.now());
  w.run(2s);
  EXPECT_EQ(w.disagreement(b), "");
}

TEST(Peers, IdentitiesInventedAtOnePortTakeAFewNumbersOnly) {
  World w(cheap());
  auto& liar = w.add(without_nat());
  for (std::uint8_t i = 0; i < 20; ++i) {
    auto s = without_nat();
    s.seed = i + 1u;
    s.identity = udp_id(Address::v4(0x0a000001u + i), 0, 0);
    liar = Initiator(s);
    liar.connect(w.now());
    w.run(1s);
  }
  EXPECT_THAT(w.engine().peers(), SizeIs(8));
  EXPECT_EQ(w.kernel().events_of(EventKind::no_number_left), 12u);
}

TEST(Peers, OneAddressDoesNotGetAllNumbers) {
  auto ws = cheap();
  ws.engine.numbering.capacity = 300;
  World w(ws);
  NatBox crowd(nat_a), nat(nat_b);
  for (std::uint32_t i = 0; i < 90; ++i) {
    auto s = host(2, i + 1);
    s.local.address = Address::v4(0xc0a80002 + i);
    w.add(s, &crowd).connect(w.now());
    w.run(1s);
  }
  EXPECT_THAT(w.engine().peers(), SizeIs(75));
  auto& client = w.add(host(2, 500), &nat);
  client.connect(w.now());
  w.run(2s);
  EXPECT_EQ(w.disagreement(client), "");
}

TEST(Peers, ClientThatComesBackFromTheSamePortKeepsItsMark) {
  Connected c;
  const auto mark = c.world.peer_of(c.client)->mark;
  c.client = Initiator(host(2, 77));  // the same host after a crash: all is forgotten
  auto& again = c.client;
  again.connect(c.world.now());
  c.world.run(5s);
  EXPECT_EQ(c.world.disagreement(again), "");
  ASSERT_NE(c.world.peer_of(again), nullptr);
  EXPECT_EQ(c.world.peer_of(again)->mark, mark);
  EXPECT_THAT(c.world.kernel().complaints(), IsEmpty());
}

}  // namespace
