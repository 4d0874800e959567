// What nftables knows of links and users, against the running kernel, in a network namespace of its own.

#include "l2tpd/filter.h"

#include <array>
#include <cstdio>

#include <gmock/gmock.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "shell.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

int nft(const std::string& command) { return std::system(("nft '" + command + "'").c_str()); }

/// As nft writes them.
std::vector<std::string> elements(const std::string& set) {
  const auto command =
      "nft list " + set + " | tr -d '\\n\\t' | sed -nE 's/.*elements = \\{ ([^}]*) \\}.*/\\1/p' | tr , '\\n'";
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::vector<std::string> out;
  for (std::array<char, 256> line; std::fgets(line.data(), line.size(), pipe.get()) != nullptr;) {
    std::string text(line.data());
    const auto first = text.find_first_not_of(" \n"), last = text.find_last_not_of(" \n");
    if (first != std::string::npos) out.push_back(text.substr(first, last - first + 1));
  }
  return out;
}
std::vector<std::string> links() { return elements("set inet sameroof links"); }
std::vector<std::string> far_ends() { return elements("set inet sameroof far_ends"); }
std::vector<std::string> segments() { return elements("map inet sameroof mss"); }
std::vector<std::string> office() { return elements("set ip office members"); }
std::vector<std::string> office_6() { return elements("set ip6 office members"); }

class FilterOfLinks : public Shell {
 protected:
  void SetUp() override {
    if (!in_a_network_of_its_own()) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
    if (!load_ruleset()) GTEST_SKIP() << "no nftables here";
    config_.users.push_back(
        {.name = "alice", .address = {}, .limits = {}, .nft_sets = {office_set("ip"), office_set("ip6")}});
    make_office();
    auto filter = Filter::open(loop_, config_, latched_);
    ASSERT_TRUE(filter) << filter.error().message;
    filter_ = std::move(*filter);
  }
  static void make_office() {
    ASSERT_EQ(nft("add table ip office; add set ip office members { type ipv4_addr; }; add table ip6 office; "
                  "add set ip6 office members { type ipv6_addr; flags interval; }"),
              0);
  }
  static config::NftSet office_set(const char* family) {
    return {.family = family, .table = "office", .name = "members"};
  }
  static l2tp::TunnelName tunnel(std::uint16_t id) {
    return {.id = l2tp::TunnelId(id),
            .peer = l2tp::TunnelId(4),
            .mark = base::Mark(0x100u * id),
            .local = {address("203.0.113.1"), 1701},
            .remote = {address("240.0.0.1"), 1701}};
  }
  SessionRecord session(std::uint16_t number, const char* ppp_address, const char* ifname = "ppp0") const {
    SessionRecord out;
    out.number = number;
    out.tunnel = tunnel(number);
    out.session = {l2tp::SessionId(1), l2tp::SessionId(1)};
    out.account = account();
    out.address = address(ppp_address);
    out.ifname = ifname;
    out.mtu = 1400;
    return out;
  }
  Ipv6Record ipv6(const SessionRecord& session, const char* prefix) const {
    return {.tunnel = session.tunnel,
            .session = session.session,
            .account = session.account,
            .prefix = *base::Prefix::parse(prefix),
            .ifname = session.ifname,
            .mtu = 1380};
  }
  Account account() const {
    return {.name = "alice", .address = {}, .limits = {}, .nft_sets = config_.users.front().nft_sets};
  }
  void settle() {
    for (int i = 0; i < 25; ++i) loop_.run_once(20ms);
  }

  Filter::Latched latched_;
  std::unique_ptr<Filter> filter_;
};

TEST_F(FilterOfLinks, ALinkIsKnownFromItsFirstProtocolToItsLast) {
  const auto of_alice = session(1, "10.99.1.7");
  const auto with_prefix = ipv6(of_alice, "2001:db8:7:1::/64");
  filter_->ipv6_up(with_prefix);
  EXPECT_THAT(links(), ElementsAre("\"ppp0\""));
  EXPECT_THAT(far_ends(), IsEmpty());
  EXPECT_THAT(segments(), ElementsAre("\"ppp0\" : 1340"));
  EXPECT_THAT(office_6(), ElementsAre("2001:db8:7:1::/64"));
  filter_->ipv4_up(of_alice);
  EXPECT_THAT(links(), ElementsAre("\"ppp0\""));
  EXPECT_THAT(far_ends(), ElementsAre("\"ppp0\" . 10.99.1.7"));
  EXPECT_THAT(segments(), ElementsAre("\"ppp0\" : 1360"));
  EXPECT_THAT(office(), ElementsAre("10.99.1.7"));
  filter_->ipv6_down(with_prefix, IfName::still_its);
  EXPECT_THAT(links(), ElementsAre("\"ppp0\""));
  EXPECT_THAT(office_6(), IsEmpty());
  filter_->ipv4_down(of_alice, IfName::still_its);
  EXPECT_THAT(links(), IsEmpty());
  EXPECT_THAT(far_ends(), IsEmpty());
  EXPECT_THAT(segments(), IsEmpty());
  EXPECT_THAT(office(), IsEmpty());
}

