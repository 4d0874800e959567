#pragma once
// A network namespace of a test's own with IPsec and our ruleset, and files for ikd; skipped where the kernel
// has none of it.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <sched.h>

#include "ikd/provision.h"
#include "nft/peer_map.h"
#include "xfrm/kernel.h"

namespace ikd {

class InAKernel : public testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
    if (auto kernel = xfrm::Kernel::open(); !kernel || !kernel->dump_sas()) GTEST_SKIP() << "no XFRM here";
    if (std::system("ip link set lo up && nft -f " SAMEROOF_SOURCE_DIR "/nft/sameroof.nft") != 0)
      GTEST_SKIP() << "no nftables here";
    std::string name = testing::TempDir() + "ikdXXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    configure("");
  }
  void TearDown() override {
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }
  /// `l2tp`: lines of that table; `more`: whole tables.
  void configure(const std::string& l2tp, const std::string& more = "") {
    const auto text = "[[ike.psk]]\nname = \"lab\"\n" + more + "[l2tp]\n" + l2tp +
                      "[ppp]\nlocal_address = \"10.99.0.1\"\npool = \"10.99.1.0/24\"\n";
    std::ofstream(file()) << text;
    std::ofstream(secrets_file()) << "[psk]\nlab = \"swordfish\"\nguests = \"opensesame\"\n";
    std::filesystem::permissions(secrets_file(), std::filesystem::perms(0600));
    ASSERT_TRUE(loaded()) << loaded().error().message;
  }
  std::string file() const { return directory_ + "/sameroof.toml"; }
  std::string secrets_file() const { return directory_ + "/secrets.toml"; }
  base::Result<Loaded> loaded() const { return load(file(), secrets_file()); }
  /// A peer that somebody left in the maps.
  void leave_a_peer() {
    auto map = nft::PeerMap::open();
    ASSERT_TRUE(map);
    ASSERT_TRUE(map->add_peer(base::Mark(0x700), alias, gateway));
  }
  /// Whether the map still knows it: another address of ours for its alias is refused then.
  bool there() const {
    auto map = nft::PeerMap::open();
    return map && !map->add_peer(base::Mark(0x700), alias, base::Address::v4(0xcb007109));
  }

  const base::Address alias = base::Address::v4(0xf0000007), gateway = base::Address::v4(0xcb007101);
  std::string directory_;
};

}  // namespace ikd
