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
                  "set ports { type inet_service; }; map where { type ipv4_addr : mark; }; }; "
                  "table ip other { set office { type ipv4_addr; }; }'"),
              "");
    auto opened = nft::SetMembers::open();
    ASSERT_TRUE(opened) << opened.error().message;
    sets_.emplace(std::move(*opened));
  }
  static std::string list(const std::string& set) { return run("nft list set " + set); }
  std::string complaint(const char* family, const char* table, const char* set) {
    const auto added = sets_->add({family, table, set}, address_);
    return added ? "added" : added.error().message;
  }

  const base::Address address_ = *base::Address::parse("192.0.2.7");
  std::optional<nft::SetMembers> sets_;
};

TEST_F(AdminsSets, AnAddressComesAndGoes) {
  for (const auto& name : {nft::SetName{"inet", "firewall", "office"},
                           nft::SetName{"inet", "firewall", "nets"}, nft::SetName{"ip", "other", "office"}}) {
    const auto set = name.family + " " + name.table + " " + name.set;
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

TEST_F(AdminsSets, WhatIsNoSetOfAddressesIsSaid) {
  EXPECT_EQ(complaint("inet", "firewall", "home"), "there is no set inet firewall home");
  EXPECT_EQ(complaint("inet", "nowhere", "office"), "there is no set inet nowhere office");
  EXPECT_EQ(complaint("ip", "firewall", "office"), "there is no set ip firewall office");
  EXPECT_EQ(complaint("inet", "firewall", "ports"), "inet firewall ports is no set of ipv4_addr");
  EXPECT_EQ(complaint("inet", "firewall", "where"), "inet firewall where is no set of ipv4_addr");
}

}  // namespace
