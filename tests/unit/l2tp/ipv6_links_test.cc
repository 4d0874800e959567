// The router on a link against the running kernel, in a network namespace of its own: a pair of virtual
// Ethernet interfaces stands in for the link. Skipped where there is no IPv6.

#include "l2tpd/ipv6_links.h"

#include <cstdlib>
#include <cstring>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

namespace l2tpd {
namespace {

using namespace std::chrono_literals;

int shell(const std::string& command) { return std::system(("(" + command + ") >/dev/null 2>&1").c_str()); }

class OnALink : public testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
    if (shell("echo 0 > /proc/sys/net/ipv6/conf/default/disable_ipv6 && "
              "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad && "
              "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding && "
              "ip link add ours type veth peer name theirs && ip link set ours up && ip link set theirs up"))
      GTEST_SKIP() << "no IPv6 here";
    host_ = base::Fd(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6));
    ASSERT_TRUE(host_);
    icmp6_filter filter{};
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ND_ROUTER_ADVERT, &filter);
    const int hops = 255;
    ASSERT_EQ(::setsockopt(host_.get(), IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter), 0);
    ASSERT_EQ(::setsockopt(host_.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops), 0);
    ASSERT_EQ(::setsockopt(host_.get(), SOL_SOCKET, SO_BINDTODEVICE, "theirs", 6), 0);
    for (int i = 0; i < 100 && shell("ip -6 addr show dev theirs | grep 'inet6 fe80' | grep -v tentative &&"
                                     "ip -6 addr show dev ours | grep 'inet6 fe80' | grep -v tentative");
         ++i)
      loop_.run_once(20ms);
  }
  /// The advertisements that came until one is there, or a moment has passed.
  int heard(base::Duration patience = 2s) {
    int count = 0;
    for (const auto end = base::Clock::now() + patience; count == 0 && base::Clock::now() < end;) {
      loop_.run_once(20ms);
      char buffer[1500];
      while (::recv(host_.get(), buffer, sizeof buffer, 0) > 0) ++count;
    }
    return count;
  }
  void solicit(const char* bytes, std::size_t size) {
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_scope_id = ::if_nametoindex("theirs");
    ASSERT_EQ(::inet_pton(AF_INET6, "ff02::2", &to.sin6_addr), 1);
    ASSERT_EQ(::sendto(host_.get(), bytes, size, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to),
              static_cast<ssize_t>(size));
  }
  static bool routed() { return shell("ip -6 route show 2001:db8:7:1::/64 | grep 'dev ours'") == 0; }

  os::Loop loop_;
  std::vector<Solicitation> asked_;
  Ipv6Links links_{loop_, [this](Solicitation solicitation) { asked_.push_back(std::move(solicitation)); }};
  base::Fd host_;
  const RouterAdvertisement advertisement_{
      .prefix = *base::Prefix::parse("2001:db8:7:1::/64"), .mtu = 1398, .dns = {}};
};

TEST_F(OnALink, ThePeerHearsItsRouterAtOnceAndWhenItAsks) {
  const auto up = links_.up("ours", advertisement_);
  ASSERT_TRUE(up) << up.error().message;
  EXPECT_TRUE(routed());
  EXPECT_EQ(heard(), 1);
  const auto ifindex = ::if_nametoindex("ours");
  for (int i = 0; i < 3; ++i) solicit("\x85\0\0\0\0\0\0\0", 8);
  EXPECT_EQ(heard(1s), 0);
  ASSERT_EQ(asked_.size(), 1u) << "once in three seconds";
  EXPECT_EQ(asked_[0].ifindex, ifindex);
  EXPECT_EQ(asked_[0].hop_limit, 255u);
  EXPECT_EQ(asked_[0].message,
            base::Bytes({0x85, 0, asked_[0].message[2], asked_[0].message[3], 0, 0, 0, 0}));
  links_.judged({ifindex, true});
  EXPECT_EQ(heard(6s), 1) << "sooner than of itself";
  EXPECT_EQ(links_.counters().advertisements, 2u);
  EXPECT_EQ(heard(3s), 0) << "until it listens again";
  solicit("\x85\0\0\0\0\0\0\0\1\0", 10);
  EXPECT_EQ(heard(200ms), 0);
  ASSERT_EQ(asked_.size(), 2u);
  links_.judged({ifindex, false});
  links_.judged({ifindex + 100, true});
  EXPECT_EQ(heard(4s), 0);
  EXPECT_EQ(links_.counters().bad_solicitations, 1u);
  solicit(std::string(129, '\x85').data(), 129);
  EXPECT_EQ(heard(200ms), 0);
  EXPECT_EQ(asked_.size(), 2u) << "none is so long";
  EXPECT_EQ(links_.counters().bad_solicitations, 2u);
}

TEST_F(OnALink, ThePeerHearsOfAnotherMtuAtOnceAndOfNoRouterWhereItIsTooSmall) {
  ASSERT_TRUE(links_.up("ours", advertisement_));
  EXPECT_EQ(heard(), 1);
  links_.refit("ours", 1382);
  EXPECT_EQ(heard(), 1);
  links_.refit("theirs", 1382);  // of which it knows nothing
  links_.refit("ours", 1279);
  EXPECT_FALSE(routed());
}

TEST_F(OnALink, ALinkThatIsDownHasNoRouteAndNoRouter) {
  ASSERT_TRUE(links_.up("ours", advertisement_));
  links_.down("theirs");  // of which it knows nothing
  EXPECT_TRUE(routed());
  links_.down("ours");
  EXPECT_FALSE(routed());
  EXPECT_EQ(heard(200ms), 0);
  ASSERT_TRUE(links_.up("ours", advertisement_)) << "another session on the same interface";
  EXPECT_TRUE(routed());
  ASSERT_EQ(shell("ip link del ours"), 0);
  links_.down("ours");
  EXPECT_EQ(links_.up("ours", advertisement_).error().message, "there is no interface ours: No such device");
}

TEST_F(OnALink, AnInterfaceIsNotTakenForOneThatHadItsNameBefore) {
  ASSERT_TRUE(links_.up("ours", advertisement_));
  ASSERT_EQ(shell("ip link del ours"), 0);  // nobody says so: its pppd was killed
  ASSERT_EQ(shell("ip link add ours type veth peer name theirs2 && ip link set ours up && "
                  "ip link set theirs2 up"),
            0);
  ASSERT_TRUE(links_.up("ours", advertisement_));
  EXPECT_TRUE(routed());
  links_.refit("ours", 1279);  // too small for IPv6
  EXPECT_FALSE(routed());
  ASSERT_TRUE(links_.up("ours", advertisement_));
  links_.down("ours");
  EXPECT_FALSE(routed());
}

}  // namespace
}  // namespace l2tpd
