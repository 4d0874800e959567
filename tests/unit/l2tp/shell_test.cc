// The pure parts of the daemon around the core: users, addresses, pppd's arguments and the plugin's protocol.

#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "l2tpd/accounts.h"
#include "l2tpd/link_protocol.h"
#include "l2tpd/pool.h"
#include "l2tpd/pppd.h"

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
  config.users = {{.name = "alice", .address = {}, .line = 0},
                  {.name = "bob", .address = address("10.99.1.3"), .line = 0}};
  return config;
}

TEST(Pool, GivesEachAddressOnceAndNoneThatBelongsToSomebody) {
  const auto config = small_config();
  Pool pool(config);
  std::set<base::Address> given;
  for (auto lease = pool.lease(config.users[0]); lease; lease = pool.lease(config.users[0]))
    EXPECT_TRUE(given.insert(*lease).second) << lease->to_string();
  const std::set<base::Address> expected{address("10.99.1.2"), address("10.99.1.4"), address("10.99.1.5"),
                                         address("10.99.1.6")};
  EXPECT_EQ(given, expected);
  EXPECT_EQ(pool.lease(config.users[0]).error().message, "no address is left in the pool");
}

TEST(Pool, GivesTheLongestFreeAddressNext) {
  const auto config = small_config();
  Pool pool(config);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(pool.lease(config.users[0]));
  pool.release(address("10.99.1.5"));
  pool.release(address("10.99.1.2"));
  pool.release(address("10.99.1.2"));  // twice is once
  EXPECT_EQ(*pool.lease(config.users[0]), address("10.99.1.5"));
  EXPECT_EQ(*pool.lease(config.users[0]), address("10.99.1.2"));
  EXPECT_FALSE(pool.lease(config.users[0]));
}

TEST(Pool, AUsersOwnAddressIsHeldOnceAndNeverEntersThePool) {
  const auto config = small_config();
  Pool pool(config);
  EXPECT_EQ(*pool.lease(config.users[1]), address("10.99.1.3"));
  EXPECT_FALSE(pool.lease(config.users[1]));
  pool.release(address("10.99.1.3"));
  EXPECT_EQ(pool.in_use(), 0u);
  EXPECT_EQ(*pool.lease(config.users[1]), address("10.99.1.3"));
  while (pool.lease(config.users[0])) continue;
  pool.release(address("10.99.1.3"));
  EXPECT_FALSE(pool.lease(config.users[0]));
}

TEST(Accounts, FindsAWindowsUserBehindItsDomain) {
  const auto config = small_config();
  config::Secrets secrets;
  secrets.user.emplace("alice", base::Secret::copy_of(base::as_bytes("wonder")));
  const Accounts accounts(config, secrets, base::Secret::copy_of(base::as_bytes("nobody knows")));
  EXPECT_EQ(accounts.find("alice"), &config.users[0]);
  EXPECT_EQ(accounts.find("OFFICE\\alice"), &config.users[0]);
  EXPECT_EQ(accounts.find("carol"), nullptr);
  EXPECT_EQ(accounts.find("alice\\"), nullptr);
  EXPECT_TRUE(accounts.password_is_right("OFFICE\\alice", base::as_bytes("wonder")));
  EXPECT_FALSE(accounts.password_is_right("alice", base::as_bytes("wonder ")));
  EXPECT_FALSE(accounts.password_is_right("alice", {}));
  EXPECT_EQ(base::as_text(accounts.secret_of("carol").view()), "nobody knows");
  EXPECT_FALSE(accounts.password_is_right("carol", base::as_bytes("nobody knows")));
}

base::Bytes packet(std::string_view text) { return base::to_bytes(base::as_bytes(text)); }

TEST(LinkProtocol, DecodesEachRequest) {
  using namespace std::string_view_literals;
  const auto secret = decode_request(packet("S\5alice"));
  ASSERT_TRUE(secret);
  EXPECT_EQ(std::get<SecretWanted>(*secret).name, "alice");
  const auto checked = decode_request(packet("C\3bob\0011"));
  ASSERT_TRUE(checked);
  EXPECT_TRUE(std::get<ChapChecked>(*checked).right);
  const auto pap = decode_request(packet("P\3bob\2pw"));
  ASSERT_TRUE(pap);
  EXPECT_EQ(base::as_text(std::get<PapLogin>(*pap).password.view()), "pw");
  const auto up = decode_request(packet("U\4ppp7\4\x0a\x63\x00\x01\4\x0a\x63\x01\x05"sv));
  ASSERT_TRUE(up);
  EXPECT_EQ(std::get<LinkUp>(*up).ifname, "ppp7");
  EXPECT_EQ(std::get<LinkUp>(*up).theirs, address("10.99.1.5"));
}

TEST(LinkProtocol, RefusesWhatIsNoRequest) {
  for (const auto* text : {"", "S", "Salice", "S\6alice", "S\5alicex", "X\5alice", "C\3bob", "C\3bob\0012",
                           "P\3bob", "U\4ppp7\4abcd", "U\4ppp7\3abc\4abcd",
                           "U\x10"
                           "aaaaaaaaaaaaaaaa\4abcd\4abcd"})
    EXPECT_FALSE(decode_request(packet(text))) << text;
  EXPECT_FALSE(decode_request(base::Bytes{'S', 0}));
}

TEST(LinkProtocol, EncodesAnswers) {
  EXPECT_EQ(base::hex(encode_lease(address("10.99.1.5"))), "59040a630105");
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
  const auto words = pppd_arguments(config.ppp, tunnel, {l2tp::SessionId(9), {}}, 3, 4, PppdLog::syslog_only);
  EXPECT_THAT(
      (std::vector<std::string>{"require-mschap-v2", "require-pap", "10.99.1.1:", "10.99.0.53", "10.99.0.54",
                                "/x/sameroof-pppd.so", "noccp", "auth", "nopersist", "nomppe"}),
      IsSubsetOf(words));
  EXPECT_THAT(words, Not(Contains("require-chap")));
  EXPECT_THAT(words, Not(Contains("debug")));
  const auto after = [&words](const char* word) { return *(std::ranges::find(words, word) + 1); };
  EXPECT_EQ(after("pppol2tp"), "3");
  EXPECT_EQ(after("sameroof_fd"), "4");
  EXPECT_EQ(after("pppol2tp_tunnel_id"), "7");
  EXPECT_EQ(after("pppol2tp_session_id"), "9");
  EXPECT_EQ(after("mru"), "1380");
}

TEST(Pppd, ItsExitStatusBecomesWordsAndAResultCode) {
  using l2tp::CallResult;
  const auto ending = [](int code) { return ending_of(W_EXITCODE(code, 0)); };
  EXPECT_EQ(ending(11), l2tp::hang_up(CallResult::administrative, "the peer did not authenticate itself"));
  EXPECT_EQ(ending(15), l2tp::hang_up(CallResult::lost_carrier, "the peer no longer answers"));
  EXPECT_EQ(ending(10), l2tp::hang_up(CallResult::general_error, "the PPP negotiation failed"));
  EXPECT_EQ(ending(99).message, "pppd ended with status 99");
  EXPECT_EQ(ending_of(SIGKILL).message, "pppd was ended by signal 9");
}

}  // namespace
}  // namespace l2tpd
