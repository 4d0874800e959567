// Whole lives of tunnels on virtual time, over networks good and bad.

#include <random>

#include <gtest/gtest.h>

#include "bench.h"

namespace l2tp {
namespace {

using namespace std::chrono_literals;
using testing::alias_a;
using testing::alias_b;
using testing::Lac;
using testing::mark_a;
using testing::mark_b;
using testing::World;

template <class E>
std::size_t count(const World& world) {
  return world.all<E>().size();
}

TEST(TwoParty, ATunnelAndItsCallComeUpAndGoAgain) {
  World world;
  auto& lac = world.add(alias_a, mark_a, 4);
  lac.dial(world.now);
  world.run_for(1s);
  ASSERT_EQ(count<OpenTunnelSocket>(world), 1u);
  const auto tunnel = world.all<OpenTunnelSocket>()[0].tunnel;
  EXPECT_EQ(tunnel.local, testing::gateway);
  EXPECT_EQ(tunnel.remote, alias_a);
  EXPECT_EQ(tunnel.mark, mark_a);
  EXPECT_EQ(tunnel.id, lac.peer_tunnel);
  EXPECT_EQ(count<AddLatch>(world), 1u);
  EXPECT_EQ(count<KernelTunnelUp>(world), 1u);
  ASSERT_EQ(count<StartSession>(world), 1u);
  EXPECT_EQ(world.all<StartSession>()[0].session, (SessionName{lac.peer_session, SessionId(Lac::call_id)}));
  lac.hang_up(world.now);
  world.run_for(1s);
  EXPECT_EQ(count<StopSession>(world), 1u);
  EXPECT_EQ(count<CloseTunnelSocket>(world), 1u);
  EXPECT_TRUE(lac.channel().all_acknowledged());
  EXPECT_EQ(count<TunnelDown>(world), 1u);
  EXPECT_TRUE(world.server.quiet());
  EXPECT_EQ(count<RemoveLatch>(world), 1u);
  world.run_for(40s);
  EXPECT_TRUE(world.server.tunnels().empty());
  EXPECT_FALSE(world.server.next_timeout());
}

TEST(TwoParty, AndroidGetsTheZLBForItsSCCCNAtOnce) {
  World world;
  auto& lac = world.add(alias_a, mark_a, 0xb3d1, 1);
  lac.calls = false;
  lac.dial(world.now);
  world.run_for(25ms);  // SCCRQ, SCCRP, and SCCCN on its way
  const auto before = world.sent;
  world.run_for(10ms);
  EXPECT_EQ(world.sent, before + 1);
  EXPECT_EQ(count<KernelTunnelUp>(world), 1u);
}

/// Loses, repeats and reorders at random: every datagram has none to two copies, each up to 1.5 s late.
testing::Network bad_network(std::mt19937& dice, int lost_percent) {
  return [&dice, lost_percent] {
    std::vector<base::Duration> copies;
    for (int i = 0; i < 2; ++i) {
      const bool arrives = static_cast<int>(dice() % 100) >= (i == 0 ? lost_percent : 80);
      if (arrives) copies.emplace_back(std::chrono::milliseconds(dice() % 1500));
    }
    return copies;
  };
}

TEST(TwoParty, LossRepetitionAndReorderingHarmNobody) {
  int judged = 0;
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    std::mt19937 dice(seed);
    World world(bad_network(dice, 25), {}, seed);
    auto& a = world.add(alias_a, mark_a, 4, static_cast<std::uint16_t>(1 + seed % 4));
    auto& b = world.add(alias_b, mark_b, 4, static_cast<std::uint16_t>(1 + seed % 3));
    a.dial(world.now);
    b.dial(world.now);
    world.run_for(28s);
    if (a.channel().failed() || b.channel().failed()) continue;  // six losses in a row do happen
    if (!a.channel().all_acknowledged() || !b.channel().all_acknowledged()) continue;
    ++judged;
    ASSERT_EQ(count<OpenTunnelSocket>(world), 2u) << seed;
    ASSERT_EQ(count<KernelTunnelUp>(world), 2u) << seed;
    ASSERT_EQ(count<StartSession>(world), 2u) << seed;
    ASSERT_EQ(count<TunnelDown>(world), 0u) << seed;
    a.hang_up(world.now);
    b.hang_up(world.now);
    world.run_for(100s);
    EXPECT_EQ(count<StopSession>(world), 2u) << seed;
    EXPECT_EQ(count<CloseTunnelSocket>(world), 2u) << seed;
    EXPECT_EQ(count<RemoveLatch>(world), 2u) << seed;
    EXPECT_TRUE(world.server.tunnels().empty()) << seed;
  }
  EXPECT_GE(judged, 180);
}

TEST(TwoParty, AuthenticatedTunnelsComeUpThroughABadNetworkAndOthersNever) {
  int up = 0;
  for (std::uint32_t seed = 1; seed <= 100; ++seed) {
    std::mt19937 dice(seed);
    Settings settings;
    settings.secret = kept_here(base::Secret::copy_of(base::as_bytes("swordfish")));
    World world(bad_network(dice, 25), std::move(settings), seed);
    auto& knows = world.add(alias_a, mark_a, 4);
    auto& guesses = world.add(alias_b, mark_b, 4);
    knows.share(base::as_bytes("swordfish"));
    guesses.share(base::as_bytes("herring"));
    knows.dial(world.now);
    guesses.dial(world.now);
    world.run_for(60s);
    for (const auto& session : world.all<StartSession>()) {
      EXPECT_EQ(session.tunnel.mark, mark_a) << seed;
      ++up;
    }
    EXPECT_EQ(knows.server_is_genuine, knows.seen[MessageType::SCCRP] > 0) << seed;
    EXPECT_FALSE(guesses.server_is_genuine) << seed;
  }
  EXPECT_GE(up, 98);
}

TEST(TwoParty, MostTunnelsComeUpThroughABadNetwork) {
  int up = 0;
  for (std::uint32_t seed = 1; seed <= 100; ++seed) {
    std::mt19937 dice(seed);
    World world(bad_network(dice, 25), {}, seed);
    world.add(alias_a, mark_a, 4).dial(world.now);
    world.run_for(60s);
    up += count<StartSession>(world) == 1;
  }
  EXPECT_GE(up, 98);
}

TEST(TwoParty, APeerThatFallsSilentIsAskedAfterAMinuteAndForgottenFiveMinutesLater) {
  bool silent = false;
  World world(
      [&silent] { return silent ? std::vector<base::Duration>{} : std::vector<base::Duration>{10ms}; });
  world.add(alias_a, mark_a, 4).dial(world.now);
  world.run_for(1s);
  silent = true;
  const auto sent = world.sent;
  world.run_for(58s);
  EXPECT_EQ(world.sent, sent);
  world.run_for(5s);
  EXPECT_GT(world.sent, sent);
  world.run_for(290s);
  EXPECT_EQ(count<TunnelDown>(world), 0u);
  world.run_for(20s);
  ASSERT_EQ(count<TunnelDown>(world), 1u);
  EXPECT_EQ(world.all<TunnelDown>()[0].why, "the peer does not answer");
  EXPECT_EQ(count<StopSession>(world), 1u);
  EXPECT_EQ(count<RemoveLatch>(world), 1u);
  EXPECT_TRUE(world.server.tunnels().empty());
}

TEST(TwoParty, WithoutAHelloIntervalNobodyIsEverAsked) {
  Settings settings;
  settings.hello_interval = 0s;
  World world(World::perfect(), std::move(settings));
  auto& lac = world.add(alias_a, mark_a, 4);
  lac.dial(world.now);
  world.run_for(1s);
  const auto sent = world.sent;
  world.run_for(24h);
  EXPECT_EQ(world.sent, sent);
  EXPECT_EQ(lac.seen[MessageType::HELLO], 0);
  EXPECT_EQ(world.server.tunnels().size(), 1u);
}

TEST(TwoParty, APeerThatDozesThroughThreeMinutesOfHELLOsKeepsItsTunnel) {
  bool silent = false;
  World world(
      [&silent] { return silent ? std::vector<base::Duration>{} : std::vector<base::Duration>{10ms}; });
  auto& lac = world.add(alias_a, mark_a, 4);
  lac.dial(world.now);
  world.run_for(1s);
  silent = true;
  world.run_for(240s);
  silent = false;
  world.run_for(60s);
  EXPECT_EQ(lac.seen[MessageType::HELLO], 1);
  EXPECT_EQ(count<TunnelDown>(world), 0u);
  world.run_for(600s);
  EXPECT_GE(lac.seen[MessageType::HELLO], 8);
  EXPECT_EQ(world.server.tunnels().size(), 1u);
}

TEST(TwoParty, AnUnansweredSCCRPIsGivenUpAfter31Seconds) {
  World world([] { return std::vector<base::Duration>{}; });
  Lac lac(alias_a, mark_a, 4);
  lac.dial(world.now);
  world.inject(alias_a, mark_a, *lac.channel().next_datagram());
  const auto began = world.now;
  while (!world.server.tunnels().empty()) {
    world.now = *world.server.next_timeout();
    world.server.timeout(world.now);
    world.carry_out();
  }
  EXPECT_EQ(world.now - began, 31s);
  EXPECT_EQ(world.sent, 6);
  EXPECT_EQ(count<OpenTunnelSocket>(world), 0u);
  EXPECT_EQ(count<TunnelDown>(world), 1u);
}

TEST(TwoParty, EndOfPPPReachesThePeerInWords) {
  World world;
  auto& lac = world.add(alias_a, mark_a, 4);
  lac.dial(world.now);
  world.run_for(1s);
  world.server.completed(SessionEnded{lac.peer_tunnel, lac.peer_session,
                                      hang_up(CallResult::administrative, "PPP: authentication failed")},
                         world.now);
  world.run_for(1s);
  EXPECT_EQ(lac.seen[MessageType::CDN], 1);
  ASSERT_TRUE(lac.ending);
  EXPECT_EQ(lac.ending->message, "PPP: authentication failed");
  EXPECT_EQ(count<StopSession>(world), 0u);  // the shell knows already
}

TEST(TwoParty, ShuttingDownTellsEveryPeerAndComesToRest) {
  World world;
  auto& a = world.add(alias_a, mark_a, 4);
  auto& b = world.add(alias_b, mark_b, 4);
  a.dial(world.now);
  b.dial(world.now);
  world.run_for(1s);
  world.server.close_all(world.now);
  EXPECT_FALSE(world.server.quiet());
  world.run_for(1s);
  EXPECT_TRUE(world.server.quiet());
  EXPECT_TRUE(world.server.tunnels().empty());
  EXPECT_EQ(a.seen[MessageType::StopCCN], 1);
  EXPECT_EQ(a.ending->code, static_cast<std::uint16_t>(StopResult::shutting_down));
  EXPECT_EQ(count<StopSession>(world), 2u);
  EXPECT_EQ(count<CloseTunnelSocket>(world), 2u);
  EXPECT_EQ(count<RemoveLatch>(world), 2u);
}

}  // namespace
}  // namespace l2tp
