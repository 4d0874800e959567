// An administrator's programs: what they are told, and that nobody waits for them.

#include "l2tpd/hooks.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "l2tpd/record.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class HooksTest : public ::testing::Test {
 protected:
  HooksTest() {
    char folder[] = "/tmp/hooks.XXXXXX";
    if (!::mkdtemp(folder)) std::abort();
    folder_ = folder;
  }
  ~HooksTest() override { std::filesystem::remove_all(folder_); }

  /// A shell script, run in the test's folder.
  std::string program(const char* name, const std::string& text) {
    const auto path = folder_ + "/" + name;
    std::ofstream(path) << "#!/bin/sh\ncd " << folder_ << "\n" << text;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  std::string content(const char* name) const {
    std::ifstream in(folder_ + "/" + name);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  /// Until all have ended; what was logged meanwhile.
  std::string finish(Hooks& hooks) {
    ::testing::internal::CaptureStderr();
    for (int turns = 0; turns < 1000 && !hooks.empty(); ++turns) loop_.run_once(10ms);
    EXPECT_TRUE(hooks.empty());
    return ::testing::internal::GetCapturedStderr();
  }

  os::Loop loop_;
  std::string folder_;
  config::Hooks config_;
};

TEST_F(HooksTest, AProgramGetsTheEventAndTheRecord) {
  config_.session_up =
      program("up", "echo $1 > event; cat > record; ls -l /proc/self/fd | grep -c memfd > open\n");
  Hooks hooks(loop_, config_);
  hooks.run(SessionEvent::up, 1, "{\"user\":\"alice\"}\n");
  EXPECT_EQ(finish(hooks), "");
  EXPECT_EQ(content("event"), "session-up\n");
  EXPECT_EQ(content("record"), "{\"user\":\"alice\"}\n");
  EXPECT_EQ(content("open"), "1\n") << "the record is its standard input, and open once";
  hooks.run(SessionEvent::down, 1, "{}\n");
  EXPECT_TRUE(hooks.empty()) << "none is configured";
}

TEST_F(HooksTest, ALargeRecordThatNobodyReadsHoldsNothingUp) {
  config_.session_up = program("up", "exit 0\n");
  Hooks hooks(loop_, config_);
  hooks.run(SessionEvent::up, 1, std::string(1'000'000, 'x'));
  EXPECT_EQ(finish(hooks), "");
}

TEST_F(HooksTest, AFailureIsLoggedWithItsStatus) {
  config_.session_up = program("up", "exit 3\n");
  config_.session_down = folder_ + "/missing";
  Hooks hooks(loop_, config_);
  hooks.run(SessionEvent::up, 1, "");
  EXPECT_THAT(finish(hooks), HasSubstr("/up ended with status 3."));
  ::testing::internal::CaptureStderr();
  hooks.run(SessionEvent::down, 1, "");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("The hook for session-down does not run: cannot start " + folder_ + "/missing"));
  EXPECT_TRUE(hooks.empty());
  EXPECT_EQ(hooks.counters().failed, 2u);
}

TEST_F(HooksTest, OneThatTakesTooLongIsKilledWithItsChildren) {
  config_.session_up = program("up", "(sleep 3; echo alive > child) & sleep 600\n");
  config_.timeout = 1s;
  Hooks hooks(loop_, config_);
  hooks.run(SessionEvent::up, 1, "");
  EXPECT_THAT(finish(hooks), HasSubstr("/up was ended: it took too long."));
  for (int turns = 0; turns < 30; ++turns) loop_.run_once(100ms);
  EXPECT_EQ(content("child"), "");
  EXPECT_EQ(hooks.counters().timed_out, 1u);
}

TEST_F(HooksTest, TheEndOfASessionWaitsForItsBeginningAndForNoOther) {
  config_.session_up =
      program("up", "read name; until grep -qs two order; do sleep 0.05; done; echo up $name >> order\n");
  config_.session_down = program("down", "read name; echo down $name >> order\n");
  Hooks hooks(loop_, config_);
  hooks.run(SessionEvent::up, 1, "one\n");
  hooks.run(SessionEvent::down, 1, "one\n");
  hooks.run(SessionEvent::down, 2, "two\n");
  finish(hooks);
  EXPECT_EQ(content("order"), "down two\nup one\ndown one\n");
}

TEST_F(HooksTest, ManyAtOnceAllRun) {
  config_.session_up = program("up", "read name; echo $name >> order\n");
  Hooks hooks(loop_, config_);
  for (std::uint64_t session = 1; session <= 60; ++session)
    hooks.run(SessionEvent::up, session, std::to_string(session) + "\n");
  finish(hooks);
  const auto order = content("order");
  EXPECT_EQ(std::ranges::count(order, '\n'), 60);
}

