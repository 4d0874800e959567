// The privileged process's picture of the tunnels, and what it has to say to the other one.

#include "l2tpd/tunnels.h"

#include <gmock/gmock.h>

#include "broker_messages.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

constexpr l2tp::SessionId one(1), two(2);

TunnelRow row(std::uint16_t id, const std::vector<l2tp::SessionId>& sessions = {}) {
  TunnelRow out{.name = sample::tunnel(),
                .host_name = "phone",
                .established = true,
                .lingering = false,
                .sessions = {}};
  out.name.id = l2tp::TunnelId(id);
  for (const auto session : sessions)
    out.sessions.push_back(
        {{session, l2tp::SessionId(static_cast<std::uint16_t>(session.value + 100))}, false});
  return out;
}

class TunnelsTest : public ::testing::Test {
 protected:
  void tell(std::vector<TunnelRow> rows, std::vector<l2tp::TunnelId> gone = {}) {
    now_ += 1s;
    told_.changed({std::move(rows), std::move(gone)}, now_);
  }
  void end(std::uint16_t tunnel, l2tp::SessionId session) {
    told_.ended(l2tp::TunnelId(tunnel), session, l2tp::hang_up(l2tp::CallResult::administrative, "over"));
  }
  std::vector<l2tp::SessionId> sessions_of(std::uint16_t tunnel) const {
    std::vector<l2tp::SessionId> out;
    if (const auto* found = told_.find(l2tp::TunnelId(tunnel)))
      for (const auto& [id, session] : found->sessions) out.push_back(id);
    return out;
  }

  int pokes_ = 0;
  Tunnels told_{[this] { ++pokes_; }};
  base::Time now_{};
};

TEST_F(TunnelsTest, ATunnelComesChangesAndGoes) {
  auto half_open = row(5);
  half_open.established = false;
  tell({half_open, row(6)});
  ASSERT_EQ(told_.all().size(), 2u);
  const auto* tunnel = told_.find(l2tp::TunnelId(5));
  ASSERT_NE(tunnel, nullptr);
  EXPECT_EQ(tunnel->name, half_open.name);
  EXPECT_EQ(tunnel->host_name, "phone");
  EXPECT_FALSE(tunnel->stands());
  tell({row(5, {one})});
  EXPECT_TRUE(tunnel->stands());
  ASSERT_NE(told_.find(l2tp::TunnelId(5), one), nullptr);
  EXPECT_EQ(told_.find(l2tp::TunnelId(5), one)->name.peer, l2tp::SessionId(101));
  EXPECT_EQ(told_.find(l2tp::TunnelId(5), two), nullptr);
  auto lingers = row(5);
  lingers.lingering = true;
  tell({lingers});
  EXPECT_FALSE(tunnel->stands());
  EXPECT_EQ(told_.find(l2tp::TunnelId(5), one), nullptr);
  tell({}, {l2tp::TunnelId(5), l2tp::TunnelId(99)});
  EXPECT_EQ(told_.find(l2tp::TunnelId(5)), nullptr);
  EXPECT_NE(told_.find(l2tp::TunnelId(6)), nullptr);
}

TEST_F(TunnelsTest, SinceIsWhenItWasFirstHeardOf) {
  tell({row(5, {one})});
  const auto first = now_;
  tell({row(5, {one, two})});
  EXPECT_EQ(told_.find(l2tp::TunnelId(5))->since, first);
  EXPECT_EQ(told_.find(l2tp::TunnelId(5), one)->since, first);
  EXPECT_EQ(told_.find(l2tp::TunnelId(5), two)->since, now_);
  tell({}, {l2tp::TunnelId(5)});
  tell({row(5)});
  EXPECT_EQ(told_.find(l2tp::TunnelId(5))->since, now_) << "another one of the same id";
}

TEST_F(TunnelsTest, ASessionThatHasEndedDoesNotComeBackFromARowThatIsOlder) {
  tell({row(5, {one, two}), row(6, {one})});
  end(5, one);
  EXPECT_THAT(sessions_of(5), ElementsAre(two)) << "at once";
  tell({row(5, {one, two})});
  EXPECT_THAT(sessions_of(5), ElementsAre(two));
  EXPECT_THAT(sessions_of(6), ElementsAre(one)) << "another tunnel's of the same id";
  tell({row(6, {one})});
  tell({row(5, {one, two})});
  EXPECT_THAT(sessions_of(5), ElementsAre(two)) << "another tunnel's row says nothing of it";
}

