// What the kernel and the tools print, as values.

#include "doctor/facts.h"

#include <gtest/gtest.h>

#include "doctor/gather.h"
#include "doctor/program.h"

namespace doctor {
namespace {

TEST(Facts, ALineOfModprobeThatKeepsAModuleAwayIsFoundHoweverItIsWritten) {
  const auto bans = bans_in(
      "# blacklist esp4\nblacklist l2tp-ppp\ninstall  pppoe /bin/true\ninstall esp4 /usr/bin/false\n"
      "install snd /sbin/modprobe --ignore-install snd\noptions l2tp_ppp x=1\nblacklist\n",
      "x.conf");
  ASSERT_EQ(bans.size(), 3U);
  EXPECT_EQ(bans[0].module, "l2tp_ppp");
  EXPECT_EQ(bans[0].line, "blacklist l2tp-ppp");
  EXPECT_EQ(bans[1].module, "pppoe");
  EXPECT_EQ(bans[2].module, "esp4");
  EXPECT_EQ(bans[2].file, "x.conf");
}

TEST(Facts, OnlyUnconnectedSocketsAreTaken) {
  const auto sockets = sockets_in(
      "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode "
      "ref\n"
      "  302: 00000000:01F4 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0 "
      "0\n"
      "  303: 017100CB:06A5 0200F00A:06A5 01 00000000:00000000 00:00000000 00000000     0        0 4712 2 0 "
      "0\n"
      "  304: 0100007F:1194 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4713 2 0 "
      "0\n"
      "  305: garbage 00000000:0000\n");
  ASSERT_EQ(sockets.size(), 2U);
  EXPECT_EQ(sockets[0], (UdpSocket{.address = base::Address(), .port = 500, .inode = 4711}));
  EXPECT_EQ(sockets[1],
            (UdpSocket{.address = *base::Address::parse("127.0.0.1"), .port = 4500, .inode = 4713}));
}

TEST(Facts, SocketsOfBothFamiliesAreTaken) {
  const auto sockets = sockets_in(
      "  302: 00000000000000000000000000000000:06A5 00000000000000000000000000000000:0000 07 "
      "00000000:00000000 "
      "00:00000000 00000000     0        0 99 2 0 0\n");
  ASSERT_EQ(sockets.size(), 1U);
  EXPECT_TRUE(sockets[0].address.is_unspecified());
  EXPECT_EQ(sockets[0].port, 1701);
}

TEST(Facts, RoutesThatLeadNowhereAreNone) {
  const auto routes = routes_in(
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
      "eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
      "eth1\t00000A0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
      "*\t000000F0\t00000000\t0201\t0\t0\t0\t000000FF\t0\t0\t0\n");
  ASSERT_EQ(routes.size(), 2U);
  EXPECT_EQ(routes[0], (Route{.to = *base::Prefix::parse("0.0.0.0/0"), .interface = "eth0"}));
  EXPECT_EQ(routes[1], (Route{.to = *base::Prefix::parse("10.10.0.0/24"), .interface = "eth1"}));
}

TEST(Facts, RoutingRulesThatLookAtMarksHaveTheirMask) {
  const auto rules = mark_rules_in(
      R"([{"priority":0,"src":"all","table":"local"},
          {"priority":100,"src":"all","fwmark":"0x1","fwmask":"0xff","table":"7"},
          {"priority":101,"not":null,"src":"all","fwmark":"0xca6c","table":"51820"}])");
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_EQ(rules[0].value, 1U);
  EXPECT_EQ(rules[0].mask, 0xffU);
  EXPECT_EQ(rules[1].priority, 101U);
  EXPECT_EQ(rules[1].mask, 0xffffffffU);
  EXPECT_TRUE(mark_rules_in("no JSON").empty());
}

TEST(Program, SaysWhatItPrintsOrWhyNot) {
  EXPECT_EQ(output_of({"cat"}, "a text").value_or(""), "a text");
  EXPECT_EQ(output_of({"/nowhere/to-be-found"}).error().message,
            "/nowhere/to-be-found cannot be run: it is not installed");
  EXPECT_EQ(output_of({"sh", "-c", "echo no such luck >&2; exit 3"}).error().message,
            "sh failed: no such luck");
}

}  // namespace
}  // namespace doctor
