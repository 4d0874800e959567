// RFC 3706: who is asked, who is not, and who is given up.

#include "scene.h"

namespace {

using namespace scene;

std::size_t asked(const Initiator& client) {
  return static_cast<std::size_t>(std::ranges::count_if(client.notified(), [](const harness::Notified& n) {
    return n.encrypted && n.type == ike::v1::notify::r_u_there;
  }));
}

TEST(DeadPeer, SilentOneThatAnswersIsKept) {
  Connected c;
  c.world.run(1000s);
  EXPECT_GE(asked(c.client), 5u);
  EXPECT_EQ(c.world.disagreement(c.client, 0), "");
  EXPECT_EQ(c.world.kernel().events_of(EventKind::peer_silent), 0u);
}

TEST(DeadPeer, OneThatAnswersNothingIsGivenUpAndLeavesNothing) {
  Connected c;
  c.client.stop_answering_dpd();
  c.world.run(290s);
  EXPECT_EQ(c.world.kernel().events_of(EventKind::peer_silent), 0u);
  EXPECT_GE(asked(c.client), 3u);
  c.world.run(20s);
  EXPECT_EQ(c.world.kernel().events_of(EventKind::peer_silent), 1u);
  EXPECT_EQ(c.world.kernel().events_of(EventKind::peer_gone), 1u);
  EXPECT_TRUE(c.world.kernel().empty());
  EXPECT_TRUE(c.world.engine().peers().empty());
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(DeadPeer, OneWhosePacketsArriveIsNotAsked) {
  Connected c;
  c.client.stop_answering_dpd();
  const auto spi = spis_of(c.client).out;
  for (int i = 0; i < 100; ++i) {
    c.world.kernel().traffic(spi, 1);
    c.world.run(10s);
  }
  EXPECT_EQ(asked(c.client), 0u);
  EXPECT_EQ(c.world.disagreement(c.client, 0), "");
}

TEST(DeadPeer, OneThatNeverSaidItUnderstandsIsNeitherAskedNorGivenUp) {
  auto settings = host();
  settings.dpd = false;
  settings.answers_dpd = false;
  Connected c(cheap(), settings);
  c.world.run(1000s);
  EXPECT_EQ(asked(c.client), 0u);
  EXPECT_EQ(c.world.disagreement(c.client, 0), "");
}

TEST(DeadPeer, ZeroMeansNever) {
  auto ws = cheap();
  ws.engine.dpd = 0s;
  Connected c(ws);
  c.client.stop_answering_dpd();
  c.world.run(1000s);
  EXPECT_EQ(asked(c.client), 0u);
  EXPECT_EQ(c.world.disagreement(c.client, 0), "");
}

TEST(DeadPeer, SiblingBehindTheSameNatLivesOn) {
  Connected c;
  auto& sibling = c.world.add(host(3), &c.nat);
  sibling.connect(c.world.now());
  c.world.run(2s);
  c.client.stop_answering_dpd();
  c.world.run(400s);
  EXPECT_EQ(c.world.engine().peers().size(), 1u);
  EXPECT_EQ(c.world.disagreement(sibling, 0), "");
}

}  // namespace
