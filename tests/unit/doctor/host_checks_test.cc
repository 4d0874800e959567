// Each check finds what it is for, and nothing on a host in order.

#include <algorithm>

#include <gtest/gtest.h>

#include "doctor/checks.h"
#include "validate.h"
#include "xfrmctl/doctor.h"

namespace doctor {
namespace {

constexpr std::int64_t now = 1'800'000'000, one_day = 86400;

std::vector<config::User> users(std::initializer_list<const char*> names) {
  std::vector<config::User> out(names.size());
  std::ranges::transform(names, out.begin(), [](const char* name) {
    config::User user;
    user.name = name;
    return user;
  });
  return out;
}

config::Config configuration() {
  config::Config out;
  out.ppp.local_address = *base::Address::parse("10.99.0.1");
  out.ppp.pool = *base::Prefix::parse("10.99.1.0/24");
  out.users = users({"alice"});
  return out;
}

/// A host in order, with one uplink.
HostFacts host() {
  HostFacts out;
  out.kernel = "6.1.0-18-amd64";
  out.modules = {{"esp4", true, true}, {"l2tp_ppp", true, true}};
  out.dev_ppp = true;
  out.sysctls = {{"net.ipv4.ip_forward", 1}, {"net.ipv4.conf.all.send_redirects", 0}};
  for (const auto port : {std::uint16_t{500}, std::uint16_t{4500}})
    out.sockets.push_back({{}, port, 1, "ikd"});
  out.sockets.push_back({{}, 1701, 3, "l2tpd"});
  out.routes = {{*base::Prefix::parse("0.0.0.0/0"), "eth0"}};
  out.interfaces = {{"eth0", 1500, 1}};
  out.certificates = {{"/x.pem", now - one_day, now + 365 * one_day, true, true}};
  out.clock = {.now = now, .written = now - one_day, .synchronised = true};
  return out;
}

std::string said(const Findings& findings) {
  std::string out;
  for (const auto& f : findings) out += (out.empty() ? "" : "; ") + f.sentence;
  return out;
}

TEST(Checks, FindNothingOnAHostInOrder) { EXPECT_EQ(said(check_host(host(), configuration())), ""); }

TEST(KernelCheck, AnOldKernelIsAnError) {
  auto facts = host();
  facts.kernel = "5.15.0";
  EXPECT_NE(said(check_kernel(facts)).find("the kernel is 5.15.0"), std::string::npos);
  facts.kernel = "10.0";
  EXPECT_EQ(said(check_kernel(facts)), "");
}

TEST(KernelCheck, ModulesThatAreMissingUnloadedOrBanned) {
  auto facts = host();
  facts.modules = {{"esp4", false, false}, {"xfrm_user", false, true}, {"l2tp_ppp", false, true}};
  facts.bans = {{"l2tp_ppp", "/etc/modprobe.d/l2tp.conf", "blacklist l2tp_ppp"},
                {"pcspkr", "x", "blacklist pcspkr"}};
  facts.dev_ppp = false;
  const auto found = check_kernel(facts);
  EXPECT_EQ(
      said(found),
      "there is no kernel module esp4 for 6.1.0-18-amd64; the kernel module xfrm_user is not loaded; "
      "/etc/modprobe.d/l2tp.conf keeps the kernel module l2tp_ppp from being loaded: \"blacklist l2tp_ppp\"; "
      "/dev/ppp is missing, which pppd needs");
  EXPECT_EQ(found[1].severity, Severity::warning);
  EXPECT_EQ(found[2].severity, Severity::error);
  facts.modules = {{"l2tp_ppp", true, true}};
  EXPECT_EQ(check_kernel(facts)[0].severity, Severity::warning) << "until the next start";
}

TEST(PppdCheck, WhatIsMissingOfItIsSaidWhereItIsOurs) {
  auto facts = host();
  facts.pppd = "pppd has no plugin pppol2tp.so in /usr/lib/pppd or /usr/lib64/pppd";
  auto config = configuration();
  const auto found = check_host(facts, config);
  EXPECT_EQ(said(found), "no session can come up: " + facts.pppd);
  EXPECT_EQ(misfit("doctor", xfrmctl::findings_json(found)), "");
  config.l2tp.lns = config::Lns::external;
  EXPECT_EQ(said(check_pppd(facts, config)), "");
}

TEST(KernelCheck, Esp6IsNeededWhereIpv6IsListenedOn) {
  auto config = configuration();
  EXPECT_EQ(std::ranges::count(modules_needed(config), "esp6"), 0);
  EXPECT_EQ(std::ranges::count(modules_needed(config), "esp4"), 1);
  config.ike.listen.push_back(*base::Address::parse("::"));
  EXPECT_EQ(std::ranges::count(modules_needed(config), "esp6"), 1);
}

TEST(SysctlCheck, ForwardingAndRedirects) {
  auto facts = host();
  facts.sysctls = {{"net.ipv4.ip_forward", 0},
                   {"net.ipv4.conf.all.send_redirects", 1},
                   {"net.ipv4.conf.default.send_redirects", 1},
                   {"net.ipv4.tcp_fwmark_accept", 0}};
  EXPECT_EQ(check_sysctls(facts, configuration()).size(), 3U);
  auto config = configuration();
  config.services = {{.protocol = config::Service::Protocol::tcp, .port = 80}};
  EXPECT_EQ(check_sysctls(facts, config).size(), 4U);
}

TEST(PortCheck, WhoHasTakenAPortIsNamedOnce) {
  auto facts = host();
  facts.sockets = {{{}, 500, 1, "charon"},
                   {*base::Address::parse("192.0.2.1"), 500, 2, "charon"},
                   {{}, 4500, 1, "ikd"},
                   {{}, 1701, 3, "xl2tpd"}};
  EXPECT_EQ(
      said(check_ports(facts, configuration())),
      "UDP 500 is taken by charon, and belongs to ikd; UDP 1701 is taken by xl2tpd, and belongs to l2tpd");
  auto config = configuration();
  config.l2tp.lns = config::Lns::external;
  EXPECT_EQ(said(check_ports(facts, config)), "UDP 500 is taken by charon, and belongs to ikd");
}

TEST(PortCheck, AnotherAddressIsNobodysBusinessAndNobodyIsAnError) {
  auto facts = host();
  facts.sockets = {{*base::Address::parse("127.0.0.1"), 500, 1, "charon"}};
  auto config = configuration();
  config.ike.listen = {*base::Address::parse("203.0.113.1")};
  config.l2tp.cleartext = config::Cleartext::off;
  EXPECT_EQ(said(check_ports(facts, config)),
            "nobody listens on UDP 500; nobody listens on UDP 4500; nobody listens on UDP 1701");
  config.l2tp.cleartext = config::Cleartext::only;
  EXPECT_EQ(said(check_ports(facts, config)), "nobody listens on UDP 1701");
}

TEST(RouteCheck, AliasesNeedARouteAndStrictFiltersTheSameOne) {
  auto facts = host();
  facts.routes.push_back({*base::Prefix::parse("0.0.0.0/0"), "eth1"});
  facts.interfaces.push_back({"eth1", 1500, 1});
  EXPECT_NE(said(check_routes(facts, configuration())).find("net.ipv4.conf.eth1.rp_filter is strict"),
            std::string::npos);
  facts.interfaces.back().rp_filter = 2;
  EXPECT_EQ(said(check_routes(facts, configuration())), "");
  facts.routes = {{*base::Prefix::parse("10.0.0.0/8"), "eth0"}};
  EXPECT_NE(said(check_routes(facts, configuration())).find("no route leads to 240.0.0.0/8"),
            std::string::npos);
}

TEST(CertificateCheck, LifeAndWhatWindowsWants) {
  auto facts = host();
  facts.certificates = {{"a", now - 9, now - 1, true, true},
                        {"b", now + 9, now + 99, true, true},
                        {"c", now - 9, now + 10 * one_day, true, false},
                        {"d", now - 9, now + 90 * one_day, false, true}};
  facts.unread = {"cannot open e: No such file or directory"};
  EXPECT_EQ(said(check_certificates(facts)),
            "cannot open e: No such file or directory; a has expired: clients refuse it; b is not valid yet; "
            "c expires "
            "in 10 days; c has neither serverAuth nor the IKE intermediate in its extended key usage: "
            "Windows refuses "
            "it; d has no alternative name: Windows wants the name that it dials among them");
}

TEST(ClockCheck, AClockBeforeTheConfigurationIsWrongAndOneThatNobodySetsMattersToCertificates) {
  auto facts = host();
  facts.clock = {.now = now, .written = now + 2 * one_day, .synchronised = true};
  EXPECT_EQ(check_clock(facts, configuration()).size(), 1U);
  facts.clock = {.now = now, .written = now, .synchronised = false};
  EXPECT_EQ(said(check_clock(facts, configuration())), "");
  auto config = configuration();
  config.ike.certificates.emplace_back();
  EXPECT_EQ(check_clock(facts, config).size(), 1U);
}

TEST(PoolCheck, ItsSizeAgainstUsersSessionsAndMarks) {
  auto facts = host();
  auto config = configuration();
  config.ppp.pool = *base::Prefix::parse("10.99.1.0/30");
  config.users = users({"a", "b", "c"});
  config.users.back().address = *base::Address::parse("10.99.1.2");
  EXPECT_EQ(said(check_pool(facts, config)),
            "the pool 10.99.1.0/30 has 1 addresses to give, and 2 users have none of their own");
  config = configuration();
  facts.sessions = 227;
  EXPECT_EQ(said(check_pool(facts, config)), "");
  facts.sessions = 229;
  EXPECT_NE(said(check_pool(facts, config)).find("there are 229 sessions"), std::string::npos);
  facts.sessions.reset();
  config.marks.mask = 0xf0;
  EXPECT_NE(said(check_pool(facts, config)).find("room for 14 peers"), std::string::npos);
}

TEST(MtuCheck, WhatIsLeftInside) {
  auto facts = host();
  auto config = configuration();
  facts.interfaces[0].mtu = 1377;
  EXPECT_NE(said(check_mtu(facts, config)).find("1377 octets at most go through eth0: 1279 are left"),
            std::string::npos);
  facts.interfaces[0].mtu = 1400;
  config.ppp.mtu = 1400;
  EXPECT_NE(said(check_mtu(facts, config)).find("[ppp] mtu is 1400, and 1302 fit"), std::string::npos);
}

TEST(Report, ForPeopleAndForPrograms) {
  const Findings findings{{"clock", Severity::error, "it is \x1b late", "set it"},
                          {"pool", Severity::warning, "small", "widen it"}};
  EXPECT_EQ(xfrmctl::findings_text(findings),
            "error    it is ? late\n         -> set it\nwarning  small\n         -> widen it\n");
  EXPECT_EQ(misfit("doctor", xfrmctl::findings_json(findings)), "");
  EXPECT_EQ(misfit("doctor", xfrmctl::findings_json({})), "");
  EXPECT_EQ(xfrmctl::verdict_of({}), 0);
  EXPECT_EQ(xfrmctl::verdict_of({findings[1]}), 5);
  EXPECT_EQ(xfrmctl::verdict_of(findings), 6);
}

}  // namespace
}  // namespace doctor
