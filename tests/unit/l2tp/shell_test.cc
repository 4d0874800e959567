// The pure parts of the daemon around the core: users, addresses, pppd's arguments and the plugin's protocol.

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "l2tpd/accounts.h"
#include "l2tpd/kernel.h"
#include "l2tpd/link_protocol.h"
#include "l2tpd/mtu.h"
#include "l2tpd/pool.h"
#include "l2tpd/pppd.h"
#include "l2tpd/radius.h"

namespace l2tpd {
namespace {

using ::testing::Contains;
using ::testing::IsSubsetOf;
using ::testing::Not;

base::Address address(const char* text) { return *base::Address::parse(text); }

config::Config small_config() {
  config::Config config;
  config.ppp.local_address = address("10.99.1.1");
  config.ppp.pool = *base::Prefix::parse("10.99.1.0/29");
  config.ppp.dns = {address("10.99.0.53"), address("10.99.0.54")};
  config.ppp.nbns = {address("10.99.0.55")};
  config.users = {{.name = "alice", .address = {}, .limits = {}, .line = 0},
                  {.name = "bob", .address = address("10.99.1.3"), .limits = {}, .line = 0}};
  return config;
}

TEST(Pool, GivesEachAddressOnceAndNoneThatBelongsToSomebody) {
  const auto config = small_config();
  Pool pool(config);
  std::set<base::Address> given;
  for (auto lease = pool.lease({}); lease; lease = pool.lease({}))
    EXPECT_TRUE(given.insert(*lease).second) << lease->to_string();
  const std::set<base::Address> expected{address("10.99.1.2"), address("10.99.1.4"), address("10.99.1.5"),
                                         address("10.99.1.6")};
  EXPECT_EQ(given, expected);
  EXPECT_EQ(pool.lease({}).error().message, "no address is left in the pool");
}

TEST(Pool, GivesTheLongestFreeAddressNext) {
  const auto config = small_config();
  Pool pool(config);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(pool.lease({}));
  pool.release(address("10.99.1.5"));
  pool.release(address("10.99.1.2"));
  pool.release(address("10.99.1.2"));  // twice is once
  EXPECT_EQ(*pool.lease({}), address("10.99.1.5"));
  EXPECT_EQ(*pool.lease({}), address("10.99.1.2"));
  EXPECT_FALSE(pool.lease({}));
}

TEST(Pool, AUsersOwnAddressIsHeldOnceAndNeverEntersThePool) {
  const auto config = small_config();
  Pool pool(config);
  EXPECT_EQ(*pool.lease(address("10.99.1.3")), address("10.99.1.3"));
  EXPECT_FALSE(pool.lease(address("10.99.1.3")));
  pool.release(address("10.99.1.3"));
  EXPECT_EQ(pool.in_use(), 0u);
  EXPECT_EQ(*pool.lease(address("10.99.1.3")), address("10.99.1.3"));
  while (pool.lease({})) continue;
  pool.release(address("10.99.1.3"));
  EXPECT_FALSE(pool.lease({}));
}

TEST(Pool, AnAddressThatRadiusGaveIsNotGivenOutBesides) {
  const auto config = small_config();
  Pool pool(config);
  EXPECT_TRUE(pool.lease(address("10.99.1.4")));
  EXPECT_EQ(*pool.lease({}), address("10.99.1.2"));
  EXPECT_EQ(*pool.lease({}), address("10.99.1.5"));
  pool.release(address("10.99.1.4"));
  pool.release(address("10.99.1.2"));
  EXPECT_TRUE(pool.lease(address("10.99.1.4")));  // freed, and wanted again
  EXPECT_EQ(*pool.lease({}), address("10.99.1.6"));
  EXPECT_EQ(*pool.lease({}), address("10.99.1.2"));
  EXPECT_FALSE(pool.lease({}));
  EXPECT_TRUE(pool.lease(address("192.0.2.7")));
  pool.release(address("192.0.2.7"));
  EXPECT_FALSE(pool.lease({})) << "an address from elsewhere is none of the pool's";
}

TEST(Pool, ANewRangeKeepsWhatIsInUse) {
  auto config = small_config();
  Pool pool(config);
  EXPECT_EQ(*pool.lease({}), address("10.99.1.2"));
  EXPECT_EQ(*pool.lease({}), address("10.99.1.4"));
  pool.release(address("10.99.1.4"));
  config.ppp.pool = *base::Prefix::parse("10.99.1.0/30");
  config.users.clear();
  pool.configure(config);
  EXPECT_EQ(pool.in_use(), 1u);
  EXPECT_FALSE(pool.lease({})) << "10.99.1.1 is ours and 10.99.1.2 in use";
  pool.release(address("10.99.1.2"));
  EXPECT_EQ(*pool.lease({}), address("10.99.1.2"));
}

base::Prefix prefix(const char* text) { return *base::Prefix::parse(text); }

TEST(Pool, AnAddressOfOursStaysOutOfThePoolWhileALinkHasItAtItsNearEnd) {
  auto config = small_config();
  Pool pool(config);
  const auto before = address("10.99.1.1");
  EXPECT_EQ(pool.take_near_end(), before);
  EXPECT_EQ(pool.take_near_end(), before);
  config.ppp.local_address = address("10.99.1.6");
  pool.configure(config);
  EXPECT_EQ(pool.take_near_end(), address("10.99.1.6"));
  while (const auto leased = pool.lease({})) EXPECT_NE(*leased, before);
  EXPECT_EQ(pool.lease(before).error().message, "10.99.1.1 is this server's own address");
  pool.give_back_near_end(before);
  EXPECT_FALSE(pool.lease(before)) << "the second link still has it";
  pool.give_back_near_end(before);
  pool.give_back_near_end(address("10.99.1.6"));
  EXPECT_FALSE(pool.lease(address("10.99.1.6"))) << "it is our own, though no link has it";
  EXPECT_EQ(pool.lease({}).value(), before) << "the pool has passed it over before";
  EXPECT_FALSE(pool.lease({}));
  pool.release(before);
  EXPECT_EQ(pool.lease(before).value(), before);
}

TEST(Pool, AnAddressThatWasOursBelongsToItsUserOnceNoLinkHasIt) {
  auto config = small_config();
  Pool pool(config);
  (void)pool.take_near_end();
  config.users[0].address = config.ppp.local_address;
  config.ppp.local_address = address("10.99.1.6");
  pool.configure(config);
  EXPECT_FALSE(pool.lease(config.users[0].address));
  pool.give_back_near_end(address("10.99.1.1"));
  while (const auto leased = pool.lease({})) EXPECT_NE(*leased, address("10.99.1.1"));
  EXPECT_TRUE(pool.lease(config.users[0].address));
}

TEST(PrefixPool, GivesEachSessionA64OfItsOwnAndTheLongestFreeOneNext) {
  config::Ppp ppp;
  ppp.ipv6_prefix = prefix("2001:db8:7:fffe::/63");
  PrefixPool pool(ppp);
  EXPECT_EQ(pool.lease(), prefix("2001:db8:7:fffe::/64"));
  EXPECT_EQ(pool.lease(), prefix("2001:db8:7:ffff::/64"));
  EXPECT_FALSE(pool.lease());
  pool.release(prefix("2001:db8:7:ffff::/64"));
  pool.release(prefix("2001:db8:7:fffe::/64"));
  pool.release(prefix("2001:db8:7:fffe::/64"));  // twice is once
  EXPECT_EQ(pool.lease(), prefix("2001:db8:7:ffff::/64"));
  EXPECT_EQ(pool.lease(), prefix("2001:db8:7:fffe::/64"));
  EXPECT_EQ(pool.in_use(), 2u);
  EXPECT_FALSE(pool.lease());
}

TEST(PrefixPool, ANewRangeKeepsWhatIsInUseAndNoRangeGivesNothing) {
  config::Ppp ppp;
  PrefixPool pool(ppp);
  EXPECT_FALSE(pool.lease());
  ppp.ipv6_prefix = prefix("fd00:7::/62");
  pool.configure(ppp);
  EXPECT_EQ(pool.lease(), prefix("fd00:7::/64"));
  EXPECT_EQ(pool.lease(), prefix("fd00:7:0:1::/64"));
  ppp.ipv6_prefix = prefix("fd00:7:0:1::/64");
  pool.configure(ppp);
  EXPECT_FALSE(pool.lease()) << "in use";
  pool.release(prefix("fd00:7::/64"));
  EXPECT_FALSE(pool.lease()) << "of the old range";
  pool.release(prefix("fd00:7:0:1::/64"));
  EXPECT_EQ(pool.lease(), prefix("fd00:7:0:1::/64"));
}

TEST(Accounts, FindsAWindowsUserBehindItsDomain) {
  const auto config = small_config();
  config::Secrets secrets;
  secrets.user.emplace("alice", base::Secret::copy_of(base::as_bytes("wonder")));
  const Accounts accounts(config, secrets, base::Secret::copy_of(base::as_bytes("nobody knows")));
  EXPECT_EQ(accounts.find("alice")->name, "alice");
  EXPECT_EQ(accounts.find("OFFICE\\alice")->name, "alice");
  EXPECT_EQ(accounts.find("bob")->address, address("10.99.1.3"));
  EXPECT_FALSE(accounts.find("carol"));
  EXPECT_FALSE(accounts.find("alice\\"));
  EXPECT_TRUE(accounts.password_is_right("OFFICE\\alice", base::as_bytes("wonder")));
  EXPECT_FALSE(accounts.password_is_right("alice", base::as_bytes("wonder ")));
  EXPECT_FALSE(accounts.password_is_right("alice", {}));
  EXPECT_EQ(base::as_text(accounts.secret_of("carol").view()), "nobody knows");
  EXPECT_FALSE(accounts.password_is_right("carol", base::as_bytes("nobody knows")));
}

TEST(Accounts, WhomRadiusLetsInGetsWhatTheConfigurationSays) {
  auto config = small_config();
  config.ppp.limits.sessions = 3;
  const config::Secrets secrets;
  const Accounts accounts(config, secrets, base::Secret::copy_of(base::as_bytes("nobody knows")));
  const auto stranger = accounts.admitted("carol@example.org", address("10.99.8.1"));
  EXPECT_EQ(stranger.name, "carol@example.org");
  EXPECT_EQ(stranger.address, address("10.99.8.1"));
  EXPECT_EQ(stranger.limits.sessions, 3u);
  EXPECT_EQ(accounts.admitted("bob", {}).address, address("10.99.1.3"));
  const auto guest = accounts.admitted("GUEST\\bob", {});
  EXPECT_EQ(guest.name, "GUEST\\bob");
  EXPECT_FALSE(guest.address) << "another domain's bob is another user";
}

base::Bytes packet(std::string_view text) { return base::to_bytes(base::as_bytes(text)); }

TEST(LinkProtocol, DecodesEachRequest) {
  using namespace std::string_view_literals;
  const auto secret = decode_link_request(packet("S\5alice"));
  ASSERT_TRUE(secret);
  EXPECT_EQ(std::get<SecretWanted>(*secret).name, "alice");
  const auto checked = decode_link_request(packet("C\3bob\0011"));
  ASSERT_TRUE(checked);
  EXPECT_TRUE(std::get<ChapChecked>(*checked).right);
  const auto pap = decode_link_request(packet("P\3bob\2pw"));
  ASSERT_TRUE(pap);
  EXPECT_EQ(base::as_text(std::get<PapLogin>(*pap).password.view()), "pw");
  const auto judged = decode_link_request(packet("R\3bob\0011\4\x0a\x63\x08\x01"));
  ASSERT_TRUE(judged);
  EXPECT_TRUE(std::get<Judged>(*judged).right);
  EXPECT_EQ(std::get<Judged>(*judged).given, address("10.99.8.1"));
  EXPECT_FALSE(std::get<Judged>(*decode_link_request(packet("R\3bob\0010\4\0\0\0\0"sv))).given);
  const auto up = decode_link_request(packet("U\4ppp7\4\x0a\x63\x00\x01\4\x0a\x63\x01\x05\2\x05\x76"sv));
  ASSERT_TRUE(up);
  EXPECT_EQ(std::get<LinkUp>(*up).ifname, "ppp7");
  EXPECT_EQ(std::get<LinkUp>(*up).theirs, address("10.99.1.5"));
  EXPECT_EQ(std::get<LinkUp>(*up).mtu, 1398);
  const auto down = decode_link_request(packet("D\4ppp7\1\x0c"));
  ASSERT_TRUE(down);
  EXPECT_EQ(std::get<LinkDown>(*down).ifname, "ppp7");
  EXPECT_EQ(std::get<LinkDown>(*down).status, 12);
  const auto made = decode_link_request(packet("L\4ppp7\2\x05\x76"));
  ASSERT_TRUE(made);
  EXPECT_EQ(std::get<LinkMade>(*made).ifname, "ppp7");
  EXPECT_EQ(std::get<LinkMade>(*made).mtu, 1398);
  const auto ipv6_up = decode_link_request(packet("V\4ppp7\2\x05\x76"));
  ASSERT_TRUE(ipv6_up);
  EXPECT_EQ(std::get<Ipv6Up>(*ipv6_up).ifname, "ppp7");
  EXPECT_EQ(std::get<Ipv6Up>(*ipv6_up).mtu, 1398);
  const auto ipv6_down = decode_link_request(packet("W\4ppp7"));
  ASSERT_TRUE(ipv6_down);
  EXPECT_EQ(std::get<Ipv6Down>(*ipv6_down).ifname, "ppp7");
}

TEST(LinkProtocol, RefusesWhatIsNoRequest) {
  for (const auto* text : {"",
                           "S",
                           "Salice",
                           "S\6alice",
                           "S\5alicex",
                           "X\5alice",
                           "C\3bob",
                           "C\3bob\0012",
                           "P\3bob",
                           "R\3bob\0011",
                           "R\3bob\0012\4abcd",
                           "R\3bob\0011\3abc",
                           "U\4ppp7\4abcd",
                           "U\4ppp7\3abc\4abcd\2ab",
                           "U\4ppp7\4abcd\4abcd",
                           "U\4ppp7\4abcd\4abcd\3abc",
                           "U\x10"
                           "aaaaaaaaaaaaaaaa\4abcd\4abcd\2ab",
                           "L\4ppp7",
                           "L\4ppp7\1\x05",
                           "D",
                           "D\4ppp7",
                           "D\4ppp7\2ab",
                           "D\4ppp7\1ax",
                           "D\x10"
                           "aaaaaaaaaaaaaaaa\1a",
                           "V\4ppp7",
                           "V\4ppp7\3abc",
                           "W",
                           "W\4ppp7\1a",
                           "W\x10"
                           "aaaaaaaaaaaaaaaa"})
    EXPECT_FALSE(decode_link_request(packet(text))) << text;
  EXPECT_FALSE(decode_link_request(base::Bytes{'S', 0}));
}

TEST(LinkProtocol, EncodesAnswers) {
  EXPECT_EQ(base::hex(encode_lease({address("10.99.1.5"), std::chrono::hours(1), std::chrono::seconds(5)})),
            "59040a630105"
            "0400000e10"
            "0400000005");
  EXPECT_EQ(base::hex(encode_no("no")), "4e026e6f");
  EXPECT_EQ(base::hex(encode_secret(base::Secret::copy_of(base::as_bytes("pw"))).view()), "59027077");
  const auto long_secret = base::Secret::of_size(300);
  EXPECT_EQ(encode_secret(long_secret).size(), 257u);
}

TEST(Pppd, IsAskedForWhatTheConfigurationSays) {
  auto config = small_config();
  config.ppp.auth = {config::PppAuth::mschap_v2, config::PppAuth::pap};
  config.ppp.plugin = "/x/sameroof-pppd.so";
  const l2tp::TunnelName tunnel{.id = l2tp::TunnelId(7), .peer = {}, .mark = {}, .local = {}, .remote = {}};
  const auto words = pppd_arguments(config.ppp, {.mtu = 1398}, tunnel, {l2tp::SessionId(9), {}}, 3, 4, {});
  EXPECT_THAT(
      (std::vector<std::string>{"require-mschap-v2", "require-pap", "10.99.1.1:", "10.99.0.53", "10.99.0.54",
                                "/x/sameroof-pppd.so", "noccp", "auth", "nopersist", "nomppe", "refuse-eap"}),
      IsSubsetOf(words));
  EXPECT_THAT(words, Not(Contains("require-chap")));
  EXPECT_THAT(words, Not(Contains("debug")));
  const auto after = [&words](const char* word) { return *(std::ranges::find(words, word) + 1); };
  EXPECT_EQ(after("pppol2tp"), "3");
  EXPECT_EQ(after("sameroof_fd"), "4");
  EXPECT_EQ(after("pppol2tp_tunnel_id"), "7");
  EXPECT_EQ(after("pppol2tp_session_id"), "9");
  EXPECT_EQ(after("mtu"), "1398");
  EXPECT_EQ(after("mru"), "1398");
  EXPECT_EQ(after("ms-wins"), "10.99.0.55");
  EXPECT_THAT(words, Contains("noipv6"));
  EXPECT_EQ(after("lcp-echo-interval"), "0");
}

TEST(Pppd, AsksAsOftenAsHelloDoes) {
  using namespace std::chrono_literals;
  const auto config = small_config();
  const l2tp::TunnelName tunnel{.id = l2tp::TunnelId(7), .peer = {}, .mark = {}, .local = {}, .remote = {}};
  const auto echo = [&](std::chrono::seconds interval, std::chrono::seconds patience) {
    const auto words =
        pppd_arguments(config.ppp, {.mtu = 1398, .echo_interval = interval, .echo_patience = patience},
                       tunnel, {}, 3, 4, {});
    const auto after = [&words](const char* word) { return *(std::ranges::find(words, word) + 1); };
    return after("lcp-echo-interval") + " " + after("lcp-echo-failure");
  };
  EXPECT_EQ(echo(60s, 300s), "60 5");
  EXPECT_EQ(echo(60s, 100s), "60 2") << "HELLO waits longer than 60 seconds";
  EXPECT_EQ(echo(60s, 31s), "60 1") << "with 0 pppd never gives up";
}

TEST(Pppd, SpeaksIpv6WhereTheSessionHasIt) {
  const auto config = small_config();
  const l2tp::TunnelName tunnel{.id = l2tp::TunnelId(7), .peer = {}, .mark = {}, .local = {}, .remote = {}};
  const auto words = pppd_arguments(config.ppp, {.mtu = 1398, .ipv6 = true}, tunnel, {}, 3, 4, {});
  EXPECT_THAT(words, Not(Contains("noipv6")));
  EXPECT_THAT(words, Contains("+ipv6"));
  EXPECT_EQ(*(std::ranges::find(words, "ipv6") + 1), "::1");
  EXPECT_THAT(words, Contains("nodefaultroute6")) << "whatever /etc/ppp/options says";
}

TEST(Pppd, RadiusIsAskedBeforeUs) {
  const auto config = small_config();
  const l2tp::TunnelName tunnel{
      .id = l2tp::TunnelId(7), .peer = {}, .mark = {}, .local = {address("203.0.113.1"), 1701}, .remote = {}};
  const PppdTerms terms{
      .mtu = 1398, .calling_station = "198.51.100.1:40001/0x100", .radius_file = "/run/x/radius.conf"};
  const auto words = pppd_arguments(config.ppp, terms, tunnel, {l2tp::SessionId(9), {}}, 3, 4, {});
  const auto after = [&words](const char* word) { return *(std::ranges::find(words, word) + 1); };
  EXPECT_EQ(after("radius-config-file"), "/run/x/radius.conf");
  EXPECT_EQ(after("remotenumber"), "198.51.100.1:40001/0x100");
  EXPECT_EQ(after("avpair"), "Called-Station-Id=203.0.113.1");
  EXPECT_THAT(words, Contains("sameroof_radius"));
  EXPECT_LT(std::ranges::find(words, "radius.so"), std::ranges::find(words, config.ppp.plugin))
      << "the plugin that is loaded last is asked first";
}

class RadiusFiles : public ::testing::Test {
 protected:
  RadiusFiles() {
    char folder[] = "/tmp/radius.XXXXXX";
    if (!::mkdtemp(folder)) std::abort();
    folder_ = folder;
    config_.radius.servers = {{address("192.0.2.1"), 1812}, {address("192.0.2.2"), 1645}};
    config_.radius.accounting = {{address("192.0.2.3"), 1813}};
    for (const auto* server : {"192.0.2.1", "192.0.2.2", "192.0.2.3"})
      secrets_.radius.emplace(server, base::Secret::copy_of(base::as_bytes(std::string("shared-") + server)));
  }
  ~RadiusFiles() override { std::filesystem::remove_all(folder_); }

