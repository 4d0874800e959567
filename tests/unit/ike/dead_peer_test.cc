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

TEST(DeadPeer, KernelThatDoesNotTellCondemnsNobody) {
  Connected c(cheap(), [] {
    auto settings = host();
    settings.dpd = false;
    settings.answers_dpd = false;
    return settings;
  }());
  const auto spi = spis_of(c.client).out;
  for (int i = 0; i < 20; ++i) {
    c.world.kernel().traffic(spi, 1);
    c.world.kernel().do_not_count(100);
    c.world.run(60s);
  }
  EXPECT_EQ(c.world.disagreement(c.client, 0), "");
}

/// As Windows is.
InitiatorSettings without_dpd() {
  auto settings = host();
  settings.dpd = false;
  settings.answers_dpd = false;
  return settings;
}

TEST(DeadPeer, OneThatNeverSaidItUnderstandsIsNotAskedAndHasALongerTime) {
  Connected c(cheap(), without_dpd());
  c.world.run(890s);
  EXPECT_EQ(c.world.disagreement(c.client, 0), "");
  c.world.run(20s);
  EXPECT_EQ(asked(c.client), 0u);
  EXPECT_EQ(c.world.kernel().events_of(EventKind::peer_silent), 1u);
  EXPECT_TRUE(c.world.kernel().empty());
  EXPECT_TRUE(c.world.engine().peers().empty());
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(DeadPeer, OneThatCannotBeAskedLivesAsLongAsItsPacketsArrive) {
  Connected c(cheap(), without_dpd());
  const auto spi = spis_of(c.client).out;
  for (int i = 0; i < 5; ++i) {
    c.world.run(600s);  // a phone that sleeps wakes up for L2TP's HELLO now and then
    c.world.kernel().traffic(spi, 1);
  }
  EXPECT_EQ(c.world.disagreement(c.client, 0), "");
  c.world.run(1000s);
  EXPECT_TRUE(c.world.engine().peers().empty());
}

TEST(DeadPeer, SilenceCountsEvenWhereNobodyIsAsked) {
  auto ws = cheap();
  ws.engine.dpd = 0s;
  ws.engine.silence_timeout = 100s;
  Connected c(ws);
  c.world.run(90s);
  EXPECT_EQ(c.world.disagreement(c.client, 0), "");
  c.world.run(40s);
  EXPECT_EQ(asked(c.client), 0u);
  EXPECT_TRUE(c.world.engine().peers().empty());
}

TEST(DeadPeer, OneWhoseIsakmpSaIsGoneHasTheLongerTime) {
  Connected c;
  c.client.delete_isakmp();
  c.world.run(800s);
  EXPECT_EQ(c.world.disagreement(c.client, 0), "");
  c.world.run(110s);
  EXPECT_TRUE(c.world.nothing_left());
}

TEST(DeadPeer, SaThatGoesWithItsCountIsNoSignOfLife) {
  auto settings = host();
  settings.esp_lifetime = 150s;
  Connected c(cheap(), settings);
  c.world.kernel().traffic(spis_of(c.client).out, 1000);
  c.world.run(50s);
  c.client.quick_mode(c.world.now());
  c.world.run(30s);
  c.client.stop_answering_dpd();
  c.world.run(310s);  // meanwhile the first pair ends, and its thousand packets are counted no more
  EXPECT_EQ(c.world.kernel().events_of(EventKind::peer_silent), 1u);
  EXPECT_TRUE(c.world.engine().peers().empty());
}

TEST(DeadPeer, RecordedAnswersAndQuestionsKeepNobodyAlive) {
  Connected c;
  c.world.run(100s);
  c.client.r_u_there(1);
  c.world.run(1s);
  c.client.stop_answering_dpd();
  const auto recorded = c.world.arrived();
  ASSERT_GE(asked(c.client), 1u);
  for (int i = 0; i < 40; ++i) {
    c.world.run(10s);
    for (const auto& d : recorded) c.world.inject(d.from, d.to, d.bytes);
  }
  EXPECT_EQ(c.world.kernel().events_of(EventKind::peer_silent), 1u);
  EXPECT_EQ(c.world.engine().peers().size(), 0u);
}

TEST(DeadPeer, RecordingOlderThanAllThatIsRememberedKeepsNobodyAliveEither) {
  Connected c;
  c.client.r_u_there(1);
  c.world.run(1s);
  const auto recorded = c.world.arrived().back();
  for (std::uint32_t i = 2; i < 9000; ++i) c.client.r_u_there(i);
  c.world.run(1s);
  c.client.stop_answering_dpd();
  const auto answers = c.world.left().size();
  c.world.inject(recorded.from, recorded.to, recorded.bytes);
  EXPECT_EQ(c.world.left().size(), answers + 1) << "its message id is forgotten";
  for (int i = 0; i < 40; ++i) {
    c.world.run(10s);
    c.world.inject(recorded.from, recorded.to, recorded.bytes);
  }
  EXPECT_EQ(c.world.kernel().events_of(EventKind::peer_silent), 1u);
}

TEST(DeadPeer, RepeatedQuestionIsAnsweredOnce) {
  Connected c;
  c.client.r_u_there(1);
  c.world.run(1s);
  const auto question = c.world.arrived().back();
  const auto answers = c.world.left().size();
  for (int i = 0; i < 100; ++i) c.world.inject(question.from, question.to, question.bytes);
  EXPECT_EQ(c.world.left().size(), answers);
  EXPECT_EQ(c.world.dropped(DropReason::message_id_used), 100u);
  c.client.r_u_there(2);
  c.world.run(1s);
  EXPECT_EQ(c.world.left().size(), answers + 1);
}

TEST(DeadPeer, ZeroMeansNever) {
  auto ws = cheap();
  ws.engine.dpd = 0s;
  ws.engine.silence_timeout = 0s;
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
