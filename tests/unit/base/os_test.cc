#include <csignal>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/loop.h"
#include "os/udp.h"

namespace os {
namespace {

using namespace std::chrono_literals;

const base::Address loopback = base::Address::v4(0x7f000001);

TEST(Loop, TimerFiresOnceAndNotAfterItIsSwitchedOff) {
  Loop loop;
  int fired = 0;
  auto timer = loop.on_time([&] { ++fired; });
  timer.set_time(base::Clock::now() + 1ms);
  for (int i = 0; i < 50 && fired == 0; ++i) loop.run_once(10ms);
  EXPECT_EQ(fired, 1);
  timer.set_time(base::Clock::now());
  timer.set_time(std::nullopt);
  loop.run_once(5ms);
  EXPECT_EQ(fired, 1);
}

TEST(Loop, SourceMayDestroyItselfInItsCallback) {
  Loop loop;
  Source timer;
  bool fired = false;
  timer = loop.on_time([&] {
    timer = Source();
    fired = true;
  });
  timer.set_time(base::Clock::now());
  for (int i = 0; i < 50 && !fired; ++i) loop.run_once(10ms);
  EXPECT_TRUE(fired);
}

TEST(Loop, ReportsAChildsExitStatus) {
  Loop loop;
  sigset_t chld;
  sigemptyset(&chld);
  sigaddset(&chld, SIGCHLD);
  sigprocmask(SIG_BLOCK, &chld, nullptr);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(7);
  std::optional<int> status;
  auto source = loop.on_child_exit(child, [&](int s) { status = s; });
  for (int i = 0; i < 200 && !status; ++i) loop.run_once(10ms);
  ASSERT_TRUE(status);
  EXPECT_EQ(WEXITSTATUS(*status), 7);
}

TEST(UdpSocket, TellsTheAddressTheDatagramWasSentToAndAnswersFromIt) {
  auto server = UdpSocket::open({.local = {base::Address(), 47001}});
  ASSERT_TRUE(server) << server.error().message;
  auto client = UdpSocket::open({.local = {loopback, 47002}});
  ASSERT_TRUE(client) << client.error().message;
  const base::Endpoint second{base::Address::v4(0x7f000002), 47001};
  ASSERT_TRUE(client->send(base::as_bytes("ping"), loopback, second, std::nullopt));
  int seen = 0;
  server->receive(64, [&](const Datagram& d) {
    ++seen;
    EXPECT_EQ(d.to, second);
    EXPECT_EQ(d.from.port, 47002);
    EXPECT_EQ(d.mark, 0u);
    EXPECT_TRUE(server->send(d.bytes, d.to.address, d.from, std::nullopt));
  });
  client->receive(64, [&](const Datagram& d) {
    ++seen;
    EXPECT_EQ(d.from, second);
    EXPECT_EQ(base::as_text(d.bytes), "ping");
  });
  EXPECT_EQ(seen, 2);
}

TEST(UdpSocket, ASecondExclusiveBindIsASentence) {
  auto first = UdpSocket::open({.local = {loopback, 47003}});
  ASSERT_TRUE(first);
  auto second = UdpSocket::open({.local = {loopback, 47003}});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("127.0.0.1:47003"), std::string::npos);
}

}  // namespace
}  // namespace os
