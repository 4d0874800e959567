// What the daemon refuses before it touches anything of the kernel's, and whom it gives no more PPP links.

#include "l2tpd/daemon.h"

#include <csignal>

#include <fcntl.h>
#include <gmock/gmock.h>

#include "control/interfaces.h"
#include "control/server.h"
#include "l2tpd/reload.h"
#include "shell.h"

namespace l2tpd {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// A second one that came as far as the latch would empty the first one's, and all its tunnels would be deaf.
TEST_F(Shell, ASecondDaemonStopsBeforeItTouchesTheLatchOfTheFirst) {
  const auto first = control::Server::listen(
      loop_, {.path = folder_ + "/l2tpd", .product = "l2tpd", .version = "1"}, control::l2tp_interface);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_THAT(refusal(), HasSubstr("somebody serves"));
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/l2tpd"));
}

TEST_F(Shell, APortThatIsServedIsNotSharedWithItsServer) {
  const base::Fd other(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const int on = 1;  // as xl2tpd does
  ASSERT_EQ(::setsockopt(other.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
  sockaddr_storage at{};
  const auto length = base::Endpoint{config_.l2tp.listen[0], 1701}.to_sockaddr(at);
  ASSERT_EQ(::bind(other.get(), reinterpret_cast<sockaddr*>(&at), length), 0);
  EXPECT_THAT(refusal(), StartsWith("cannot open UDP 127.17.1.1:1701"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/l2tpd"));
}

TEST_F(Shell, AStartSaysWhatOfPppdIsMissing) {
  const auto first = control::Server::listen(
      loop_, {.path = folder_ + "/l2tpd", .product = "l2tpd", .version = "1"}, control::l2tp_interface);
  ASSERT_TRUE(first) << first.error().message;
  const auto said_with = [this](const std::string& pppd) {
    ::testing::internal::CaptureStderr();
    Daemon daemon(loop_, config_, secrets_, {.run_dir = folder_, .pppd = {.path = pppd}});
    EXPECT_FALSE(daemon.start()) << "far enough to look for it";
    return ::testing::internal::GetCapturedStderr();
  };
  config_.ppp.plugin = folder_ + "/ours.so";
  EXPECT_THAT(said_with("/bin/sh"), HasSubstr("No session can come up: cannot read pppd's plugin " +
                                              config_.ppp.plugin + " (ppp.plugin): No such file"));
  EXPECT_THAT(said_with("/nowhere/pppd"), HasSubstr("No session can come up: cannot run /nowhere/pppd"));
}

TEST_F(Shell, AHangupReadsTheConfigurationAgainOrSaysWhyNot) {
  const auto first = control::Server::listen(
      loop_, {.path = folder_ + "/l2tpd", .product = "l2tpd", .version = "1"}, control::l2tp_interface);
  ASSERT_TRUE(first) << first.error().message;
  Daemon daemon(loop_, config_, secrets_, {.run_dir = folder_, .load = []() -> base::Result<Configuration> {
                                             return base::fail("no such file");
                                           }});
  ASSERT_FALSE(daemon.start());  // far enough to know its signals
  ASSERT_EQ(::raise(SIGHUP), 0);
  ::testing::internal::CaptureStderr();
  loop_.run_once(std::chrono::milliseconds(100));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("The configuration stays as it was: no such file."));
}

TEST_F(Shell, AReloadTakesUsersAndPoolAndLeavesTheRestToARestart) {
  auto next = config_;
  config::Secrets next_secrets;
  Daemon daemon(
      loop_, config_, secrets_,
      {.run_dir = folder_, .pppd = {.path = "/bin/sh"}, .load = [&]() -> base::Result<Configuration> {
         Configuration out{.config = next, .secrets = {}};
         out.secrets.user.emplace("alice", base::Secret::copy_of(base::as_bytes("pw")));
         return out;
       }});
  config_.ppp.plugin = next.ppp.plugin = "/bin/sh";
  next.users.push_back({.name = "alice", .address = {}, .limits = {}, .line = 1});
  next.ppp.pool = *base::Prefix::parse("10.99.2.0/24");
  EXPECT_EQ(daemon.reload().value(), "1 user added, [ppp] changed");
  EXPECT_NE(config_.user("alice"), nullptr);
  EXPECT_EQ(secrets_.user.size(), 1u);

  next.users.clear();
  next.l2tp.listen = {address("127.17.1.2")};
  next.file_name = "sameroof.toml";
  EXPECT_EQ(daemon.reload().error().message, "sameroof.toml: l2tp: changes at a restart only");
  EXPECT_NE(config_.user("alice"), nullptr) << "nothing of a refused configuration is taken";
  next.l2tp = config_.l2tp;
  next.ppp.plugin = "/nowhere.so";
  EXPECT_THAT(daemon.reload().error().message, HasSubstr("cannot read pppd's plugin /nowhere.so"));
  next.ppp.plugin = "/bin/sh";
  next.users = config_.users;
  next.users[0].limits.sessions = 3;
  next.users[0].line = 7;
  EXPECT_EQ(daemon.check_reload_now().value(), (std::vector<std::string>{"~ user alice"}));
  EXPECT_EQ(config_.users[0].limits.sessions, 0u) << "it has only been looked at";
  EXPECT_EQ(daemon.reload().value(), "1 user changed");
  next.users = {{.name = "bob", .address = {}, .limits = {}, .line = 1},
                {.name = "carol", .address = {}, .limits = {}, .line = 2}};
  next.ppp.pool = *base::Prefix::parse("10.99.3.0/24");
  EXPECT_EQ(daemon.check_reload_now().value(),
            (std::vector<std::string>{"+ user bob", "+ user carol", "- user alice", "~ [ppp]"}));
  EXPECT_EQ(daemon.reload().value(), "2 users added, 1 user removed, [ppp] changed");
  EXPECT_TRUE(daemon.check_reload_now().value().empty());
}

TEST_F(Shell, TheAddressOfASessionDoesNotBecomeOurOwn) {
  auto next = config_;
  next.ppp.local_address = address("10.99.1.5");
  next.ppp.line = 7;
  next.file_name = "sameroof.toml";
  EXPECT_TRUE(check_reload(config_, next, std::nullopt));
  EXPECT_EQ(check_reload(config_, next, "alice").error().message,
            "sameroof.toml: line 7: ppp.local_address: is the address of a session of user 'alice'");
}

TEST_F(Shell, APeerHasABoundedNumberOfPppdsIncludingThoseThatAreEnding) {
  const Accounts accounts(config_, secrets_, base::Secret::copy_of(base::as_bytes("nobody knows")));
  Bindings bindings(loop_, config_, [](base::Mark) { return nullptr; });
  Links links(loop_, config_, accounts, bindings, {},
              {.ended = [](const l2tp::TunnelName&, const l2tp::SessionName&, const l2tp::Ending&) {}});
  const auto call = [&](const char* peer, std::uint16_t tunnel, std::uint16_t port = 1701,
                        base::Mark mark = {}) {
    const l2tp::TunnelName name{.id = l2tp::TunnelId(tunnel),
                                .peer = l2tp::TunnelId(1),
                                .mark = mark,
                                .local = {config_.l2tp.listen[0], 1701},
                                .remote = {address(peer), port}};
    const l2tp::SessionName session{.id = l2tp::SessionId(1), .peer = l2tp::SessionId(1)};
    const auto started =
        links.start(name, session, base::Fd(::open("/dev/null", O_RDWR | O_CLOEXEC)), {.mtu = 1398});
    links.stop(name, session, "the peer hung up");
    return started ? "started" : started.error().message;
  };
  for (std::uint16_t tunnel = 1; tunnel <= 16; ++tunnel) EXPECT_EQ(call("192.0.2.1", tunnel), "started");
  EXPECT_EQ(call("192.0.2.1", 17), "it has 16 PPP links already");
  EXPECT_EQ(call("192.0.2.2", 18), "started");
  EXPECT_EQ(call("192.0.2.1", 19, 40001), "started") << "another client behind the same NAT";
  for (std::uint16_t tunnel = 20; tunnel < 36; ++tunnel)
    EXPECT_EQ(call("240.0.0.1", tunnel, tunnel, base::Mark(0x100)), "started");
  EXPECT_EQ(call("240.0.0.1", 36, 36, base::Mark(0x100)), "it has 16 PPP links already")
      << "a peer is its mark, whatever port it comes from";
  for (std::uint16_t tunnel = 1001; tunnel < 1001 + 50 - 17; ++tunnel)
    EXPECT_EQ(call("192.0.2.1", tunnel, tunnel), "started");
  EXPECT_EQ(call("192.0.2.1", 2000, 2000), "50 PPP links of its address have nobody logged in");
  for (int turns = 0; turns < 3000 && !links.empty(); ++turns) loop_.run_once(std::chrono::milliseconds(10));
  EXPECT_TRUE(links.empty());
  EXPECT_EQ(call("192.0.2.1", 40), "started");
}

TEST_F(Shell, ARulesetThatSomebodyLoadsAgainHasItsLatchBack) {
  if (!in_a_network_of_its_own()) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
  const auto latched = [] {
    return std::system("nft get element inet sameroof latched '{ 1701 }' >/dev/null 2>&1") == 0;
  };
  const auto a_moment = [this] {
    for (int i = 0; i < 5; ++i) loop_.run_once(std::chrono::milliseconds(20));
  };
  if (!load_ruleset()) GTEST_SKIP() << "no nftables here";
  Daemon daemon(loop_, config_, secrets_, {.run_dir = folder_, .partner = {.argv = {L2TPD}}});
  const auto started = daemon.start();
  ASSERT_TRUE(started) << started.error().message;
  ASSERT_TRUE(latched());
  ASSERT_EQ(std::system("nft flush ruleset"), 0);
  a_moment();
  ASSERT_TRUE(load_ruleset());
  EXPECT_FALSE(latched());
  a_moment();
  EXPECT_TRUE(latched());
}

}  // namespace
}  // namespace l2tpd