  std::string content(const std::string& file) const {
    std::ifstream in(folder_ + "/radius/" + file);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }

  std::string folder_;
  config::Config config_ = small_config();
  config::Secrets secrets_;
};

TEST_F(RadiusFiles, SayWhomToAskAndKeepTheSecretsToThemselves) {
  const auto written = write_radius_files(folder_ + "/radius", config_, secrets_);
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(*written, folder_ + "/radius/radius.conf");
  EXPECT_EQ(content("servers"),
            "192.0.2.1 shared-192.0.2.1\n192.0.2.2 shared-192.0.2.2\n192.0.2.3 shared-192.0.2.3\n");
  EXPECT_THAT(content("radius.conf"), ::testing::HasSubstr("authserver 192.0.2.1:1812,192.0.2.2:1645\n"));
  EXPECT_THAT(content("radius.conf"), ::testing::HasSubstr("acctserver 192.0.2.3:1813\n"));
  EXPECT_THAT(content("radius.conf"), Not(::testing::HasSubstr("shared-")));
  EXPECT_THAT(content("dictionary"),
              ::testing::HasSubstr("ATTRIBUTE MS-CHAP2-Success 26 string Microsoft\n"));
  struct stat status {};
  ASSERT_EQ(::stat((folder_ + "/radius").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ASSERT_EQ(::stat((folder_ + "/radius/servers").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(RadiusFiles, AreWrittenAnewIntoTheFolderOfAnEarlierRunAndNotThroughALink) {
  ASSERT_TRUE(write_radius_files(folder_ + "/radius", config_, secrets_));
  config_.radius.servers = {{address("192.0.2.3"), 1812}};
  ASSERT_TRUE(write_radius_files(folder_ + "/radius", config_, secrets_));
  EXPECT_THAT(content("radius.conf"), ::testing::HasSubstr("authserver 192.0.2.3:1812\n"));
  std::filesystem::create_directory_symlink(folder_ + "/radius", folder_ + "/link");
  EXPECT_EQ(write_radius_files(folder_ + "/link", config_, secrets_).error().message,
            folder_ + "/link is not a folder of ours");
  remove_radius_files(folder_ + "/radius");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/radius"));
}

TEST(Pppd, ItsExitStatusBecomesWordsAResultCodeAndACounter) {
  using l2tp::CallResult;
  const auto end = [](int code) { return end_of_pppd(W_EXITCODE(code, 0)); };
  EXPECT_EQ(end(11).ending,
            l2tp::hang_up(CallResult::administrative, "the peer did not authenticate itself"));
  EXPECT_EQ(end(12).ending, l2tp::hang_up(CallResult::administrative, "the link was idle"));
  EXPECT_EQ(end(13).ending, l2tp::hang_up(CallResult::administrative, "the connect time is over"));
  EXPECT_EQ(end(15).ending, l2tp::hang_up(CallResult::lost_carrier, "the peer no longer answers"));
  EXPECT_EQ(end(10).ending, l2tp::hang_up(CallResult::general_error, "the PPP negotiation failed"));
  EXPECT_EQ(end(99).ending.message, "pppd ended with status 99");
  EXPECT_EQ(end_of_pppd(SIGKILL).ending.message, "pppd was ended by signal 9");
  EXPECT_EQ(end(12).name, "idle");
  EXPECT_EQ(end_of_pppd(W_EXITCODE(16, 0), 12).name, "idle") << "the channel was closed after that";
  EXPECT_EQ(end_of_pppd(W_EXITCODE(16, 0), 0).name, "hung_up");
  EXPECT_EQ(end_of_pppd(W_EXITCODE(15, 0), 12).name, "peer_dead");
  EXPECT_EQ(end(13).name, "session_time");
  EXPECT_EQ(end(99).name, "other");
  EXPECT_EQ(end_of_pppd(SIGKILL).name, "killed");
}

class Modprobe : public ::testing::Test {
 protected:
  Modprobe() {
    char folder[] = "/tmp/modprobe.XXXXXX";
    if (!::mkdtemp(folder)) std::abort();
    folder_ = folder;
  }
  ~Modprobe() override { std::filesystem::remove_all(folder_); }
  std::string said(int error_number = EPROTONOSUPPORT) const {
    return no_pppol2tp(error_number, {"/nowhere", folder_}).message;
  }
  void configure(const std::string& file, const std::string& text) const {
    std::ofstream(folder_ + "/" + file) << text;
  }
  std::string folder_;
};

TEST_F(Modprobe, AModuleThatIsBlacklistedIsNamedWithItsFile) {
  configure("l2tp_ppp-blacklist.conf",
            "# Remove the blacklist by adding a comment # at the start of the line.\n"
            "blacklist l2tp_ppp\n");
  const auto forbidden =
      "the kernel has no PPP over L2TP: " + folder_ + "/l2tp_ppp-blacklist.conf forbids the module ";
  EXPECT_EQ(said(), forbidden + "l2tp_ppp");
  EXPECT_EQ(said(EAFNOSUPPORT), forbidden + "l2tp_ppp");
  configure("l2tp_ppp-blacklist.conf", "  install  ppp-generic\t/bin/false\n");
  EXPECT_EQ(said(), forbidden + "ppp_generic");
}

TEST_F(Modprobe, WhatForbidsNothingOfOursIsNotBlamed) {
  configure("a.conf",
            "#blacklist l2tp_ppp\nblacklist pcspkr\ninstall l2tp_ppp /sbin/modprobe -i l2tp_ppp\n"
            "options l2tp_ppp x=1\nblacklist\n");
  configure("b.conf.rpmsave", "blacklist l2tp_ppp\n");
  EXPECT_EQ(said(),
            "the kernel has no PPP over L2TP: modprobe l2tp_ppp says why (RHEL has the module in the package "
            "kernel-modules-extra)");
  EXPECT_EQ(said(EPERM), "cannot open a PPPoL2TP socket: Operation not permitted");
}

TEST_F(Modprobe, APppDeviceThatIsNotThereOrLeadsNowhereIsSaidSo) {
  EXPECT_EQ(
      check_ppp_device("/nowhere/ppp").error().message,
      "there is no /nowhere/ppp: modprobe ppp_generic makes it (in a container: mknod /nowhere/ppp c 108 0, "
      "where the host allows it)");
  const auto device = folder_ + "/ppp";
  // A number that no driver has.
  if (::mknod(device.c_str(), S_IFCHR | 0600, makedev(239, 77)) != 0 ||
      ::open(device.c_str(), O_RDWR | O_CLOEXEC) >= 0 || (errno != ENXIO && errno != ENODEV))
    GTEST_SKIP() << "no device nodes here";
  EXPECT_EQ(check_ppp_device(device.c_str()).error().message,
            device + " is there, but the kernel has no PPP: modprobe ppp_generic");
  EXPECT_TRUE(check_ppp_device("/dev/null"));
}

TEST(Pppd, WhatIsMissingOfItIsNamed) {
  config::Ppp ppp;
  ppp.plugin = "/nowhere/sameroof-pppd.so";
  EXPECT_EQ(config::PppdFiles("/bin/sh").check(ppp).error().message,
            "cannot read pppd's plugin /nowhere/sameroof-pppd.so (ppp.plugin): No such file or directory");
  EXPECT_EQ(config::PppdFiles("/nowhere/pppd").check(ppp).error().message,
            "cannot run /nowhere/pppd (is the package ppp installed?): No such file or directory");
  char folder[] = "/tmp/plugins.XXXXXX";
  ASSERT_TRUE(::mkdtemp(folder));
  const auto path = std::string(folder) + "/2.4.9/";
  std::filesystem::create_directory(path);
  config::PppdFiles files("/bin/sh", std::string(folder) + "/*");
  const auto said = [&] {
    const auto able = files.check(ppp);
    return able ? "" : able.error().message;
  };
  ppp.plugin = "/dev/null";
  EXPECT_EQ(said(), "pppd has no plugin pppol2tp.so in /usr/lib/pppd or /usr/lib64/pppd");
  std::ofstream(path + "pppol2tp.so");
  EXPECT_EQ(said(), "");
  ppp.users = config::UserSource::radius;
  EXPECT_EQ(said(), "pppd has no plugin radius.so in /usr/lib/pppd or /usr/lib64/pppd");
  std::ofstream(path + "radius.so");
  EXPECT_EQ(said(), "");
  const auto next = std::string(folder) + "/2.5.0";
  std::filesystem::rename(path, next);
  EXPECT_EQ(said(), "") << "pppd's next version has a folder of its own";
  std::filesystem::remove(next + "/pppol2tp.so");
  EXPECT_EQ(said(), "pppd has no plugin pppol2tp.so in /usr/lib/pppd or /usr/lib64/pppd");
  std::filesystem::remove_all(folder);
}

// kernel.md, section 6: the largest UDP payloads seen on a real kernel, less L2TP's header with L and PPP's.
TEST(Mtu, FitsTheTransformIntoOnePacket) {
  const auto nat = [](std::uint16_t path, const char* transform) {
    return largest_ppp_packet(path, {.ipsec = true, .udp_encapsulation = true, .transform = transform});
  };
  EXPECT_EQ(nat(1500, "aes256-sha1"), 1414 - 12);
  EXPECT_EQ(nat(1500, "aes128-sha256"), 1414 - 12);
  EXPECT_EQ(nat(1500, "aes256gcm16"), 1430 - 12);
  EXPECT_EQ(nat(1492, "aes256-sha1"), 1402);
  EXPECT_EQ(nat(1492, "aes256gcm16"), 1410);
  EXPECT_GT(nat(1492, "3des-md5"), nat(1492, "aes256-sha1"));
  EXPECT_EQ(nat(1492, "chacha20poly1305"), nat(1492, "aes256-sha512"));
  EXPECT_LT(nat(1492, ""), nat(1492, "aes256-sha1"));
}

TEST(Mtu, NeverExceedsThePathWhateverThePadding) {
  for (const auto* transform : {"aes256-sha1", "aes256-sha512", "3des-sha1", "aes128gcm16"}) {
    const int block = transform[0] == '3' ? 8 : transform[6] == 'g' ? 4 : 16;
    const int fixed = transform == std::string("aes256-sha512") ? 16 + 32 : block == 4 ? 8 + 16 : block + 12;
    for (std::uint16_t path = 700; path <= 1500; ++path) {
      for (const bool sequencing : {false, true}) {
        const int mtu = largest_ppp_packet(
            path,
            {.ipsec = true, .udp_encapsulation = true, .sequencing = sequencing, .transform = transform});
        if (mtu == 576) continue;
        const auto wire = [&](int packet) {
          const int inner = 8 + (sequencing ? 12 : 8) + 4 + packet + 2;
          return 20 + 8 + 8 + fixed + (inner + block - 1) / block * block;
        };
        EXPECT_LE(wire(mtu), path) << transform;
        EXPECT_GT(wire(mtu + 1), path) << transform << ": " << mtu << " wastes room";
      }
    }
  }
}

TEST(Mtu, WithoutUdpOrWithoutEspThereIsMoreRoom) {
  const Carrier esp{.ipsec = true, .udp_encapsulation = false, .transform = "aes256-sha1"};
  EXPECT_EQ(largest_ppp_packet(1500, esp), 1402 + 16);
  EXPECT_EQ(largest_ppp_packet(1492, {.ipsec = false, .udp_encapsulation = false, .transform = {}}),
            1492 - 40);
  EXPECT_EQ(largest_ppp_packet(100, esp), 576);
  EXPECT_EQ(largest_ppp_packet(9000, esp), 1500);
}

TEST(Mtu, AnIpv6HeaderIsTwentyOctetsLonger) {
  for (std::uint16_t path = 700; path <= 1500; ++path) {
    for (const bool ipsec : {true, false}) {
      Carrier carrier{.ipsec = ipsec, .udp_encapsulation = true, .transform = "aes256-sha1"};
      const auto over_ipv4 = largest_ppp_packet(static_cast<std::uint16_t>(path - 20), carrier);
      carrier.ipv6 = true;
      EXPECT_EQ(largest_ppp_packet(path, carrier), over_ipv4) << path;
    }
  }
}

}  // namespace
}  // namespace l2tpd
