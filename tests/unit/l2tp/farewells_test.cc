// An operator ends a peer: its client hears StopCCN before the answer comes. The users' part needs pppds and
// is tested in links_test.cc and in the lab.

#include "l2tpd/farewells.h"

#include "served.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;
using control::Json;

class FarewellsTest : public Served {
 protected:
  FarewellsTest() {
    bench_.now = base::Clock::now();
    farewells_.serve(*control_);
  }

  void call(std::string_view method, const Json& parameters) {
    answer_.clear();
    client_->call(method, parameters, control::AsyncClient::Want::one, [this](const control::Answer& answer) {
      answer_ = answer.error.empty() ? answer.parameters.dump() : std::string(answer.error);
    });
    turn(300ms);
  }
  l2tp::TunnelId establish() {
    const auto id = bench_.establish();
    tell();
    return id;
  }
  /// Of the other process.
  void obey() {
    for (const auto& order : told_.take_orders()) {
      const auto* close = std::get_if<CloseTunnel>(&order);
      ASSERT_NE(close, nullptr);
      EXPECT_TRUE(bench_.server.close(close->tunnel, close->ending, bench_.now));
    }
    while (auto effect = bench_.server.next_effect()) bench_.effects.push_back(std::move(*effect));
    tell();
    farewells_.look();
  }
  void turn(base::Duration longest) {
    for (const auto end = base::Clock::now() + longest; answer_.empty() && base::Clock::now() < end;)
      loop_.run_once(5ms);
  }

  Farewells farewells_{loop_, told_, links_};
  std::string answer_;
};

TEST_F(FarewellsTest, ThePeerIsToldAndTheAnswerWaitsUntilItHasHeard) {
  const auto id = establish();
  call("sameroof.L2tp.Terminate", {{"mark", l2tp::testing::mark_a.value}});
  EXPECT_EQ(answer_, "") << "it has not heard yet";
  obey();
  turn(100ms);
  EXPECT_EQ(answer_, "") << "it has been told, and not more";
  const auto sent = bench_.sent();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent.back().type, l2tp::MessageType::StopCCN);
  EXPECT_EQ(sent.back().result->message, "the operator ended it");
  bench_.input(l2tp::encode(
      l2tp::Header{.tunnel = id, .session = {}, .ns = l2tp::SeqNo(2), .nr = l2tp::SeqNo(2), .body = {}}));
  obey();
  turn(300ms);
  EXPECT_EQ(answer_, R"({"marks":[256],"sessions":0,"tunnels":1})");
}

TEST_F(FarewellsTest, APeerThatDoesNotHearHoldsTheAnswerUpForTwoSecondsOnly) {
  establish();
  call("sameroof.L2tp.Terminate", {{"mark", l2tp::testing::mark_a.value}});
  turn(10s);
  EXPECT_EQ(answer_, R"({"marks":[256],"sessions":0,"tunnels":1})");
}

TEST_F(FarewellsTest, NobodyElsesTunnelEndsAndClearTextIsNoPeer) {
  establish();
  call("sameroof.L2tp.Terminate", {{"mark", l2tp::testing::mark_b.value}});
  EXPECT_EQ(answer_, R"({"marks":[512],"sessions":0,"tunnels":0})");
  for (const std::int64_t mark : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{0x100000100}}) {
    call("sameroof.L2tp.Terminate", {{"mark", mark}});
    EXPECT_EQ(answer_, "sameroof.L2tp.Refused");
  }
  call("sameroof.L2tp.TerminateUser", {{"user", "alice"}});
  EXPECT_EQ(answer_, "sameroof.L2tp.NoSuchUser");
  obey();
  EXPECT_EQ(bench_.server.tunnels().begin()->second.state(), l2tp::TunnelState::established);
}

}  // namespace
}  // namespace l2tpd
