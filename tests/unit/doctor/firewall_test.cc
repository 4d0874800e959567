// Other people's rules, as nft and iptables-save print them.

#include "doctor/firewall.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "doctor/checks.h"
#include "doctor/gather.h"
#include "doctor/program.h"

namespace doctor {
namespace {

const Probe ike{"UDP 500", "udp", 500}, nat_t{"UDP 4500", "udp", 4500}, esp{"ESP", "esp", 0};

/// A chain "input" of table inet fw with these rules, each an expression list of nft's JSON.
Firewall nft(const std::string& policy, const std::vector<std::string>& rules, const std::string& more = "") {
  auto json = fmt::format(
      R"({{"nftables":[{{"metainfo":{{}}}},{{"table":{{"family":"inet","name":"fw"}}}},
      {{"chain":{{"family":"inet","table":"fw","name":"input","type":"filter","hook":"input","policy":"{}"}}}},
      {{"chain":{{"family":"inet","table":"fw","name":"wan"}}}})",
      policy);
  for (const auto& rule : rules)
    json += fmt::format(R"(,{{"rule":{{"family":"inet","table":"fw","chain":"input","expr":[{}]}}}})", rule);
  return firewall_of_nft(json + more + "]}").value();
}

std::string match(const std::string& left, const std::string& right, const std::string& op = "==") {
  return fmt::format(R"({{"match":{{"op":"{}","left":{},"right":{}}}}})", op, left, right);
}
std::string dport(const std::string& right, const std::string& op = "==") {
  return match(R"({"payload":{"protocol":"udp","field":"dport"}})", right, op);
}
std::string with(const std::string& conditions, const char* verdict) {
  return conditions + (conditions.empty() ? "" : ",") + fmt::format(R"({{"{}":null}})", verdict);
}
const std::string from_lan = match(R"({"payload":{"protocol":"ip","field":"saddr"}})", R"("10.0.0.1")");

TEST(NftRules, WithoutRulesThePolicyDecides) {
  EXPECT_FALSE(dropped_at(nft("accept", {}), ike));
  EXPECT_EQ(dropped_at(nft("drop", {}), ike), "table inet fw, chain input");
}

TEST(NftRules, APortIsLetInByNumberBySetAndByRange) {
  for (const std::string right : {"500", R"({"set":[22,500]})", R"({"range":[400,600]})"}) {
    EXPECT_FALSE(dropped_at(nft("drop", {with(dport(right), "accept")}), ike)) << right;
    EXPECT_TRUE(dropped_at(nft("drop", {with(dport(right), "accept")}), nat_t)) << right;
    EXPECT_TRUE(dropped_at(nft("accept", {with(dport(right), "drop")}), ike)) << right;
    EXPECT_FALSE(dropped_at(nft("accept", {with(dport(right), "reject")}), esp)) << right;
  }
  EXPECT_TRUE(dropped_at(nft("accept", {with(dport("22", "!="), "reject")}), ike));
}

TEST(NftRules, EspIsAProtocol) {
  const auto rule = with(match(R"({"meta":{"key":"l4proto"}})", R"("esp")"), "accept");
  EXPECT_FALSE(dropped_at(nft("drop", {rule}), esp));
  EXPECT_TRUE(dropped_at(nft("drop", {rule}), ike));
}

TEST(NftRules, WhatIsLetInForOthersLetsNoStrangerIn) {
  const auto states = match(R"({"ct":{"key":"state"}})", R"(["established","related"])", "in");
  const auto lo = match(R"({"meta":{"key":"iifname"}})", R"("lo")");
  EXPECT_TRUE(
      dropped_at(nft("drop", {with(states, "accept"), with(lo, "accept"), with(from_lan, "accept")}), ike));
}

TEST(NftRules, WhoNamesThePortAndSomethingElseMeansIt) {
  EXPECT_FALSE(dropped_at(nft("drop", {with(from_lan + "," + dport("500"), "accept")}), ike));
}

TEST(NftRules, WhatMayBeDroppedOfSomebodyIsNotDroppedOfAll) {
  EXPECT_FALSE(dropped_at(nft("accept", {with(from_lan, "drop")}), ike));
  EXPECT_FALSE(dropped_at(nft("accept", {with(R"({"limit":{"rate":3,"per":"second"}})", "drop")}), ike));
}

TEST(NftRules, JumpsAndVerdictMapsAreFollowed) {
  const std::string jump = R"({"jump":{"target":"wan"}})";
  const auto in_wan = [](const std::string& expr) {
    return fmt::format(R"(,{{"rule":{{"family":"inet","table":"fw","chain":"wan","expr":[{}]}}}})", expr);
  };
  EXPECT_FALSE(dropped_at(nft("drop", {jump}, in_wan(with(dport("500"), "accept"))), ike));
  EXPECT_TRUE(dropped_at(nft("accept", {jump}, in_wan(with("", "drop"))), ike));
  EXPECT_FALSE(dropped_at(nft("accept", {jump}, in_wan(with("", "return"))), ike));
  const auto vmap = R"({"vmap":{"key":{"payload":{"protocol":"ip","field":"protocol"}},)"
                    R"("data":{"set":[["tcp",{"accept":null}],["udp",{"drop":null}]]}}})";
  EXPECT_TRUE(dropped_at(nft("accept", {vmap}), ike));
  EXPECT_FALSE(dropped_at(nft("accept", {vmap}), esp));
}

TEST(NftRules, AListingThatIsNoneIsRefused) {
  EXPECT_FALSE(firewall_of_nft("nonsense"));
  EXPECT_FALSE(firewall_of_nft(R"({"nftables":3})"));
  EXPECT_TRUE(
      firewall_of_nft(R"({"nftables":[3,{"rule":[]},{"chain":{"family":"inet"}},{"rule":{"expr":{}}}]})"));
}

TEST(Iptables, AreReadAsTheyAreSaved) {
  Firewall firewall;
  add_iptables(firewall,
               "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:ufw-user-input - [0:0]\n"
               "-A INPUT -i lo -j ACCEPT\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
               "-A INPUT -m comment --comment \"allow -j ACCEPT\" -j ufw-user-input\n"
               "-A ufw-user-input -p udp -m multiport --dports 500,4000:4400 -j ACCEPT\n"
               "-A ufw-user-input ! -p udp -j ACCEPT\nCOMMIT\n");
  EXPECT_FALSE(dropped_at(firewall, ike));
  EXPECT_FALSE(dropped_at(firewall, esp));
  EXPECT_EQ(dropped_at(firewall, nat_t), "table iptables filter, chain INPUT");
}

TEST(Marks, WhoWritesOurBitsIsFound) {
  const config::Config config;
  const auto set = [](const std::string& value) {
    return R"({"mangle":{"key":{"meta":{"key":"mark"}},"value":)" + value + "}}";
  };
  const std::string mark = R"({"meta":{"key":"mark"}})";
  EXPECT_EQ(check_marks(nft("accept", {set("1")}), {}, config).size(), 1U) << "the whole mark is replaced";
  EXPECT_EQ(check_marks(nft("accept", {set(R"({"ct":{"key":"mark"}})")}), {}, config).size(), 1U);
  EXPECT_TRUE(check_marks(nft("accept", {set(R"({"|":[)" + mark + ",16]}")}), {}, config).empty());
  EXPECT_TRUE(
      check_marks(nft("accept", {set(R"({"|":[{"&":[)" + mark + ",4294967040]},1]}")}), {}, config).empty());
  const auto found = check_marks(nft("accept", {set(R"({"|":[)" + mark + ",768]}")}), {}, config);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(
      found[0].sentence,
      "table inet fw, chain input writes bits 0x00000300 of the packet mark, which tell our peers apart");
}

TEST(Marks, IptablesAndRoutingRulesAreOtherUsersToo) {
  const config::Config config;
  const auto save = [](const std::string& target) {
    Firewall firewall;
    add_iptables(firewall, "*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j " + target + "\n");
    return firewall;
  };
  EXPECT_TRUE(check_marks(save("MARK --set-xmark 0x1/0xff"), {}, config).empty());
  EXPECT_EQ(check_marks(save("MARK --set-xmark 0x1/0xffffffff"), {}, config).size(), 1U);
  EXPECT_EQ(
      check_marks(save("CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff"), {}, config).size(),
      1U);
  EXPECT_TRUE(check_marks(save("CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff"), {}, config).empty());
  EXPECT_TRUE(check_marks({}, {{.priority = 9, .value = 1, .mask = 0xff}}, config).empty());
  EXPECT_EQ(check_marks({}, {{.priority = 9, .value = 0x100, .mask = 0xff00}}, config).size(), 1U);
  EXPECT_EQ(check_marks({}, {{.priority = 9, .value = 0xca6c, .mask = 0xffffffff}}, config).size(), 1U);
}

TEST(FirewallCheck, NamesWhatIsDroppedAndWhere) {
  const config::Config config;
  EXPECT_TRUE(check_firewall(nft("accept", {}), config).empty());
  const auto let_in = with(dport(R"({"set":[500,4500]})"), "accept");
  const auto found = check_firewall(nft("drop", {let_in}), config);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].sentence, "table inet fw, chain input drops ESP from clients");
  EXPECT_EQ(found[0].severity, Severity::warning);
  EXPECT_EQ(found[1].sentence, "table inet fw, chain input drops L2TP after it is decrypted");
  EXPECT_EQ(found[1].severity, Severity::error);
}

