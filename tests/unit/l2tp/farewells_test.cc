// An operator ends a peer, or a user: clients hear StopCCN before the answer comes.

#include "l2tpd/farewells.h"

#include "pretend_pppd.h"
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

/// The test is the process that reads packets: it says what there is of tunnels, and obeys.
class FarewellsToUsers : public PretendPppd {
 protected:
  FarewellsToUsers() {
    links_.emplace(loop_, config_, accounts_, bindings_, PppdProgram{.path = folder_ + "/pppd"},
                   Links::Calls{.ended = [this](const l2tp::TunnelName& tunnel,
                                                const l2tp::SessionName& session, l2tp::Ending ending) {
                     tunnels_.ended(tunnel.id, session.id, std::move(ending));
                   }});
    farewells_.emplace(loop_, tunnels_, *links_);
    control::ServerOptions options;
    options.path = folder_ + "/l2tpd";
    options.rest = 0;
    options.privileged_uid = ::getuid();
    control_ = std::move(control::Server::listen(loop_, options, control::l2tp_interface).value());
    farewells_->serve(*control_);
    client_ = std::move(control::AsyncClient::connect(loop_, options.path, [] {}).value());
  }
  void tell(const std::vector<std::uint16_t>& sessions, bool lingering = false) {
    TunnelRow row{
        .name = tunnel(), .host_name = {}, .established = true, .lingering = lingering, .sessions = {}};
    for (const auto id : sessions) row.sessions.push_back({name(id), false});
    tunnels_.changed({{row}, {}}, base::Clock::now());
    farewells_->look();
  }
  void end_alice() {
    client_->call("sameroof.L2tp.TerminateUser", {{"user", "alice"}}, control::AsyncClient::Want::one,
                  [this](const control::Answer& answer) { answer_ = answer.parameters.dump(); });
    turn(300ms);
  }
  void turn(base::Duration longest) {
    for (const auto end = base::Clock::now() + longest; answer_.empty() && base::Clock::now() < end;)
      loop_.run_once(5ms);
  }
  void SetUp() override {
    dial(1);
    ASSERT_EQ(log_in(1, "alice"), lease("10.99.1.1"));
    tell({1});
  }

  Tunnels tunnels_{[] {}};
  std::optional<Farewells> farewells_;
  std::unique_ptr<control::Server> control_;
  std::unique_ptr<control::AsyncClient> client_;
  std::string answer_;
};

TEST_F(FarewellsToUsers, TheLastCallOfATunnelTakesItAlong) {
  end_alice();
  EXPECT_EQ(answer_, "") << "nobody has heard yet";
  const auto orders = tunnels_.take_orders();
  ASSERT_EQ(orders.size(), 2u);
  EXPECT_EQ(std::get<l2tp::SessionEnded>(orders[0]).session, name(1).id);
  EXPECT_EQ(std::get<CloseIdleTunnel>(orders[1]).tunnel, tunnel().id);
  tell({}, true);
  turn(300ms);
  EXPECT_EQ(answer_, R"({"marks":[256],"sessions":1,"tunnels":1})");
}

TEST_F(FarewellsToUsers, ACallThatBeginsMeanwhileKeepsItsTunnelAndItsPeer) {
  end_alice();
  tell({1, 2});
  turn(300ms);
  EXPECT_EQ(answer_, R"({"marks":[],"sessions":1,"tunnels":0})");
}

}  // namespace
}  // namespace l2tpd
