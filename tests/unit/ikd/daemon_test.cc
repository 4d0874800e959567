// The daemon between a real kernel and its files, in a network namespace of its own; skipped where there is
// no XFRM or nftables.

#include "ikd/daemon.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <sched.h>
#include <unistd.h>

namespace ikd {
namespace {

using testing::HasSubstr;

class InAKernel : public testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
    if (auto kernel = xfrm::Kernel::open(); !kernel || !kernel->dump_sas()) GTEST_SKIP() << "no XFRM here";
    if (std::system("ip link set lo up && nft -f " SAMEROOF_SOURCE_DIR "/nft/sameroof.nft") != 0)
      GTEST_SKIP() << "no nftables here";
    auto config = config::parse(
        "[[ike.psk]]\nname = \"lab\"\n[ppp]\nlocal_address = \"10.99.0.1\"\npool = \"10.99.1.0/24\"\n",
        "sameroof.toml");
    ASSERT_TRUE(config) << config.error().message;
    config_ = std::move(*config);
    std::string name = testing::TempDir() + "ikdXXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override {
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }
  base::Result<std::unique_ptr<Daemon>> start(const std::string& below = "") {
    const auto run_directory = directory_ + below;
    std::filesystem::create_directories(run_directory);
    config::Secrets secrets;
    secrets.psk["lab"].push_back(base::Secret::copy_of(base::as_bytes("swordfish")));
    return Daemon::start(config_, std::move(secrets), {.run_directory = run_directory});
  }
  /// Whether the map still knows this peer: another home for its alias is refused then.
  static bool there(const base::Address& alias) {
    auto map = nft::PeerMap::open();
    return map && !map->add_peer(base::Mark(0x700), alias, base::Address::v4(0xc6336409));
  }

  config::Config config_;
  std::string directory_;
};

const auto alias = base::Address::v4(0xf0000007);

TEST_F(InAKernel, SecondDaemonTakesNothingFromTheFirst) {
  auto first = start();
  ASSERT_TRUE(first) << first.error().message;
  auto map = nft::PeerMap::open();
  ASSERT_TRUE(map);
  ASSERT_TRUE(map->add_peer(base::Mark(0x700), alias, base::Address::v4(0xc6336401)));
  const auto second = start();
  ASSERT_FALSE(second);
  EXPECT_TRUE(there(alias)) << "the same configuration twice";
  const auto elsewhere = start("/elsewhere");
  ASSERT_FALSE(elsewhere);
  EXPECT_THAT(elsewhere.error().message, HasSubstr("500"));
  EXPECT_TRUE(there(alias)) << "another control socket, the same ports";
}

TEST_F(InAKernel, WhatAnEarlierRunLeftIsGoneOnceTheNextIsUp) {
  auto map = nft::PeerMap::open();
  ASSERT_TRUE(map);
  ASSERT_TRUE(map->add_peer(base::Mark(0x700), alias, base::Address::v4(0xc6336401)));
  auto daemon = start();
  ASSERT_TRUE(daemon) << daemon.error().message;
  EXPECT_FALSE(there(alias));
}

TEST_F(InAKernel, AnotherL2tpDaemonFindsItsPortWithoutALatchAndOpenAsConfigured) {
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
    auto daemon = start();
    ASSERT_TRUE(daemon) << daemon.error().message;
    EXPECT_TRUE(listed("latched")) << "l2tpd's own affair where it serves";
  }
  config_.l2tp.lns = config::Lns::external;
  config_.l2tp.cleartext = config::Cleartext::beside;
  auto daemon = start();
  ASSERT_TRUE(daemon) << daemon.error().message;
  EXPECT_FALSE(listed("latched") || listed("tids") || listed("tidsl"));
  EXPECT_TRUE(listed("cleartext"));
  ASSERT_EQ(::raise(SIGTERM), 0);
  (*daemon)->run();
  EXPECT_FALSE(listed("cleartext"));
}

TEST_F(InAKernel, AnotherL2tpDaemonsClearTextSurvivesARulesetThatSomebodyLoadsAgain) {
  config_.l2tp.lns = config::Lns::external;
  config_.l2tp.cleartext = config::Cleartext::beside;
  auto daemon = start();
  ASSERT_TRUE(daemon) << daemon.error().message;
  ASSERT_EQ(std::system("nft flush ruleset && nft -f " SAMEROOF_SOURCE_DIR "/nft/sameroof.nft"), 0);
  bool allowed = false;
  std::thread looks([&allowed] {
    for (int i = 0; i < 100 && !allowed; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      allowed = std::system("nft get element inet sameroof cleartext '{ 1701 }' >/dev/null 2>&1") == 0;
    }
    ::kill(::getpid(), SIGTERM);
  });
  (*daemon)->run();
  looks.join();
  EXPECT_TRUE(allowed);
}

TEST_F(InAKernel, HangupDoesNotEndItAndTermDoes) {
  auto daemon = start();
  ASSERT_TRUE(daemon) << daemon.error().message;
  ASSERT_EQ(::raise(SIGHUP), 0);  // blocked by now, as in every daemon that is up
  ASSERT_EQ(::raise(SIGTERM), 0);
  (*daemon)->run();
}

}  // namespace
}  // namespace ikd