TEST(TableCheck, CountsAndElementsAreNoDifferenceAndRulesAre) {
  const auto table = [](const char* elements, const char* rule) {
    return fmt::format(
        R"({{"nftables":[{{"metainfo":{{"version":"1"}}}},{{"table":{{"name":"sameroof","handle":4}}}},
      {{"map":{{"name":"alias"{}}}}},{{"chain":{{"name":"in","handle":7}}}},
      {{"rule":{{"chain":"in","handle":9,"expr":[{{"{}":null}}]}}}}]}})",
        elements, rule);
  };
  EXPECT_TRUE(check_table(table(R"(,"elem":[[256,"240.0.0.1"]])", "drop"), table("", "drop")).empty());
  const auto changed = check_table(table("", "accept"), table("", "drop"));
  ASSERT_EQ(changed.size(), 1U);
  EXPECT_NE(changed[0].sentence.find(": chain in is different"), std::string::npos) << changed[0].sentence;
  const auto missing = check_table("", table("", "drop"));
  ASSERT_EQ(missing.size(), 1U);
  EXPECT_NE(missing[0].sentence.find("is not there"), std::string::npos);
}

TEST(TableCheck, TheShippedRulesetAsNftWritesItIsTheShippedOne) {
  const auto tables = look_at_tables({});
  if (!tables) GTEST_SKIP() << tables.error().message;
  EXPECT_TRUE(check_table(tables->shipped, tables->shipped).empty());
  const config::Config narrow{.file_name = "",
                              .marks = {.mask = 0xff0},
                              .ike = {},
                              .l2tp = {},
                              .ppp = {},
                              .radius = {},
                              .hooks = {},
                              .users = {},
                              .services = {}};
  const auto others = look_at_tables(narrow);
  ASSERT_TRUE(others) << others.error().message;
  EXPECT_EQ(check_table(tables->shipped, others->shipped).size(), 1U) << "a ruleset of another mask";
}

}  // namespace
}  // namespace doctor
