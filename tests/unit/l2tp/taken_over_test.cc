// The privileged process of l2tpd beside one that has been taken over: it carries out what a core would ask
// for, and nothing more for who asks for anything else.

#include <csignal>

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include "../puppet/puppet.h"
#include "broker_messages.h"
#include "os/channel.h"
#include "shell.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class TakenOver : public Shell {
 protected:
  void SetUp() override {
    if (!in_a_network_of_its_own()) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
    if (!load_ruleset()) GTEST_SKIP() << "no nftables here";
    config_.l2tp.cleartext = config::Cleartext::beside;
  }
  void TearDown() override {
    daemon_.reset();
    puppet_.let_go();
  }

  void start(os::PartnerCommand command) {
    daemon_ = std::make_unique<Daemon>(loop_, config_, secrets_,
                                       DaemonOptions{.run_dir = folder_, .partner = std::move(command)});
    const auto started = daemon_->start();
    ASSERT_TRUE(started) << started.error().message;
    requests_ = puppet_.channel();
    take_hello();
  }
  void start() { start({.argv = puppet_.command()}); }
  void take_hello() {
    auto message = requests_.receive();
    ASSERT_TRUE(message);
    auto hello = decode_hello(message->bytes.view());
    ASSERT_TRUE(hello);
    hello_ = std::move(*hello);
    ASSERT_EQ(message->descriptors.size(), 2u);
    pokes_ = os::Channel(std::move(message->descriptors.back()));
  }

  /// The daemon runs until it has answered.
  std::optional<os::Channel::Message> ask(base::ByteView request) {
    if (!requests_.send(request)) return std::nullopt;
    for (int turns = 0; turns < 500; ++turns) {
      loop_.run_once(20ms);
      if (comes(requests_)) return requests_.receive();
    }
    return std::nullopt;
  }
  std::optional<os::Channel::Message> ask(const Request& request) { return ask(encode(request).view()); }
  std::vector<Order> orders() {
    const auto message = ask(FetchOrders{});
    auto answer = message ? decode_answer(message->bytes.view()) : std::nullopt;
    if (!answer || !std::holds_alternative<Orders>(*answer)) return {};
    return std::move(std::get<Orders>(*answer).orders);
  }
  /// As it is when the daemon is asked to end.
  void tell_to_end() {
    ASSERT_EQ(::raise(SIGTERM), 0);
    const auto told = [](const std::vector<Order>& orders) {
      return std::any_of(orders.begin(), orders.end(),
                         [](const Order& order) { return std::holds_alternative<AbandonAll>(order); });
    };
    for (int i = 0; i < 500 && !told(orders()); ++i) loop_.run_once(20ms);
  }
  static bool comes(const os::Channel& channel) {
    pollfd readable{.fd = channel.fd(), .events = POLLIN, .revents = 0};
    return ::poll(&readable, 1, 0) == 1;
  }
  /// What it says until it ends, by itself.
  std::string last_words() {
    ::testing::internal::CaptureStderr();
    bool in_time = true;
    auto limit = loop_.on_time([&] {
      in_time = false;
      loop_.stop();
    });
    limit.set_time(base::Clock::now() + 15s);
    loop_.run();
    const auto out = ::testing::internal::GetCapturedStderr();
    EXPECT_TRUE(in_time) << out;
    return out;
  }

  static l2tp::TunnelName in_clear_text() {
    auto out = sample::tunnel();
    out.mark = {};
    out.local.address = address("127.17.1.1");
    out.remote = {address("127.0.0.1"), 40001};
    return out;
  }

  Puppet puppet_{folder_ + "/puppet"};
  os::Channel requests_, pokes_;
  Hello hello_;
  std::unique_ptr<Daemon> daemon_;
};

TEST_F(TakenOver, ItIsToldWhatItHasToKnow) {
  secrets_.l2tp = base::Secret::copy_of(base::as_bytes("swordfish"));
  start();
  EXPECT_EQ(hello_.listeners, (std::vector<base::Endpoint>{{address("127.17.1.1"), 1701}}));
  EXPECT_EQ(hello_.mark_mask, config_.marks.mask);
  EXPECT_EQ(hello_.aliases, config_.marks.alias);
  EXPECT_EQ(hello_.cleartext, config::Cleartext::beside);
  EXPECT_TRUE(hello_.tunnel_secret);
  EXPECT_NE(hello_.user, 0u);
  EXPECT_NE(hello_.group, 0u);
  EXPECT_TRUE(daemon_->well());
}