TEST_F(TunnelsTest, OnceTheOtherProcessHasHeardTheIdIsFreeAgain) {
  tell({row(5, {one, two})});
  end(5, one);
  end(5, two);
  tell({row(5, {two})});
  tell({row(5, {one, two})});
  EXPECT_THAT(sessions_of(5), ElementsAre(one));
  EXPECT_EQ(told_.find(l2tp::TunnelId(5), one)->since, now_);
}

TEST_F(TunnelsTest, WithItsTunnelItIsForgottenToo) {
  tell({row(4, {one}), row(5, {one}), row(6, {one})});
  for (std::uint16_t tunnel = 4; tunnel <= 6; ++tunnel) end(tunnel, one);
  tell({}, {l2tp::TunnelId(5)});
  tell({row(4, {one}), row(5, {one}), row(6, {one})});
  EXPECT_THAT(sessions_of(5), ElementsAre(one));
  EXPECT_THAT(sessions_of(4), ElementsAre()) << "those beside it are not";
  EXPECT_THAT(sessions_of(6), ElementsAre());
}

TEST_F(TunnelsTest, OrdersComeInTheirSequence) {
  told_.failed(l2tp::TunnelId(5), "no socket");
  end(5, one);
  told_.peer_gone(base::Mark(0x700));
  told_.close(l2tp::TunnelId(6), l2tp::stop(l2tp::StopResult::general, "bye"));
  told_.close_all();
  told_.abandon_all();
  told_.peers_gone(base::Time(std::chrono::nanoseconds(7)));
  told_.close_idle(l2tp::TunnelId(7), l2tp::stop(l2tp::StopResult::general, "bye"));
  const auto orders = told_.take_orders();
  ASSERT_EQ(orders.size(), 8u);
  EXPECT_EQ(std::get<CloseIdleTunnel>(orders[7]).tunnel, l2tp::TunnelId(7));
  EXPECT_EQ(std::get<PeersGone>(orders[6]).before, 7u);
  EXPECT_EQ(std::get<l2tp::TunnelFailed>(orders[0]).why, "no socket");
  EXPECT_EQ(std::get<l2tp::SessionEnded>(orders[1]).session, one);
  EXPECT_EQ(std::get<l2tp::SessionEnded>(orders[1]).ending.message, "over");
  EXPECT_EQ(std::get<PeerGone>(orders[2]).mark, base::Mark(0x700));
  EXPECT_EQ(std::get<CloseTunnel>(orders[3]).tunnel, l2tp::TunnelId(6));
  EXPECT_EQ(std::get<CloseTunnel>(orders[3]).ending.message, "bye");
  EXPECT_TRUE(std::holds_alternative<CloseAll>(orders[4]));
  EXPECT_TRUE(std::holds_alternative<AbandonAll>(orders[5]));
}

TEST_F(TunnelsTest, WhoTakesNoOrdersIsNotGivenAnyNumber) {
  for (int i = 0; i < 0x40000; ++i) told_.peer_gone(base::Mark(0x700));
  EXPECT_FALSE(told_.overwhelmed());
  told_.peer_gone(base::Mark(0x700));
  EXPECT_TRUE(told_.overwhelmed());
}

TEST_F(TunnelsTest, ManyOrdersAreTakenInPortionsAndAfterOnePoke) {
  for (std::uint16_t i = 1; i <= 250; ++i) told_.failed(l2tp::TunnelId(i), "");
  EXPECT_EQ(pokes_, 1);
  std::vector<std::size_t> portions;
  std::uint16_t next = 1;
  do {
    const auto orders = told_.take_orders();
    portions.push_back(orders.size());
    for (const auto& order : orders) EXPECT_EQ(std::get<l2tp::TunnelFailed>(order).tunnel.value, next++);
    if (portions.size() == 2) told_.failed(l2tp::TunnelId(251), "");
  } while (portions.back() > 0);
  EXPECT_THAT(portions, ElementsAre(100, 100, 51, 0));
  EXPECT_EQ(pokes_, 1) << "it still asks";
  told_.close_all();
  EXPECT_EQ(pokes_, 2);
}

TEST_F(TunnelsTest, ItIsQuietOnceNoTunnelWaitsForItsPeer) {
  EXPECT_TRUE(told_.quiet());
  auto half_open = row(5), lingers = row(6);
  half_open.established = false;
  lingers.lingering = true;
  tell({half_open, lingers});
  EXPECT_TRUE(told_.quiet());
  tell({row(7)});
  EXPECT_FALSE(told_.quiet());
  tell({}, {l2tp::TunnelId(7)});
  EXPECT_TRUE(told_.quiet());
}

TEST_F(TunnelsTest, CountsAreTheLastOnes) {
  Counts counts;
  counts.astray = 3;
  told_.counted(counts);
  EXPECT_EQ(told_.counts(), counts);
}

}  // namespace
}  // namespace l2tpd
