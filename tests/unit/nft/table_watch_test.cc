// Who else touches the table, against the running kernel's nftables in a network namespace of its own.

#include "nft/table_watch.h"

#include <cstdlib>
#include <string>

#include <gmock/gmock.h>
#include <sched.h>

#include "nft/peer_map.h"

namespace {

const auto alias = base::Address::v4(0xf0000001), gateway = base::Address::v4(0xcb007101);
constexpr base::Mark mark(0x100);

class WatchedTable : public testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
    if (std::system("nft list tables >/dev/null 2>&1") != 0) GTEST_SKIP() << "no nftables here";
    load();
    auto map = nft::PeerMap::open();
    ASSERT_TRUE(map) << map.error().message;
    map_.emplace(std::move(*map));
    auto watch = nft::TableWatch::open({"alias", "dialled"}, {map_->author()});
    ASSERT_TRUE(watch) << watch.error().message;
    watch_.emplace(std::move(*watch));
  }
  static void nft(const std::string& command) { ASSERT_EQ(std::system(("nft " + command).c_str()), 0); }
  static void load() { nft("-f " SAMEROOF_SOURCE_DIR "/nft/sameroof.nft"); }

  std::optional<nft::PeerMap> map_;
  std::optional<nft::TableWatch> watch_;
};

TEST_F(WatchedTable, OurOwnChangesAndOtherTablesAreNoDisturbance) {
  ASSERT_TRUE(map_->add_peer(mark, alias, gateway));
  ASSERT_TRUE(map_->remove_peer(mark, alias));
  ASSERT_TRUE(map_->flush_peers());
  EXPECT_FALSE(watch_->disturbed());
  nft("add table inet firewall");
  nft("add map inet firewall alias '{ type mark : ipv4_addr; elements = { 1 : 240.0.0.1 }; }'");
  nft("flush map inet firewall alias");
  nft("add table ip sameroof");
  nft("delete table ip sameroof");
  EXPECT_FALSE(watch_->disturbed());
}

TEST_F(WatchedTable, FlushingTheRulesetAndLoadingItAgainAreOneEach) {
  EXPECT_TRUE(map_->loaded().value());
  nft("flush ruleset");
  EXPECT_TRUE(watch_->disturbed());
  EXPECT_FALSE(watch_->disturbed());
  EXPECT_FALSE(map_->loaded().value());
  load();
  EXPECT_TRUE(watch_->disturbed());
  EXPECT_TRUE(map_->loaded().value());
  EXPECT_FALSE(watch_->disturbed());
}

TEST_F(WatchedTable, ElementsThatOthersDeleteAreNoticedInOurSetsOnly) {
  ASSERT_TRUE(map_->add_peer(mark, alias, gateway));
  ASSERT_TRUE(map_->add_tunnel(mark, 7));
  nft("flush set inet sameroof tids");
  EXPECT_FALSE(watch_->disturbed());
  nft("delete element inet sameroof dialled '{ 240.0.0.1 }'");
  EXPECT_TRUE(watch_->disturbed());
  nft("flush map inet sameroof alias");
  EXPECT_TRUE(watch_->disturbed());
}

TEST_F(WatchedTable, SetsOfAnAdministratorsAreWatchedByFamilyTableAndName) {
  watch_->also({{"ip6", "firewall", "office"}});
  const std::string office = "add set ip6 firewall office '{ type ipv6_addr; }'";
  nft("add table ip6 firewall");
  nft("add table ip firewall");
  nft("add set ip firewall office '{ type ipv4_addr; elements = { 192.0.2.1 }; }'");
  nft("add set ip6 firewall guests '{ type ipv6_addr; elements = { 2001:db8::1 }; }'");
  nft("flush set ip firewall office");
  nft("flush set ip6 firewall guests");
  EXPECT_FALSE(watch_->disturbed());
  nft(office);
  EXPECT_TRUE(watch_->disturbed()) << "it is there now, and empty";
  nft("add element ip6 firewall office '{ 2001:db8::1 }'");
  EXPECT_FALSE(watch_->disturbed());
  nft("flush set ip6 firewall office");
  EXPECT_TRUE(watch_->disturbed());
  nft("delete table ip6 firewall");
  EXPECT_FALSE(watch_->disturbed()) << "it has no element, and nobody could fill it";
}

}  // namespace