TEST_F(TakenOver, ItHasTheSocketThatACoreWouldHave) {
  start();
  const auto name = in_clear_text();
  const auto opened = ask(l2tp::OpenTunnelSocket{name});
  ASSERT_TRUE(opened);
  ASSERT_EQ(opened->descriptors.size(), 1u);
  sockaddr_storage at{};
  socklen_t size = sizeof at;
  ASSERT_EQ(::getsockname(opened->descriptors[0].get(), reinterpret_cast<sockaddr*>(&at), &size), 0);
  EXPECT_EQ(base::Endpoint::from_sockaddr(at), name.local);
  size = sizeof at;
  ASSERT_EQ(::getpeername(opened->descriptors[0].get(), reinterpret_cast<sockaddr*>(&at), &size), 0);
  EXPECT_EQ(base::Endpoint::from_sockaddr(at), name.remote);
  const auto closed = ask(l2tp::CloseTunnelSocket{name});
  ASSERT_TRUE(closed);
  EXPECT_TRUE(closed->descriptors.empty());
}

TEST_F(TakenOver, TheLatchIsSetAndRemoved) {
  start();
  const auto latched = [] { return std::system("nft list set inet sameroof tids | grep -q elements") == 0; };
  const auto name = in_clear_text();
  ASSERT_TRUE(ask(l2tp::OpenTunnelSocket{name}));
  EXPECT_FALSE(latched());
  ASSERT_TRUE(ask(l2tp::AddLatch{name}));
  EXPECT_TRUE(latched());
  ASSERT_TRUE(ask(l2tp::CloseTunnelSocket{name}));
  ASSERT_TRUE(ask(l2tp::RemoveLatch{name}));
  EXPECT_FALSE(latched());
}

TEST_F(TakenOver, WhatCannotBeHadIsAnOrderAndAPoke) {
  start();
  auto nowhere = in_clear_text();
  nowhere.remote.address = address("192.0.2.1");  // no route
  const auto opened = ask(l2tp::OpenTunnelSocket{nowhere});
  ASSERT_TRUE(opened);
  EXPECT_TRUE(opened->descriptors.empty());
  EXPECT_TRUE(comes(pokes_));
  const auto told = orders();
  ASSERT_EQ(told.size(), 1u);
  ASSERT_TRUE(std::holds_alternative<l2tp::TunnelFailed>(told[0]));
  EXPECT_EQ(std::get<l2tp::TunnelFailed>(told[0]).tunnel, nowhere.id);
  EXPECT_TRUE(orders().empty());
}

TEST_F(TakenOver, WhoAsksForWhatNoCoreAsksForGetsNothingMore) {
  start();
  ASSERT_TRUE(ask(l2tp::OpenTunnelSocket{in_clear_text()}));
  ASSERT_TRUE(
      requests_.send(encode(Request(l2tp::StartSession{in_clear_text(), sample::session(), false})).view()));
  EXPECT_THAT(last_words(), HasSubstr("The process that reads packets is not what it was."));
  EXPECT_FALSE(daemon_->well());
  EXPECT_FALSE(requests_.receive()) << "and no answer";
}

TEST_F(TakenOver, WhoSaysWhatNoRequestIsGetsNothingMore) {
  start();
  ASSERT_TRUE(requests_.send(base::as_bytes("let me in")));
  EXPECT_THAT(last_words(), HasSubstr("The process that reads packets is not what it was."));
  EXPECT_FALSE(daemon_->well());
}

TEST_F(TakenOver, NobodyWaitsForWhoAsksAndNeverReads) {
  start();
  const auto request = encode(Request(Alive{}));
  for (int i = 0; i < 10'000 && daemon_->well(); ++i) {
    if (!requests_.send(request.view())) loop_.run_once(20ms);
  }
  EXPECT_FALSE(daemon_->well());
  last_words();
}