TEST_F(HooksTest, WhereTheyFallBehindNewSessionsArePassedOverWholeAndSaidSoOnce) {
  config_.session_up = program("up", "until [ -e go ]; do sleep 0.05; done\n");
  config_.session_down = program("down", "read name; echo $name >> downs\n");
  Hooks hooks(loop_, config_);
  const auto up = [&](std::uint64_t session) { hooks.run(SessionEvent::up, session, ""); };
  const auto down = [&](std::uint64_t session) {
    hooks.run(SessionEvent::down, session, std::to_string(session) + "\n");
  };
  ::testing::internal::CaptureStderr();
  up(1);  // and stays up for a while
  for (std::uint64_t session = 2; session <= 100'000; ++session) {
    up(session);
    down(session);
  }
  down(1);
  const auto said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("events behind: they are not told of sessions that come up now."));
  EXPECT_EQ(std::ranges::count(said, '\n'), 1);
  std::ofstream(folder_ + "/go") << "";
  for (int turns = 0; turns < 20'000 && !hooks.empty(); ++turns) loop_.run_once(10ms);
  const auto told = hooks.counters().started;
  EXPECT_LT(told, 1100u);
  EXPECT_EQ(told + hooks.counters().dropped, 200'000u);
  std::stringstream downs(content("downs"));
  std::set<int> ended;
  for (int session = 0; downs >> session;) ended.insert(session);
  EXPECT_EQ(ended.size() * 2, told) << "never one event of a session without the other";
  EXPECT_TRUE(ended.contains(1)) << "which had come up before";
  up(100'001);
  down(100'001);
  finish(hooks);
  EXPECT_THAT(content("downs"), HasSubstr("100001\n")) << "they have caught up";
}

TEST_F(HooksTest, OneThatHearsOfEndsAloneFallsBehindNoFurther) {
  config_.session_down = program("down", "until [ -e go ]; do sleep 0.05; done\n");
  Hooks hooks(loop_, config_);
  ::testing::internal::CaptureStderr();
  for (std::uint64_t session = 1; session <= 10'000; ++session) {
    hooks.run(SessionEvent::up, session, "");
    hooks.run(SessionEvent::down, session, "");
  }
  ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(hooks.counters().dropped, 10'000u - 1000 - 16);
  std::ofstream(folder_ + "/go") << "";
  for (int turns = 0; turns < 20'000 && !hooks.empty(); ++turns) loop_.run_once(10ms);
  EXPECT_TRUE(hooks.empty());
}

TEST(Record, JoinsTheSessionWithItsPeer) {
  const SessionRecord session{.number = 1,
                              .tunnel = {.id = l2tp::TunnelId(7),
                                         .peer = l2tp::TunnelId(8),
                                         .mark = base::Mark(0x100),
                                         .local = {*base::Address::parse("203.0.113.1"), 1701},
                                         .remote = {*base::Address::parse("240.0.0.1"), 1701}},
                              .session = {.id = l2tp::SessionId(9), .peer = l2tp::SessionId(10)},
                              .account = {.name = "al\xffice", .address = {}, .limits = {}},
                              .address = *base::Address::parse("10.99.1.1"),
                              .ipv6_prefix = base::Prefix::parse("2001:db8:7::/64"),
                              .ifname = "ppp0",
                              .mtu = 1398,
                              .since = base::Time(),
                              .setup = {},
                              .bytes_in = 5'000'000'000,
                              .bytes_out = 7};
  control::Peer peer;
  peer.address = "198.51.100.1";
  peer.port = 40001;
  const auto up = nlohmann::json::parse(record_of(SessionEvent::up, session, &peer, base::Time(5s)));
  EXPECT_EQ(up["event"], "session-up");
  EXPECT_EQ(up["user"], "al\xef\xbf\xbdice") << "what is no UTF-8 is replaced";
  EXPECT_EQ(up["ppp_address"], "10.99.1.1");
  EXPECT_EQ(up["ipv6_prefix"], "2001:db8:7::/64");
  EXPECT_EQ(up["mark"], 0x100);
  EXPECT_EQ(up["seconds"], 5);
  EXPECT_EQ(up["peer"]["address"], "198.51.100.1");
  EXPECT_EQ(up["peer"]["port"], 40001);
  EXPECT_FALSE(up.contains("why"));
  const auto down = nlohmann::json::parse(
      record_of(SessionEvent::down, session, nullptr, base::Time(5s), "the link was idle"));
  EXPECT_EQ(down["event"], "session-down");
  EXPECT_EQ(down["why"], "the link was idle");
  EXPECT_EQ(down["bytes_in"], 5'000'000'000);
  EXPECT_TRUE(down["peer"].is_null());
  auto of_ipv6_alone = session;
  of_ipv6_alone.address.reset();
  EXPECT_TRUE(nlohmann::json::parse(
                  record_of(SessionEvent::up, of_ipv6_alone, nullptr, base::Time(5s)))["ppp_address"]
                  .is_null());
}

}  // namespace
}  // namespace l2tpd