TEST_F(FilterOfLinks, ALinkIsWatchedFromItsLoginToItsEnd) {
  const auto of_alice = session(1, "10.99.1.7");
  const InterfaceRecord interface {
    .tunnel = of_alice.tunnel, .session = of_alice.session, .account = of_alice.account, .ifname = "ppp0",
    .mtu = 1400
  };
  ASSERT_TRUE(filter_->made(interface));
  EXPECT_THAT(links(), ElementsAre("\"ppp0\""));
  EXPECT_THAT(far_ends(), IsEmpty());
  ASSERT_TRUE(filter_->ipv4_up(of_alice));
  filter_->ipv4_down(of_alice, IfName::still_its);
  EXPECT_THAT(links(), ElementsAre("\"ppp0\"")) << "IPCP may come up again";
  EXPECT_THAT(far_ends(), IsEmpty());
  filter_->gone(interface, IfName::anothers);
  EXPECT_THAT(links(), ElementsAre("\"ppp0\""));
  filter_->gone(interface, IfName::still_its);
  EXPECT_THAT(links(), IsEmpty());
}

TEST_F(FilterOfLinks, AnotherSessionMayHaveTakenTheNameOfOneThatSaidNothing) {
  const auto killed = session(1, "10.99.1.7"), next = session(2, "10.99.1.8");
  filter_->ipv4_up(killed);
  filter_->ipv4_up(next);
  EXPECT_THAT(far_ends(), ElementsAre("\"ppp0\" . 10.99.1.8")) << "who is not there any more may not speak";
  filter_->ipv4_down(killed, IfName::anothers);
  EXPECT_THAT(links(), ElementsAre("\"ppp0\""));
  EXPECT_THAT(far_ends(), ElementsAre("\"ppp0\" . 10.99.1.8"));
  EXPECT_THAT(office(), ElementsAre("10.99.1.8"));
}

TEST_F(FilterOfLinks, ALinkThatIsRefittedIsWatchedAllTheWhile) {
  const auto of_alice = session(1, "10.99.1.7");
  filter_->ipv4_up(of_alice);
  auto events = nl::Socket::open_events(NETLINK_NETFILTER, {NFNLGRP_NFTABLES});
  ASSERT_TRUE(events);
  filter_->refit("ppp0", 1300);
  std::vector<std::string> lost;
  events->receive([&](const nl::Message& message) {
    if ((message.type & 0xff) != NFT_MSG_DELSETELEM) return;
    const auto attributes = nl::Attributes::parse(message.payload.subspan(sizeof(nfgenmsg)));
    lost.emplace_back(base::as_text(attributes->get(NFTA_SET_ELEM_LIST_SET)).data());
  });
  EXPECT_THAT(lost, UnorderedElementsAre("mss", "mss6"));
  EXPECT_THAT(segments(), ElementsAre("\"ppp0\" : 1260"));
}

TEST_F(FilterOfLinks, WhatSomebodyElseTakesAwayIsPutThereAgain) {
  latched_.emplace(l2tp::TunnelId(1), base::Mark(0x100));
  ASSERT_TRUE(filter_->add_tunnel(tunnel(1)));
  const auto of_alice = session(1, "10.99.1.7");
  filter_->ipv4_up(of_alice);
  filter_->ipv6_up(ipv6(of_alice, "2001:db8:7:1::/64"));
  ASSERT_EQ(nft("flush ruleset"), 0);
  ::testing::internal::CaptureStderr();
  settle();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("load the ruleset again"));
  ASSERT_TRUE(load_ruleset());
  make_office();
  ::testing::internal::CaptureStderr();
  settle();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("all 1 tunnels and 1 links are there"));
  ::testing::internal::CaptureStderr();
  settle();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "")
      << "what it has put there is no reason to look again";
  EXPECT_EQ(elements("set inet sameroof tids").size(), 1u);
  EXPECT_THAT(elements("set inet sameroof latched"), ElementsAre("1701"));
  EXPECT_THAT(elements("set inet sameroof cleartext"), IsEmpty());
  EXPECT_THAT(links(), ElementsAre("\"ppp0\""));
  EXPECT_THAT(far_ends(), ElementsAre("\"ppp0\" . 10.99.1.7"));
  EXPECT_THAT(office(), ElementsAre("10.99.1.7"));
  EXPECT_THAT(office_6(), ElementsAre("2001:db8:7:1::/64"));
}