TEST_F(TakenOver, ItsEndIsTheEnd) {
  start();
  ASSERT_TRUE(puppet_.end_with(3));
  EXPECT_THAT(last_words(), HasSubstr("The process that reads packets ended with status 3."));
  EXPECT_FALSE(daemon_->well());
}

TEST_F(TakenOver, AnEndWithoutComplaintIsNoneThatAnybodyAskedFor) {
  start();
  ASSERT_TRUE(puppet_.end_with(0));
  requests_ = {};
  EXPECT_THAT(last_words(), HasSubstr("The process that reads packets ended with status 0."));
  EXPECT_FALSE(daemon_->well());
}

TEST_F(TakenOver, WhoHangsUpAndStaysIsNotWaitedFor) {
  start();
  requests_ = {};
  EXPECT_THAT(last_words(), HasSubstr("The process that reads packets has hung up."));
  EXPECT_FALSE(daemon_->well());
}

TEST_F(TakenOver, WhomALauncherHasStartedHasGoneWhenItHangsUp) {
  // The test is the launcher, and what it launches.
  const auto path = folder_ + "/launcher";
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  path.copy(at.sun_path, sizeof at.sun_path - 1);
  const base::Fd door(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(door.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  ASSERT_EQ(::listen(door.get(), 1), 0);
  daemon_ = std::make_unique<Daemon>(
      loop_, config_, secrets_, DaemonOptions{.run_dir = folder_, .partner = {.argv = {}, .launcher = path}});
  ASSERT_TRUE(daemon_->start());
  requests_ = os::Channel(base::Fd(::accept4(door.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  take_hello();
  ASSERT_TRUE(ask(Ready{}));
  requests_ = {};
  EXPECT_THAT(last_words(), HasSubstr("The process that reads packets has gone."));
  EXPECT_FALSE(daemon_->well());
}

TEST_F(TakenOver, WhenItIsToEndItSaysSoAndIsWell) {
  start();
  tell_to_end();
  EXPECT_TRUE(comes(pokes_));
  ASSERT_TRUE(puppet_.end_with(0));
  last_words();
  EXPECT_TRUE(daemon_->well());
}

TEST_F(TakenOver, ItIsToldToSayGoodbyeAndToEndWhenEveryPeerHasHeard) {
  start();
  TunnelRow row{
      .name = in_clear_text(), .host_name = "phone", .established = true, .lingering = false, .sessions = {}};
  ASSERT_TRUE(ask(Changed{{row}, {}}));
  ASSERT_EQ(::raise(SIGTERM), 0);
  loop_.run_once(100ms);
  auto told = orders();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<CloseAll>(told[0]));
  for (int i = 0; i < 10; ++i) loop_.run_once(60ms);
  EXPECT_TRUE(orders().empty()) << "the peer has not heard yet";
  row.lingering = true;
  ASSERT_TRUE(ask(Changed{{row}, {}}));
  const auto heard = base::Clock::now();
  for (told.clear(); told.empty() && base::Clock::now() < heard + 1s; told = orders()) loop_.run_once(60ms);
  ASSERT_EQ(told.size(), 1u) << "at once, not after two seconds";
  EXPECT_TRUE(std::holds_alternative<AbandonAll>(told[0]));
}

TEST_F(TakenOver, ToldToEndItIsNotWaitedForForEver) {
  start();
  tell_to_end();
  EXPECT_THAT(last_words(), HasSubstr("The process that reads packets does not end."));
  EXPECT_FALSE(daemon_->well());
}

TEST_F(TakenOver, ToldToEndItMayTakeLongAfterItHasHungUp) {
  start();
  tell_to_end();
  requests_ = {};
  auto end = loop_.on_time([this] { EXPECT_TRUE(puppet_.end_with(0)); });
  end.set_time(base::Clock::now() + 2s);
  last_words();
  EXPECT_TRUE(daemon_->well());
}

TEST_F(TakenOver, ToldToEndItIsToEndWell) {
  start();
  tell_to_end();
  ASSERT_TRUE(puppet_.end_with(3));
  requests_ = {};
  EXPECT_THAT(last_words(), HasSubstr("The process that reads packets ended with status 3."));
  EXPECT_FALSE(daemon_->well());
}

}  // namespace
}  // namespace l2tpd
