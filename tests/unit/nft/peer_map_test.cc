// Against the running kernel's nftables, in a network namespace of its own, compared with what nft(8)
// lists.
#include "nft/peer_map.h"

#include <array>
#include <cstdio>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
#include <sched.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/fd.h"
#include "nft/ruleset.h"

namespace {

using base::Address;
using base::Mark;
using nft::Change;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

Address address(std::string_view text) { return *Address::parse(text); }

/// What the command printed, errors included.
std::string run(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return out;
  std::array<char, 4096> block{};
  while (std::fgets(block.data(), block.size(), pipe) != nullptr) out += block.data();
  ::pclose(pipe);
  return out;
}

const std::string rules = SAMEROOF_SOURCE_DIR "/nft/sameroof.nft";

/// The elements of a set or map as nft prints them in JSON, compact.
std::vector<std::string> elements(const std::string& kind, const std::string& name) {
  std::vector<std::string> out;
  const auto listed = json::parse(run("nft -j list " + kind + " inet sameroof " + name));
  for (const auto& item : listed.at("nftables")) {
    if (!item.contains(kind) || !item.at(kind).contains("elem")) continue;
    for (const auto& element : item.at(kind).at("elem")) out.push_back(element.dump());
  }
  return out;
}

class LoadedRuleset : public testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
    if (run("nft list tables").find("rror") != std::string::npos) GTEST_SKIP() << "no nftables here";
    ASSERT_EQ(run("nft -f " + rules), "");
    auto opened = nft::PeerMap::open();
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    map_.emplace(std::move(*opened));
  }
  void add(Mark mark, std::string_view alias, std::string_view dialled) {
    const auto added = map_->add_peer(mark, address(alias), address(dialled));
    ASSERT_TRUE(added.has_value()) << added.error().message;
  }
  std::optional<nft::PeerMap> map_;
};

