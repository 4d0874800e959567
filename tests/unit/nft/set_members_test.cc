// Against the running kernel's nftables, in a network namespace of its own, compared with what nft(8) lists.

#include "nft/set_members.h"

#include <cstdio>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

namespace {

using nft::Change;
using testing::HasSubstr;
using testing::Not;

std::string run(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return out;
  char block[4096];
  while (std::fgets(block, sizeof block, pipe) != nullptr) out += block;
  ::pclose(pipe);
  return out;
}

class AdminsSets : public testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
    if (run("nft list tables").find("rror") != std::string::npos) GTEST_SKIP() << "no nftables here";
    ASSERT_EQ(run("nft 'table inet firewall { set office { type ipv4_addr; }; "
                  "set nets { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }; "
                  "set prefixes { type ipv6_addr; flags interval; }; "
                  "set hosts { type ipv6_addr; }; set ports { type inet_service; }; set marks { type mark; "
                  "}; map where { type ipv4_addr : mark; }; }; "
                  "table ip other { set office { type ipv4_addr; }; }; "
                  "table ip6 other { set prefixes { type ipv6_addr; flags interval; }; }'"),
              "");
    auto opened = nft::SetMembers::open();
    ASSERT_TRUE(opened) << opened.error().message;
    sets_.emplace(std::move(*opened));
  }
  static std::string list(const std::string& set) { return run("nft list set " + set); }
  std::string complaint(const char* family, const char* table, const char* set, const base::Prefix& prefix) {
    const auto added = sets_->add({family, table, set}, prefix);
    return added ? "added" : added.error().message;
  }

  const base::Prefix address_ = *base::Prefix::parse("192.0.2.7");
  const base::Prefix prefix_ = *base::Prefix::parse("2001:db8:7:ffff::/64");
  std::optional<nft::SetMembers> sets_;
};

TEST_F(AdminsSets, AnAddressComesAndGoes) {
  for (const auto& name : {nft::NftSet{"inet", "firewall", "office"}, nft::NftSet{"inet", "firewall", "nets"},
                           nft::NftSet{"ip", "other", "office"}}) {
    const auto set = name.family + " " + name.table + " " + name.name;
    const auto before = list(set);
    ASSERT_TRUE(sets_->add(name, address_)) << set;
    EXPECT_TRUE(sets_->add(name, address_)) << set << ": twice is fine";
    EXPECT_THAT(list(set), HasSubstr("192.0.2.7"));
    EXPECT_THAT(list(set), Not(HasSubstr("192.0.2.7-"))) << "one address, not the rest of the internet";
    EXPECT_EQ(sets_->remove(name, address_).value(), Change::made);
    EXPECT_EQ(sets_->remove(name, address_).value(), Change::absent);
    EXPECT_EQ(list(set), before);
  }
}

TEST_F(AdminsSets, APrefixComesAndGoes) {
  for (const auto& name :
       {nft::NftSet{"inet", "firewall", "prefixes"}, nft::NftSet{"ip6", "other", "prefixes"}}) {
    const auto set = name.family + " " + name.table + " " + name.name;
    const auto before = list(set);
    ASSERT_TRUE(sets_->add(name, prefix_)) << set;
    EXPECT_TRUE(sets_->add(name, prefix_)) << set << ": twice is fine";
    EXPECT_THAT(list(set), HasSubstr("{ 2001:db8:7:ffff::/64 }"));
    EXPECT_EQ(sets_->remove(name, prefix_).value(), Change::made);
    EXPECT_EQ(sets_->remove(name, prefix_).value(), Change::absent);
    EXPECT_EQ(list(set), before);
  }
}

TEST_F(AdminsSets, OfTheOtherIpVersionAreLeftAlone) {
  for (const auto& [set, prefix] : {std::pair{"office", prefix_}, {"prefixes", address_}}) {
    const auto before = list(std::string("inet firewall ") + set);
    EXPECT_TRUE(sets_->add({"inet", "firewall", set}, prefix)) << set;
    EXPECT_EQ(sets_->remove({"inet", "firewall", set}, prefix).value(), Change::absent);
    EXPECT_EQ(list(std::string("inet firewall ") + set), before);
  }
}

TEST_F(AdminsSets, WhatIsNoSetOfAddressesIsSaid) {
  EXPECT_EQ(complaint("inet", "firewall", "home", address_), "there is no set inet firewall home");
  EXPECT_EQ(complaint("inet", "nowhere", "office", address_), "there is no set inet nowhere office");
  EXPECT_EQ(complaint("ip", "firewall", "office", address_), "there is no set ip firewall office");
  EXPECT_EQ(complaint("ip6", "firewall", "office", prefix_), "there is no set ip6 firewall office");
  for (const char* set : {"ports", "where", "marks"})
    EXPECT_EQ(complaint("inet", "firewall", set, address_),
              std::string("inet firewall ") + set + " is no set of ipv4_addr or ipv6_addr");
  EXPECT_EQ(
      complaint("inet", "firewall", "hosts", prefix_),
      "inet firewall hosts holds single addresses and not 2001:db8:7:ffff::/64: it wants flags interval");
}

}  // namespace
