// The program itself against servers that play the daemons.

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>

#include "control/interfaces.h"
#include "control/rows.h"
#include "control/server.h"

namespace xfrmctl {
namespace {

using control::Call;
using control::Json;

struct Outcome {
  int exit_code;
  std::string text;  ///< standard output, then standard error
};

class Program : public testing::Test {
 protected:
  Program() {
    char folder[] = "/tmp/xfrmctl.XXXXXX";
    if (!::mkdtemp(folder)) std::abort();
    folder_ = folder;
  }
  ~Program() override { std::filesystem::remove_all(folder_); }

  static std::unique_ptr<control::Server> serve(os::Loop& loop, const std::string& path,
                                                const control::Interface& interface) {
    control::ServerOptions options;
    options.path = path;
    return std::move(control::Server::listen(loop, options, interface).value());
  }

  std::unique_ptr<control::Server> play_ikd() {
    auto ikd = serve(loop_, folder_ + "/ikd", control::ike_interface);
    ikd->handle("Status", [](const Json&, Call call) { call.reply(control::to_json(control::Status{})); });
    ikd->handle("ListPeers", [](const Json&, Call call) {
      control::Peer peer;
      peer.peer = 1;
      peer.mark = 256;
      call.reply({{"peers", Json::array({control::to_json(peer)})}});
    });
    return ikd;
  }
  std::unique_ptr<control::Server> play_l2tpd() {
    auto l2tpd = serve(loop_, folder_ + "/l2tpd", control::l2tp_interface);
    l2tpd->handle("Status", [](const Json&, Call call) { call.reply(control::to_json(control::Status{})); });
    l2tpd->handle("ListTunnels", [](const Json&, Call call) { call.reply({{"tunnels", Json::array()}}); });
    l2tpd->handle("ListSessions", [](const Json&, Call call) {
      control::Session session;
      session.mark = 256;
      session.user = "alice";
      call.reply({{"sessions", Json::array({control::to_json(session)})}});
    });
    return l2tpd;
  }

  /// `redirections`: which of the two outputs to keep.
  Outcome run(const std::string& arguments, const std::string& redirections = "2>&1") {
    Outcome out{};
    std::atomic<bool> done = false;
    std::thread child([&] {
      const auto command = XFRMCTL " --run-dir " + folder_ + " " + arguments + " " + redirections;
      FILE* pipe = ::popen(command.c_str(), "r");
      char buffer[4096];
      while (const auto n = std::fread(buffer, 1, sizeof buffer, pipe)) out.text.append(buffer, n);
      out.exit_code = WEXITSTATUS(::pclose(pipe));
      done = true;
    });
    while (!done) loop_.run_once(std::chrono::milliseconds(5));
    child.join();
    return out;
  }

  os::Loop loop_;
  std::string folder_;
};

TEST_F(Program, StatusIsGoodOnlyWhenBothAnswer) {
  auto out = run("status");
  EXPECT_EQ(out.exit_code, 1);
  EXPECT_NE(out.text.find("ikd does not answer: cannot connect to "), std::string::npos) << out.text;
  const auto ikd = play_ikd();
  out = run("status");
  EXPECT_EQ(out.exit_code, 1);
  EXPECT_NE(out.text.find("ikd answers"), std::string::npos) << out.text;
  EXPECT_NE(out.text.find("l2tpd does not answer"), std::string::npos) << out.text;
  const auto l2tpd = play_l2tpd();
  out = run("status");
  EXPECT_EQ(out.exit_code, 0) << out.text;
}

TEST_F(Program, PeersAreListedWithAndWithoutL2tpd) {
  EXPECT_EQ(run("peers").exit_code, 1);
  const auto ikd = play_ikd();
  const auto alone = run("peers --json", "2>/dev/null");
  EXPECT_EQ(alone.exit_code, 0);
  EXPECT_TRUE(Json::parse(alone.text)["peers"][0]["user"].is_null());
  EXPECT_NE(run("peers", "2>&1 >/dev/null").text.find("nothing is known of L2TP and PPP"), std::string::npos);
  const auto l2tpd = play_l2tpd();
  const auto both = run("peers --json");
  EXPECT_EQ(both.exit_code, 0);
  EXPECT_EQ(Json::parse(both.text)["peers"][0]["user"], "alice");
}

TEST_F(Program, AnAnswerWithoutItsMembersIsNoAnswer) {
  const auto ikd = play_ikd();
  ikd->handle("ListPeers", [](const Json&, Call call) {
    call.reply({{"peers", Json::array({Json::object()})}});
  });
  const auto out = run("peers");
  EXPECT_EQ(out.exit_code, 1);
  EXPECT_NE(out.text.find("answers sameroof.Ike.ListPeers with a bad peer: peer is missing"),
            std::string::npos)
      << out.text;
}

TEST_F(Program, WrongUsageExitsWithTwoAndHelpWithZero) {
  EXPECT_EQ(run("").exit_code, 2);
  EXPECT_EQ(run("peers --yaml").exit_code, 2);
  const auto help = run("--help");
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.text.find("Exit codes: 0 answered"), std::string::npos);
}

}  // namespace
}  // namespace xfrmctl
