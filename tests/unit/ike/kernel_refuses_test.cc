// The kernel says no: nothing is left half installed, and the next try works.

#include "scene.h"

namespace {

using namespace scene;

TEST(KernelRefuses, InboundSaOfANewPeerLeavesNothingAndTheNextTryWorks) {
  World w(cheap());
  NatBox nat(nat_a);
  auto& client = w.add(host(), &nat);
  w.kernel().refuse_inbound(1);
  client.connect(w.now());
  w.run(2s);
  EXPECT_THAT(client.children(), IsEmpty());
  EXPECT_TRUE(w.kernel().empty());
  EXPECT_EQ(w.kernel().events_of(EventKind::kernel_refused), 1u);
  client.quick_mode(w.now());
  w.run(2s);
  EXPECT_EQ(w.disagreement(client), "");
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST(KernelRefuses, PeerThatNeverHadAnIpsecSaHasLostNone) {
  World w(cheap());
  NatBox nat(nat_a);
  auto& client = w.add(host(), &nat);
  w.kernel().refuse_inbound(1);
  client.connect(w.now());
  w.run(30s);
  EXPECT_EQ(w.kernel().events_of(EventKind::peer_lost), 0u);
}

TEST(KernelRefuses, InboundSpiThatIsInUseDoesNotCostItsOwnerTheSa) {
  World w(cheap());
  NatBox nat(nat_a);
  auto& a = w.add(host(2), &nat);
  a.connect(w.now());
  w.run(2s);
  // What the kernel refused was never ours: removing it would hit whoever has that SPI.
  const auto before = w.kernel().sas().size();
  w.kernel().refuse_inbound(1);
  a.quick_mode(w.now());
  w.run(2s);
  EXPECT_EQ(w.kernel().sas().size(), before);
  for (const auto& effect : w.kernel().removed_in_vain()) ADD_FAILURE() << effect.spi.value;
}

TEST(KernelRefuses, OutboundSaOfANewPeerTakesTheInboundOneAwayAndTellsThePeer) {
  World w(cheap());
  NatBox nat(nat_a);
  auto& client = w.add(host(), &nat);
  w.kernel().refuse_outbound(1);
  client.connect(w.now());
  w.run(2s);
  EXPECT_THAT(w.kernel().sas(), IsEmpty());
  EXPECT_THAT(w.kernel().policies(), IsEmpty());
  ASSERT_THAT(client.children(), SizeIs(1)) << "it sent message 3 and knows no better";
  EXPECT_THAT(client.deleted_spis(), ::testing::ElementsAre(client.children()[0].out));
  client.quick_mode(w.now());
  w.run(2s);
  EXPECT_EQ(w.disagreement(client, 1), "");
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST(KernelRefuses, OutboundSaOfARekeyKeepsTheOldPair) {
  Connected c;
  c.world.kernel().refuse_outbound(1);
  c.client.quick_mode(c.world.now());
  c.world.run(2s);
  EXPECT_EQ(c.world.disagreement(c.client, 0), "");
  EXPECT_EQ(c.world.kernel().sas().size(), 2u);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(KernelRefuses, FirstOfTwoQuickModesThatBroughtTheMapElements) {
  auto ws = cheap();
  ws.kernel.install_delay = 200ms;
  World w(ws);
  NatBox nat(nat_a);
  auto& client = w.add(host(), &nat);
  client.main_mode(w.now());
  w.run(1s);
  w.kernel().refuse_inbound(1);
  client.quick_mode(w.now());
  client.quick_mode(w.now());
  w.run(5s);
  EXPECT_THAT(w.complaints(), IsEmpty()) << "no SA may stand without its map elements";
  EXPECT_THAT(w.kernel().imbalances(), IsEmpty());
  client.quick_mode(w.now());
  w.run(5s);
  EXPECT_EQ(w.disagreement(client, client.children().size() - 1), "");
}

TEST(KernelRefuses, FirstOfTwoQuickModesThatBroughtThePolicy) {
  auto ws = cheap();
  ws.kernel.install_delay = 200ms;
  World w(ws);
  NatBox nat(nat_a);
  auto& client = w.add(host(), &nat);
  client.main_mode(w.now());
  w.run(1s);
  w.kernel().refuse_outbound(1);
  client.quick_mode(w.now());
  client.quick_mode(w.now());
  w.run(5s);
  EXPECT_THAT(w.complaints(), IsEmpty()) << "no SA may stand without its policy";
  EXPECT_THAT(w.kernel().imbalances(), IsEmpty());
}

TEST(KernelRefuses, TerminateWhileTheKernelInstallsLeavesNothing) {
  for (int step = 6; step < 60; ++step) {
    auto ws = cheap();
    ws.kernel.install_delay = 100ms;
    World w(ws);
    NatBox nat(nat_a);
    auto& client = w.add(host(), &nat);
    client.connect(w.now());
    w.run(step * 10ms);
    ASSERT_THAT(w.engine().peers(), SizeIs(1));
    w.engine().terminate(w.engine().peers().begin()->first, "a test", w.now());
    w.network().conditions.loss = 1;
    w.run(60s);
    EXPECT_TRUE(w.nothing_left()) << step;
    EXPECT_THAT(w.complaints(), IsEmpty()) << step;
  }
}

}  // namespace
