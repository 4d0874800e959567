// Ends: Deletes from the peer and from us, lifetimes, and what must survive which.

#include "scene.h"

namespace {

using namespace scene;
namespace notify = ike::v1::notify;

TEST(Delete, OfTheIsakmpSaKeepsTheEspSas) {
  Connected c;
  c.client.delete_isakmp();
  c.world.run(60s);
  EXPECT_EQ(c.world.engine().isakmp_sas(), 0u);
  EXPECT_EQ(c.world.disagreement(c.client), "") << "Windows deletes its ISAKMP SA and talks on";
  c.world.run(3600s);
  EXPECT_TRUE(c.world.nothing_left());
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Delete, OfTheIsakmpSaWhileTheKernelInstallsKeepsThePairThatWasAgreed) {
  auto ws = cheap();
  ws.kernel.install_delay = 500ms;
  World w(ws);
  NatBox nat(nat_a);
  auto& client = w.add(host(), &nat);
  client.connect(w.now());
  while (client.children().empty()) w.run(5ms);
  client.delete_isakmp();  // right behind message 3
  w.run(5s);
  EXPECT_EQ(w.disagreement(client), "");
  EXPECT_THAT(w.kernel().imbalances(), IsEmpty());
  EXPECT_EQ(w.kernel().events_of(EventKind::peer_up), 1u);
  w.run(3700s);
  EXPECT_TRUE(w.nothing_left());
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST(Delete, OfBothTakesEverythingAway) {
  Connected c;
  c.client.delete_esp(c.client.children()[0].in);
  c.client.delete_isakmp();
  c.world.run(1s);
  EXPECT_TRUE(c.world.nothing_left());
  EXPECT_EQ(c.world.kernel().events_of(EventKind::peer_gone), 1u);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Delete, PeerWithoutEspIsLostAfterAWhileAndUpAgainWithTheNextPair) {
  Connected c;
  c.client.delete_esp(c.client.children()[0].in);
  c.world.run(3s);
  EXPECT_EQ(c.world.kernel().events_of(EventKind::peer_lost), 0u);
  c.world.run(10s);
  EXPECT_EQ(c.world.kernel().events_of(EventKind::peer_lost), 1u);
  EXPECT_EQ(c.world.kernel().sas().size(), 0u);
  c.client.quick_mode(c.world.now());
  c.world.run(1s);
  EXPECT_EQ(c.world.disagreement(c.client), "");
  EXPECT_EQ(c.world.kernel().events_of(EventKind::peer_up), 2u);
}

TEST(Delete, OfAStrangersSpiDoesNothing) {
  World w(cheap());
  NatBox nat(nat_a);
  auto& a = w.add(host(2), &nat);
  auto& b = w.add(host(3), &nat);
  a.connect(w.now());
  b.connect(w.now());
  w.run(5s);
  b.delete_esp(a.children()[0].in);
  b.delete_esp(a.children()[0].out);
  b.delete_esp(b.children()[0].out);  // its own pair, but not the SPI it may name
  const auto [ai, ar] = a.cookies();
  Bytes cookies(ai.begin(), ai.end());
  base::append(cookies, ar);
  b.informational(ike::v1::PayloadType::delete_,
                  ike::v1::encode_delete({.protocol = 1, .spi_size = 16, .spis = cookies}));
  w.run(20s);
  EXPECT_EQ(w.disagreement(a), "");
  EXPECT_EQ(w.disagreement(b), "");
  EXPECT_EQ(w.engine().isakmp_sas(), 2u);
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST(Delete, TerminateSendsDeletesForBothAndLeavesNothing) {
  Connected c;
  const auto inbound = c.client.children()[0].out;
  ASSERT_TRUE(
      c.world.engine().terminate(c.world.peer_of(c.client)->number, "the operator says so", c.world.now()));
  c.world.run(1s);
  EXPECT_THAT(c.client.deleted_spis(), ::testing::ElementsAre(inbound));
  EXPECT_EQ(c.client.deleted_isakmp(), 1u);
  EXPECT_TRUE(c.world.nothing_left());
  EXPECT_FALSE(c.world.engine().terminate(ike::PeerNumber(1), "again", c.world.now()));
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Delete, ShutDownEndsThePeersAndTheHalfOpen) {
  auto ws = cheap();
  ws.kernel.dh_delay = 200ms;
  World w(ws);
  NatBox nat(nat_a);
  std::vector<Initiator*> clients;
  for (std::uint8_t i = 2; i < 12; ++i) {
    clients.push_back(&w.add(host(i), &nat));
    clients.back()->connect(w.now());
    w.run(70ms);  // all stages at once
  }
  w.engine().shut_down(w.now());
  w.run(100ms);
  EXPECT_TRUE(w.kernel().empty());
  EXPECT_EQ(w.engine().isakmp_sas(), 0u);
  EXPECT_THAT(w.engine().peers(), IsEmpty());
  EXPECT_FALSE(w.engine().next_timeout());
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST(Delete, IsakmpSaThatReachedItsLifetimeSaysGoodbye) {
  auto s = host();
  s.ike_lifetime = 600s;
  Connected c(cheap(), s);
  c.world.run(610s);
  EXPECT_EQ(c.client.deleted_isakmp(), 1u);
  EXPECT_EQ(c.world.engine().isakmp_sas(), 0u);
  EXPECT_EQ(c.world.disagreement(c.client), "");
}

TEST(Delete, PairThatReachedItsLifetimeSaysGoodbye) {
  Connected c;  // its client has not renewed it, answers no renewal of ours, and may count the time otherwise
  const auto ours = spis_of(c.client).out;
  c.world.run(3595s);
  EXPECT_THAT(c.client.deleted_spis(), IsEmpty());
  c.world.run(10s);
  EXPECT_THAT(c.client.deleted_spis(), ::testing::ElementsAre(ours));
  EXPECT_THAT(c.world.kernel().sas(), IsEmpty());
}

TEST(Delete, HardLimitOfTheKernelEndsThePairAndTellsThePeer) {
  Connected c;
  const auto ours = spis_of(c.client).out;
  const auto id = xfrm::id_of(*c.world.kernel().inbound(c.client.children()[0].out));
  c.world.kernel().expire(id);
  c.world.engine().expired(id, c.world.now());
  c.world.run(1s);
  EXPECT_THAT(c.world.kernel().sas(), IsEmpty());
  EXPECT_EQ(c.world.kernel().events_of(EventKind::sa_expired), 1u);
  EXPECT_THAT(c.client.deleted_spis(), ::testing::ElementsAre(ours));
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(DeadPeerDetection, IsAnsweredWithTheSameSpiAndSequenceNumber) {
  Connected c;
  c.client.r_u_there(0x01020304);
  c.world.run(1s);
  ASSERT_THAT(c.client.notified(), SizeIs(1));
  const auto& ack = c.client.notified()[0];
  EXPECT_EQ(ack.type, notify::r_u_there_ack);
  EXPECT_TRUE(ack.encrypted);
  EXPECT_EQ(ack.data, (Bytes{1, 2, 3, 4}));
  const auto [i, r] = c.client.cookies();
  Bytes cookies(i.begin(), i.end());
  base::append(cookies, r);
  EXPECT_EQ(ack.spi, cookies);
}

TEST(InitialContact, DeletesNothingOfTheSiblingsNorOfTheSender) {
  World w(cheap());
  NatBox nat(nat_a);
  auto& a = w.add(host(2), &nat);
  a.connect(w.now());
  w.run(2s);
  auto with_contact = host(3);
  with_contact.contact = harness::Contact::in_message_5;  // in message 5
  auto& b = w.add(with_contact, &nat);
  b.connect(w.now());
  w.run(2s);
  b.notify(notify::initial_contact);  // Android: an Informational of its own
  w.run(20s);
  EXPECT_EQ(w.disagreement(a), "");
  EXPECT_EQ(w.disagreement(b), "");
  EXPECT_THAT(w.complaints(), IsEmpty());
}

}  // namespace
