// The sockets of tunnels: which one is closed at once, and which one when the kernel has had its time.

#include "l2tpd/tunnel_sockets.h"

#include <array>

#include <gtest/gtest.h>
#include <sys/socket.h>

namespace l2tpd {
namespace {

using namespace std::chrono_literals;

constexpr l2tp::TunnelId one(1), two(2);

class TunnelSocketsTest : public ::testing::Test {
 protected:
  /// The other end says whether it is open.
  struct Watched {
    base::Fd socket, other;
    bool is_open() const {
      char byte = 0;
      return ::recv(other.get(), &byte, 1, MSG_DONTWAIT) != 0;
    }
  };
  static Watched watched() {
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    return {base::Fd(pair[0]), base::Fd(pair[1])};
  }
  struct Tunnel {
    Watched udp = watched(), management = watched();
  };
  void open(l2tp::TunnelId id, Tunnel& tunnel) {
    sockets_.open(id, os::UdpSocket::adopt(std::move(tunnel.udp.socket), 1701));
    sockets_.keep_in_kernel(id, std::move(tunnel.management.socket));
  }
  void run_until(base::Time end) {
    while (base::Clock::now() < end) loop_.run_once(10ms);
  }

  os::Loop loop_;
  TunnelSockets sockets_{loop_};
  Tunnel first_, second_;
};

TEST_F(TunnelSocketsTest, AreKnownUntilTheyAreClosed) {
  EXPECT_EQ(sockets_.udp(one), -1);
  sockets_.open(one, os::UdpSocket::adopt(std::move(first_.udp.socket), 1701));
  EXPECT_GE(sockets_.udp(one), 0);
  EXPECT_FALSE(sockets_.in_kernel(one));
  sockets_.keep_in_kernel(one, std::move(first_.management.socket));
  EXPECT_TRUE(sockets_.in_kernel(one));
  EXPECT_FALSE(sockets_.in_kernel(two));
  sockets_.close(two);
  sockets_.close(one);
  EXPECT_EQ(sockets_.udp(one), -1);
  EXPECT_FALSE(sockets_.in_kernel(one));
}

TEST_F(TunnelSocketsTest, TheKernelHasItsTimeWithEachTunnel) {
  open(one, first_);
  open(two, second_);
  const auto begin = base::Clock::now();
  sockets_.close(one);
  EXPECT_FALSE(first_.udp.is_open());
  EXPECT_TRUE(first_.management.is_open());
  EXPECT_TRUE(second_.udp.is_open());
  run_until(begin + 500ms);
  sockets_.close(two);
  run_until(begin + 900ms);
  EXPECT_TRUE(first_.management.is_open());
  run_until(begin + 1200ms);
  EXPECT_FALSE(first_.management.is_open());
  EXPECT_TRUE(second_.management.is_open()) << "half a second later";
  run_until(begin + 1700ms);
  EXPECT_FALSE(second_.management.is_open());
}

TEST_F(TunnelSocketsTest, ANewOneInTheSamePlaceClosesTheOldAndAllAreClosedTogether) {
  open(one, first_);
  open(one, second_);
  EXPECT_FALSE(first_.udp.is_open());
  EXPECT_TRUE(first_.management.is_open());
  EXPECT_TRUE(second_.udp.is_open());
  sockets_.close_all();
  EXPECT_FALSE(second_.udp.is_open());
  EXPECT_TRUE(second_.management.is_open()) << "nobody waits for the kernel then either";
  EXPECT_EQ(sockets_.udp(one), -1);
}

}  // namespace
}  // namespace l2tpd
