#pragma once
// A daemon's surroundings: a folder, a configuration, and where it can be had a network of its own.

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <sched.h>

#include "l2tpd/daemon.h"

namespace l2tpd {

inline base::Address address(const char* text) { return *base::Address::parse(text); }

class Shell : public ::testing::Test {
 protected:
  Shell() {
    char folder[] = "/tmp/l2tpd.XXXXXX";
    if (!::mkdtemp(folder)) std::abort();
    folder_ = folder;
    config_.l2tp.listen = {address("127.17.1.1")};
    config_.ppp.local_address = address("10.99.0.1");
    config_.ppp.pool = *base::Prefix::parse("10.99.1.0/24");
  }
  ~Shell() override { std::filesystem::remove_all(folder_); }

  std::string refusal() {
    Daemon daemon(loop_, config_, secrets_, {.run_dir = folder_});
    const auto started = daemon.start();
    return started ? "started" : started.error().message;
  }
  static bool in_a_network_of_its_own() { return ::unshare(CLONE_NEWNET) == 0; }
  static bool load_ruleset() {
    return std::system("ip link set lo up && nft -f " SAMEROOF_SOURCE_DIR "/nft/sameroof.nft") == 0;
  }

  os::Loop loop_;
  std::string folder_;
  config::Config config_;
  config::Secrets secrets_;
};

}  // namespace l2tpd