/// A UDP socket bound to ::1; none where there is no IPv6.
base::Fd ipv6_socket(std::uint16_t port) {
  base::Fd out(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const timeval patience{.tv_sec = 2, .tv_usec = 0};
  ::setsockopt(out.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_storage at{};
  const auto length = base::Endpoint{address("::1"), port}.to_sockaddr(at);
  return ::bind(out.get(), reinterpret_cast<sockaddr*>(&at), length) == 0 ? std::move(out) : base::Fd();
}

// To IPv6 a UDP checksum of zero is an error, and receivers drop it (RFC 8200 section 8.1).
TEST_F(LoadedRuleset, TakesNoChecksumFromL2tpOverIpv6) {
  run("ip link set lo up");
  const auto l2tp = ipv6_socket(1701), client = ipv6_socket(4000);
  if (!l2tp || !client) GTEST_SKIP() << "no IPv6 here";
  ASSERT_TRUE(map_->set_cleartext(nft::Cleartext::allowed));
  sockaddr_storage to{};
  const auto length = base::Endpoint{address("::1"), 4000}.to_sockaddr(to);
  ASSERT_EQ(::sendto(l2tp.get(), "hello", 5, 0, reinterpret_cast<sockaddr*>(&to), length), 5);
  char buffer[16];
  EXPECT_EQ(::recv(client.get(), buffer, sizeof buffer, 0), 5);
}

TEST(Ruleset, WithoutItOpeningSaysWhatToDo) {
  if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
  const auto opened = nft::PeerMap::open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message, HasSubstr("table inet sameroof is not loaded: load the ruleset"));
}

TEST(Ruleset, WithTheBuiltInMarksIsTheFileItself) {
  std::ifstream file(rules);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(nft::ruleset({}), text.str());
}

TEST(Ruleset, TakesOtherMarksAndAliases) {
  config::Config config;
  config.marks.mask = 0x00000ff0;
  config.marks.alias = *base::Prefix::parse("100.127.0.0/16");
  const auto text = nft::ruleset(config);
  EXPECT_THAT(text, HasSubstr("\ndefine mark_mask = 0x00000ff0\n"));
  EXPECT_THAT(text, HasSubstr("\ndefine other_marks = 0xfffff00f\n"));
  EXPECT_THAT(text, HasSubstr("\ndefine alias_range = 100.127.0.0/16\n"));
  EXPECT_THAT(text, HasSubstr("\ndefine near_range = 100.127.128.0/17\n"));
  EXPECT_THAT(text, HasSubstr("\ndefine near_bit = 0.0.128.0\n"));
}

TEST(Ruleset, LetsConnectionTrackingMarkWhatADaemonSends) {
  config::Config config;
  const auto without = nft::ruleset(config);
  config.l2tp.external_lookup = config::ExternalLookup::conntrack;
  const auto text = nft::ruleset(config);
  EXPECT_TRUE(text.starts_with(without));
  EXPECT_THAT(text, HasSubstr("meta mark set ct mark\n"));
  EXPECT_THAT(without, Not(HasSubstr("ct mark"))) << "it costs every host that has it";
}

TEST_F(LoadedRuleset, ALinkHasTheSegmentSizeThatFitsThroughIt) {
  const auto far = address("10.99.1.7"), other = address("10.99.1.8");
  ASSERT_TRUE(map_->put_link("ppp0", far, 1398).has_value());
  ASSERT_TRUE(map_->put_link("ppp10", other, 1280).has_value());
  EXPECT_THAT(elements("map", "mss"), UnorderedElementsAre(R"(["ppp0",1358])", R"(["ppp10",1240])"));
  EXPECT_THAT(elements("map", "mss6"), UnorderedElementsAre(R"(["ppp0",1338])", R"(["ppp10",1220])"));
  EXPECT_THAT(elements("set", "links"), UnorderedElementsAre(R"("ppp0")", R"("ppp10")"));
  EXPECT_THAT(elements("set", "far_ends"), UnorderedElementsAre(R"({"concat":["ppp0","10.99.1.7"]})",
                                                                R"({"concat":["ppp10","10.99.1.8"]})"));
  ASSERT_TRUE(map_->put_link("ppp0", far, 1300, far).has_value());
  EXPECT_EQ(map_->remove_link("ppp10", other).value(), Change::made);
  EXPECT_EQ(map_->remove_link("ppp10", other).value(), Change::absent);
  EXPECT_THAT(elements("map", "mss"), ElementsAre(R"(["ppp0",1260])"));
  EXPECT_THAT(elements("map", "mss6"), ElementsAre(R"(["ppp0",1240])"));
  EXPECT_THAT(elements("set", "links"), ElementsAre(R"("ppp0")"));
  EXPECT_THAT(elements("set", "far_ends"), ElementsAre(R"({"concat":["ppp0","10.99.1.7"]})"));
  ASSERT_TRUE(map_->put_link("ppp0", other, 1300, far).has_value());
  EXPECT_THAT(elements("set", "far_ends"), ElementsAre(R"({"concat":["ppp0","10.99.1.8"]})"));
  ASSERT_TRUE(map_->put_link("ppp0", {}, 1300, other).has_value());
  EXPECT_THAT(elements("set", "far_ends"), testing::IsEmpty());
  ASSERT_TRUE(map_->flush_links().has_value());
  for (const char* set : {"links", "far_ends"}) EXPECT_THAT(elements("set", set), testing::IsEmpty()) << set;
  EXPECT_THAT(elements("map", "mss"), testing::IsEmpty());
  EXPECT_THAT(elements("map", "mss6"), testing::IsEmpty());
}

TEST_F(LoadedRuleset, WithoutTheTableALinkIsAnError) {
  ASSERT_EQ(std::system("nft delete table inet sameroof"), 0);
  EXPECT_FALSE(map_->put_link("ppp0", address("10.99.1.7"), 1398).has_value());
  EXPECT_EQ(map_->remove_link("ppp0", address("10.99.1.7")).value(), Change::absent);
}

TEST_F(LoadedRuleset, AddsAndRemovesPeers) {
  add(Mark(0x100), "240.0.0.1", "203.0.113.1");
  add(Mark(0x200), "240.0.0.2", "203.0.113.2");
  EXPECT_THAT(elements("map", "alias"), UnorderedElementsAre(R"([256,"240.0.0.1"])", R"([512,"240.0.0.2"])"));
  EXPECT_THAT(elements("map", "dialled"),
              UnorderedElementsAre(R"(["240.0.0.1","203.0.113.1"])", R"(["240.0.0.2","203.0.113.2"])"));
  const auto removed = map_->remove_peer(Mark(0x100), address("240.0.0.1"));
  ASSERT_TRUE(removed.has_value()) << removed.error().message;
  EXPECT_EQ(*removed, Change::made);
  EXPECT_THAT(elements("map", "alias"), ElementsAre(R"([512,"240.0.0.2"])"));
  EXPECT_THAT(elements("map", "dialled"), ElementsAre(R"(["240.0.0.2","203.0.113.2"])"));
  ASSERT_TRUE(map_->flush_peers().has_value());
  EXPECT_THAT(elements("map", "dialled"), testing::IsEmpty());
  EXPECT_THAT(elements("map", "alias"), testing::IsEmpty());
}

TEST_F(LoadedRuleset, RemovingWhatIsAbsentIsReportedAndHarmless) {
  EXPECT_EQ(map_->remove_peer(Mark(0x100), address("240.0.0.1")).value(), Change::absent);
  // Half of a peer: the half that is there goes.
  add(Mark(0x100), "240.0.0.1", "203.0.113.1");
  ASSERT_EQ(run("nft delete element inet sameroof alias '{ 0x100 }'"), "");
  EXPECT_EQ(map_->remove_peer(Mark(0x100), address("240.0.0.1")).value(), Change::absent);
  EXPECT_THAT(elements("map", "dialled"), testing::IsEmpty());
  EXPECT_TRUE(map_->flush_peers().has_value());
}

TEST_F(LoadedRuleset, ARefusedPeerLeavesNothingBehind) {
  add(Mark(0x100), "240.0.0.1", "203.0.113.1");
  add(Mark(0x100), "240.0.0.1", "203.0.113.1");
  const auto refused = map_->add_peer(Mark(0x300), address("240.0.0.1"), address("203.0.113.2"));
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, testing::StartsWith("adding the peer at 240.0.0.1: "));
  EXPECT_THAT(elements("map", "alias"), ElementsAre(R"([256,"240.0.0.1"])"));
  EXPECT_THAT(elements("map", "dialled"), ElementsAre(R"(["240.0.0.1","203.0.113.1"])"));
}

