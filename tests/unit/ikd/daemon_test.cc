// ikd as it runs, both its processes, between a real kernel and its files.

#include <csignal>
#include <future>
#include <thread>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include "control/client.h"
#include "harness/initiator.h"
#include "ikd/broker_process.h"
#include "in_a_kernel.h"
#include "os/udp.h"

namespace ikd {
namespace {

using testing::HasSubstr;

class Ikd : public InAKernel {
 protected:
  base::Result<std::unique_ptr<BrokerProcess>> start(const std::string& below = "",
                                                     base::Severity log_level = base::Severity::info) {
    const auto run_directory = directory_ + below;
    std::filesystem::create_directories(run_directory);
    return BrokerProcess::start(*loaded(), {.run_directory = run_directory,
                                            .partner = {.argv = {IKD}},
                                            .load = [this] { return loaded(); },
                                            .log_level = log_level});
  }
  static std::future<bool> run(BrokerProcess& process) {
    return std::async(std::launch::async, [&process] { return process.run(); });
  }
  /// The process that the broker started, once it is confined.
  static std::string status_of_the_other() {
    for (int i = 0; i < 200; ++i) {
      for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        std::ifstream file(entry.path() / "status");
        const std::string status(std::istreambuf_iterator<char>(file), {});
        if (status.find("Name:\tikd\n") != status.npos && status.find("Seccomp:\t2") != status.npos &&
            status.find("State:\tZ") == status.npos &&
            status.find("PPid:\t" + std::to_string(::getpid()) + "\n") != status.npos)
          return status;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return {};
  }
};

TEST_F(Ikd, SecondDaemonTakesNothingFromTheFirst) {
  auto first = start();
  ASSERT_TRUE(first) << first.error().message;
  leave_a_peer();
  const auto second = start();
  ASSERT_FALSE(second);
  EXPECT_TRUE(there()) << "the same configuration twice";
  const auto elsewhere = start("/elsewhere");
  ASSERT_FALSE(elsewhere);
  EXPECT_THAT(elsewhere.error().message, HasSubstr("500"));
  EXPECT_TRUE(there()) << "another control socket, the same ports";
}

TEST_F(Ikd, WhatAnEarlierRunLeftIsGoneOnceTheNextIsUp) {
  leave_a_peer();
  auto broker = start();
  ASSERT_TRUE(broker) << broker.error().message;
  EXPECT_FALSE(there());
}

TEST_F(Ikd, TheProcessThatReadsPacketsHasNoPrivilege) {
  auto broker = start();
  ASSERT_TRUE(broker) << broker.error().message;
  auto running = run(**broker);
  const auto status = status_of_the_other();
  ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
  EXPECT_TRUE(running.get());
  ASSERT_FALSE(status.empty());
  for (const auto* nothing : {"CapInh", "CapPrm", "CapEff", "CapAmb"})
    EXPECT_THAT(status, HasSubstr(std::string(nothing) + ":\t0000000000000000\n"));
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1\n"));
  EXPECT_THAT(status, testing::Not(HasSubstr("Uid:\t0")));
}

TEST_F(Ikd, TheProcessThatReadsPacketsIsAsVerboseAsTheBroker) {
  for (const auto level : {base::Severity::info, base::Severity::debug}) {
    testing::internal::CaptureStderr();
    auto broker = start("", level);
    ASSERT_TRUE(broker) << broker.error().message;
    auto running = run(**broker);
    const auto host = base::Address::v4(0x7f000001);
    harness::Initiator client({.local = {host, 5000}, .gateway = {host, 500}});
    client.main_mode(base::Clock::now());
    auto socket = os::UdpSocket::open({.local = client.settings().local});
    ASSERT_TRUE(socket) << socket.error().message;
    ASSERT_TRUE(socket->send(client.next_send()->bytes, host, client.settings().gateway, {}));
    pollfd answer{.fd = socket->fd(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&answer, 1, 10'000), 1);
    ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
    EXPECT_TRUE(running.get());
    EXPECT_EQ(testing::internal::GetCapturedStderr().find(" begins: ") != std::string::npos,
              level == base::Severity::debug);
  }
}

TEST_F(Ikd, EndsAndCleansUpWhenTheProcessThatReadsPacketsIsKilled) {
  auto broker = start();
  ASSERT_TRUE(broker) << broker.error().message;
  auto running = run(**broker);
  const auto status = status_of_the_other();
  const auto at = status.find("\nPid:\t");
  ASSERT_NE(at, status.npos);
  leave_a_peer();
  ASSERT_EQ(::kill(std::atoi(status.c_str() + at + 6), SIGKILL), 0);
  EXPECT_FALSE(running.get());
  EXPECT_FALSE(there());
}

TEST_F(Ikd, AnotherL2tpDaemonFindsItsPortWithoutALatchAndOpenAsConfigured) {
  auto map = nft::PeerMap::open();
  ASSERT_TRUE(map);
  // As an l2tpd leaves it that was killed.
  ASSERT_TRUE(map->set_latch(nft::Latch::on));
  ASSERT_TRUE(map->add_tunnel(base::Mark(0x700), 7));
  const auto listed = [](const std::string& set) {
    const auto command = "nft list set inet sameroof " + set + " | grep -q elements";
    return std::system(command.c_str()) == 0;
  };
  {
    auto broker = start();
    ASSERT_TRUE(broker) << broker.error().message;
    EXPECT_TRUE(listed("latched")) << "l2tpd's own affair where it serves";
    ASSERT_EQ(::raise(SIGTERM), 0);
    ASSERT_TRUE((*broker)->run());
  }
  configure("lns = \"external\"\ncleartext = \"beside\"\n");
  auto broker = start();
  ASSERT_TRUE(broker) << broker.error().message;
  EXPECT_FALSE(listed("latched") || listed("tids") || listed("tidsl"));
  EXPECT_TRUE(listed("cleartext"));
  ASSERT_EQ(::raise(SIGTERM), 0);
  EXPECT_TRUE((*broker)->run());
  EXPECT_FALSE(listed("cleartext"));
}

TEST_F(Ikd, AnotherL2tpDaemonsClearTextSurvivesARulesetThatSomebodyLoadsAgain) {
  configure("lns = \"external\"\ncleartext = \"beside\"\n");
  auto broker = start();
  ASSERT_TRUE(broker) << broker.error().message;
  ASSERT_EQ(std::system("nft flush ruleset && nft -f " SAMEROOF_SOURCE_DIR "/nft/sameroof.nft"), 0);
  bool allowed = false;
  std::thread looks([&allowed] {
    for (int i = 0; i < 100 && !allowed; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      allowed = std::system("nft get element inet sameroof cleartext '{ 1701 }' >/dev/null 2>&1") == 0;
    }
    ::kill(::getpid(), SIGTERM);
  });
  EXPECT_TRUE((*broker)->run());
  looks.join();
  EXPECT_TRUE(allowed);
}

TEST_F(Ikd, ReadsItsFilesAgainOrStaysAsItWas) {
  auto broker = start();
  ASSERT_TRUE(broker) << broker.error().message;
  auto running = run(**broker);
  const auto ask = [this](const char* method) -> std::string {
    const auto answer =
        control::ask(directory_ + "/ikd", std::string("sameroof.Ike.") + method, control::Json::object());
    return answer ? answer->at("changes").dump() : answer.error().message;
  };
  ASSERT_FALSE(status_of_the_other().empty());
  EXPECT_EQ(ask("CheckReload"), "[]");
  configure("", "[[ike.psk]]\nname = \"guests\"\n");
  EXPECT_EQ(ask("CheckReload"), "[\"+ PSK guests\"]");
  EXPECT_EQ(ask("Reload"), "\"+ PSK guests\"");
  EXPECT_EQ(ask("Reload"), "\"nothing but secrets may have changed\"");
  configure("lns = \"external\"\n");
  EXPECT_THAT(ask("Reload"), HasSubstr(": l2tp: changes at a restart only"));
  std::ofstream(file(), std::ios::app) << "[ike]\nlifetme = 3\n";
  EXPECT_THAT(ask("CheckReload"), HasSubstr("sameroof.toml: line 9: ike.lifetme: unknown key"));
  EXPECT_THAT(ask("Reload"), HasSubstr("sameroof.toml: line 9: ike.lifetme: unknown key"));
  configure("", "[[ike.psk]]\nname = \"guests\"\n");
  EXPECT_EQ(ask("CheckReload"), "[]") << "as it was before the bad ones";
  ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
  EXPECT_TRUE(running.get());
}

TEST_F(Ikd, HangupReadsTheFilesAgain) {
  auto broker = start();
  ASSERT_TRUE(broker) << broker.error().message;
  auto running = run(**broker);
  ASSERT_FALSE(status_of_the_other().empty());
  configure("", "[[ike.psk]]\nname = \"guests\"\n");
  ASSERT_EQ(::kill(::getpid(), SIGHUP), 0);
  std::string changes;
  for (int i = 0; i < 100 && changes != "[]"; ++i) {
    const auto answer =
        control::ask(directory_ + "/ikd", "sameroof.Ike.CheckReload", control::Json::object());
    changes = answer ? answer->at("changes").dump() : answer.error().message;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(changes, "[]") << "nothing is left to be changed";
  ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
  EXPECT_TRUE(running.get());
}

TEST_F(Ikd, HangupDoesNotEndItAndTermDoes) {
  auto broker = start();
  ASSERT_TRUE(broker) << broker.error().message;
  ASSERT_EQ(::raise(SIGHUP), 0);  // blocked by now, as in every daemon that is up
  ASSERT_EQ(::raise(SIGTERM), 0);
  EXPECT_TRUE((*broker)->run());
}

}  // namespace
}  // namespace ikd