TEST_F(FilterOfLinks, WhatEndsOrChangesWhileTheTableIsGoneIsNotPutThereAgainAsItWas) {
  const auto gone = session(1, "10.99.1.7"), smaller = session(2, "10.99.1.8", "ppp1");
  const auto with_prefix = ipv6(gone, "2001:db8:7:1::/64");
  ASSERT_TRUE(filter_->ipv4_up(gone));
  ASSERT_TRUE(filter_->ipv6_up(with_prefix));
  ASSERT_TRUE(filter_->ipv4_up(smaller));
  ASSERT_EQ(nft("flush ruleset"), 0);
  filter_->ipv4_down(gone, IfName::still_its);
  filter_->ipv6_down(with_prefix, IfName::still_its);
  filter_->refit("ppp1", 1300);
  make_office();
  ASSERT_TRUE(load_ruleset());
  settle();
  EXPECT_THAT(links(), ElementsAre("\"ppp1\""));
  EXPECT_THAT(segments(), ElementsAre("\"ppp1\" : 1260"));
  EXPECT_THAT(office(), ElementsAre("10.99.1.8"));
  EXPECT_THAT(office_6(), IsEmpty());
}

TEST_F(FilterOfLinks, AnAddressLeavesTheSetsThatItsNextUserIsNotIn) {
  config_.users.push_back({.name = "bob", .address = {}, .limits = {}, .nft_sets = {}});
  ASSERT_EQ(nft("add element ip office members { 10.99.1.7 }"), 0) << "an l2tpd that was killed has left it";
  auto of_bob = session(1, "10.99.1.7");
  of_bob.account = {.name = "bob", .address = {}, .limits = {}};
  filter_->ipv4_up(of_bob);
  EXPECT_THAT(office(), IsEmpty());
}

TEST_F(FilterOfLinks, WhatAFullSetDoesNotTakeIsNotUpAndTheOthersAre) {
  filter_.reset();
  ASSERT_EQ(
      std::system(
          "nft delete table inet sameroof && sed '/set links {/,/}/s/size .*/size 1/' " SAMEROOF_SOURCE_DIR
          "/nft/sameroof.nft | nft -f -"),
      0);
  auto filter = Filter::open(loop_, config_, latched_);
  ASSERT_TRUE(filter) << filter.error().message;
  filter_ = std::move(*filter);
  const auto first = session(1, "10.99.1.7"), second = session(2, "10.99.1.8", "ppp1");
  ASSERT_TRUE(filter_->ipv4_up(first));
  const auto refused = filter_->ipv4_up(second);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "adding ppp1: the set is full");
  EXPECT_FALSE(filter_->ipv6_up(ipv6(second, "2001:db8:7:1::/64")));
  EXPECT_THAT(office(), ElementsAre("10.99.1.7"));
  EXPECT_THAT(office_6(), IsEmpty());
  EXPECT_TRUE(filter_->ipv6_up(ipv6(first, "2001:db8:7:2::/64"))) << "it is in the set";
  filter_->ipv6_down(ipv6(first, "2001:db8:7:2::/64"), IfName::still_its);
  filter_->ipv4_down(first, IfName::still_its);
  EXPECT_TRUE(filter_->ipv4_up(second));
  EXPECT_THAT(far_ends(), ElementsAre("\"ppp1\" . 10.99.1.8"));
}

TEST_F(FilterOfLinks, ASetThatIsMissingIsNamed) {
  ASSERT_EQ(nft("delete table ip office"), 0);
  ::testing::internal::CaptureStderr();
  filter_->ipv4_up(session(1, "10.99.1.7"));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("User 'alice' is in no set: "));
  EXPECT_THAT(links(), ElementsAre("\"ppp0\"")) << "and served";
}

TEST_F(FilterOfLinks, NothingStays) {
  latched_.emplace(l2tp::TunnelId(1), base::Mark(0x100));
  ASSERT_TRUE(filter_->add_tunnel(tunnel(1)));
  filter_->ipv4_up(session(1, "10.99.1.7"));
  filter_.reset();
  for (const char* set : {"set inet sameroof tids", "set inet sameroof tidsl", "set inet sameroof latched",
                          "set inet sameroof links", "set inet sameroof far_ends", "map inet sameroof mss"})
    EXPECT_THAT(elements(set), IsEmpty()) << set;
}

}  // namespace
}  // namespace l2tpd