TEST_F(LoadedRuleset, TunnelsAreKeyedAsNftWritesThem) {
  ASSERT_TRUE(map_->add_tunnel(Mark(0x100), 0x1234).has_value());
  ASSERT_TRUE(map_->add_tunnel(Mark(0), 9).has_value());
  for (const auto* set : {"tids", "tidsl"}) {
    EXPECT_THAT(elements("set", set),
                UnorderedElementsAre(R"({"concat":[256,4660]})", R"({"concat":[0,9]})"));
  }
  // The same element to nft(8), which refuses to make it twice.
  EXPECT_THAT(run("nft create element inet sameroof tids '{ 0x100 . 0x1234 }'"), HasSubstr("File exists"));
  EXPECT_EQ(map_->remove_tunnel(Mark(0x100), 0x1234).value(), Change::made);
  EXPECT_EQ(map_->remove_tunnel(Mark(0x100), 0x1234).value(), Change::absent);
  EXPECT_THAT(elements("set", "tidsl"), ElementsAre(R"({"concat":[0,9]})"));
  ASSERT_TRUE(map_->flush_tunnels().has_value());
  EXPECT_THAT(elements("set", "tids"), testing::IsEmpty());
  EXPECT_THAT(elements("set", "tidsl"), testing::IsEmpty());
}

TEST_F(LoadedRuleset, CleartextAndLatchAreSwitchedTwiceWithoutComplaint) {
  for (int twice = 0; twice < 2; ++twice) {
    ASSERT_TRUE(map_->set_cleartext(nft::Cleartext::allowed).has_value());
    ASSERT_TRUE(map_->set_latch(nft::Latch::on).has_value());
    EXPECT_THAT(elements("set", "cleartext"), ElementsAre("1701"));
    EXPECT_THAT(elements("set", "latched"), ElementsAre("1701"));
  }
  for (int twice = 0; twice < 2; ++twice) {
    ASSERT_TRUE(map_->set_cleartext(nft::Cleartext::refused).has_value());
    ASSERT_TRUE(map_->set_latch(nft::Latch::off).has_value());
    EXPECT_THAT(elements("set", "cleartext"), testing::IsEmpty());
    EXPECT_THAT(elements("set", "latched"), testing::IsEmpty());
  }
}

TEST_F(LoadedRuleset, LoadingAgainKeepsPeersAndDoublesNoRule) {
  const auto before = run("nft list table inet sameroof");
  add(Mark(0x100), "240.0.0.1", "198.51.100.1");
  ASSERT_EQ(run("nft -f " + rules), "");
  EXPECT_THAT(elements("map", "alias"), ElementsAre(R"([256,"240.0.0.1"])"));
  ASSERT_TRUE(map_->flush_peers().has_value());
  EXPECT_EQ(run("nft list table inet sameroof"), before);
}

TEST_F(LoadedRuleset, TouchesNoOtherTable) {
  ASSERT_EQ(run("nft add table inet firewall"), "");
  ASSERT_EQ(run("nft -f " + rules), "");
  EXPECT_EQ(run("nft list tables"), "table inet sameroof\ntable inet firewall\n");
}

TEST_F(LoadedRuleset, ForgedPacketsAreDroppedAndCounted) {
  ASSERT_EQ(run("ip link set lo up"), "");
  // Clear text to 1701 dies in the input hook, a packet to an alias in postrouting.
  ASSERT_EQ(run("ip route add default dev lo"), "");
  run("bash -c 'echo > /dev/udp/127.0.0.1/1701'");
  run("bash -c 'echo > /dev/udp/240.0.0.1/9'");
  const auto counters = map_->counters();
  ASSERT_TRUE(counters.has_value()) << counters.error().message;
  std::vector<std::string> counted;
  for (const auto& counter : *counters) {
    if (counter.packets > 0) counted.push_back(counter.name);
  }
  EXPECT_EQ(counters->size(), 9U);
  EXPECT_THAT(counted, UnorderedElementsAre("cleartext_in", "leak"));
}

TEST_F(LoadedRuleset, ClearTextPassesWhereItIsAllowed) {
  ASSERT_EQ(run("ip link set lo up"), "");
  ASSERT_TRUE(map_->set_cleartext(nft::Cleartext::allowed).has_value());
  run("bash -c 'echo > /dev/udp/127.0.0.1/1701'");
  const auto counters = map_->counters();
  ASSERT_TRUE(counters.has_value());
  for (const auto& counter : *counters) EXPECT_EQ(counter.packets, 0U) << counter.name;
}

}  // namespace
