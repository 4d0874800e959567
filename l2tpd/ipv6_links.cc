#include "l2tpd/ipv6_links.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "l2tpd/random.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;

constexpr int most_a_turn = 64;
constexpr base::Duration deafness = 3s;  ///< less than a host waits before it asks again (RFC 4861 §10)
constexpr std::size_t longest_solicitation = 128;  ///< a real one has 8 octets and an option or two
constexpr in6_addr all_nodes{{{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}};

base::Result<base::Fd> open_icmp() {
  base::Fd fd(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6));
  if (!fd) return base::fail_errno("cannot open an ICMPv6 socket (is IPv6 switched off?)", errno);
  icmp6_filter only_solicitations{};
  ICMP6_FILTER_SETBLOCKALL(&only_solicitations);
  ICMP6_FILTER_SETPASS(ND_ROUTER_SOLICIT, &only_solicitations);
  const int on = 1, off = 0, hops = 255;
  const auto set = [&fd](int level, int option, const auto& value) {
    return ::setsockopt(fd.get(), level, option, &value, sizeof value) == 0;
  };
  // A host that forwards hears all routers' group on each interface without joining it.
  if (!set(IPPROTO_ICMPV6, ICMP6_FILTER, only_solicitations) || !set(IPPROTO_IPV6, IPV6_RECVPKTINFO, on) ||
      !set(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, on) || !set(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops) ||
      !set(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, off))
    return base::fail_errno("cannot set up an ICMPv6 socket", errno);
  return fd;
}

/// What the kernel says of a message.
struct Arrival {
  unsigned ifindex = 0;
  int hop_limit = 0;
};

Arrival arrival_of(msghdr& message) {
  Arrival out;
  for (auto* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != IPPROTO_IPV6) continue;
    if (c->cmsg_type == IPV6_HOPLIMIT) std::memcpy(&out.hop_limit, CMSG_DATA(c), sizeof out.hop_limit);
    if (c->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      out.ifindex = info.ipi6_ifindex;
    }
  }
  return out;
}

}  // namespace

base::Result<void> Ipv6Links::open() {
  if (icmp_) return {};
  auto icmp = open_icmp();
  if (!icmp) return tl::unexpected(icmp.error());
  auto routes = nl::Socket::open(NETLINK_ROUTE);
  if (!routes) return tl::unexpected(routes.error());
  icmp_ = std::move(*icmp);
  routes_.emplace(std::move(*routes));
  readable_ = loop_.on_readable(icmp_.get(), [this] { receive(); });
  timer_ = loop_.on_time([this] { advertise(); });
  return {};
}

base::Result<void> Ipv6Links::up(const std::string& ifname, const RouterAdvertisement& advertisement) {
  if (const auto opened = open(); !opened) return opened;
  const auto ifindex = ::if_nametoindex(ifname.c_str());
  if (ifindex == 0) return base::fail_errno(fmt::format("there is no interface {}", ifname), errno);
  const auto routed = change_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, ifindex, advertisement.prefix);
  if (!routed) return nl::as_base(routed.error());
  forget_others_named(ifname, ifindex);
  const Link link{
      .ifname = ifname, .advertisement = advertisement, .times = AdvertisingTimes(base::Clock::now())};
  schedule(ifindex, links_.insert_or_assign(ifindex, link).first->second);
  return {};
}

void Ipv6Links::forget_others_named(const std::string& ifname, unsigned ifindex) {
  std::erase_if(links_, [&](const auto& entry) {
    const auto& [index, link] = entry;
    if (link.ifname != ifname || index == ifindex) return false;
    due_.cancel(index);
    return true;
  });
}

Ipv6Links::Iterator Ipv6Links::find(const std::string& ifname) {
  return std::ranges::find_if(links_, [&](const auto& entry) { return entry.second.ifname == ifname; });
}

void Ipv6Links::refit(const std::string& ifname, std::uint16_t mtu) {
  const auto it = find(ifname);
  if (it == links_.end()) return;
  if (mtu < least_ipv6_mtu) return down(ifname);
  it->second.advertisement.mtu = mtu;
  it->second.times = AdvertisingTimes(base::Clock::now());
  schedule(it->first, it->second);
}

void Ipv6Links::down(const std::string& ifname) {
  const auto it = find(ifname);
  if (it == links_.end()) return;
  [[maybe_unused]] const auto removed =
      change_route(RTM_DELROUTE, 0, it->first, it->second.advertisement.prefix);
  due_.cancel(it->first);
  links_.erase(it);
  timer_.set_time(due_.earliest());
}

nl::Result<void> Ipv6Links::change_route(std::uint16_t type, std::uint16_t flags, unsigned ifindex,
                                         const base::Prefix& prefix) {
  nl::Request request(type, static_cast<std::uint16_t>(flags | NLM_F_ACK));
  request.header(rtmsg{.rtm_family = AF_INET6,
                       .rtm_dst_len = prefix.length,
                       .rtm_src_len = 0,
                       .rtm_tos = 0,
                       .rtm_table = RT_TABLE_MAIN,
                       .rtm_protocol = RTPROT_STATIC,
                       .rtm_scope = RT_SCOPE_UNIVERSE,
                       .rtm_type = RTN_UNICAST,
                       .rtm_flags = 0});
  request.attr_bytes(RTA_DST, prefix.network.bytes());
  request.attr(RTA_OIF, ifindex);
  return routes_->transact(request, fmt::format("the route of {}", prefix.to_string()));
}

void Ipv6Links::schedule(unsigned ifindex, const Link& link) {
  due_.set(ifindex, link.times.next());
  timer_.set_time(due_.earliest());
}

void Ipv6Links::receive() {
  for (int i = 0; i < most_a_turn; ++i) {
    std::array<std::uint8_t, longest_solicitation> bytes;
    alignas(cmsghdr) std::array<char, 256> control;
    iovec piece{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto got = ::recvmsg(icmp_.get(), &message, 0);
    if (got < 0) return;
    const auto arrival = arrival_of(message);
    const auto it = links_.find(arrival.ifindex);
    if (it == links_.end()) continue;  // this host may be a router elsewhere, too
    if ((message.msg_flags & MSG_TRUNC) != 0) {
      ++counters_.bad_solicitations;
      continue;
    }
    const auto now = base::Clock::now();
    if (now < it->second.deaf_until) continue;
    it->second.deaf_until = now + deafness;
    judge_({arrival.ifindex, static_cast<std::uint32_t>(arrival.hop_limit),
            base::Bytes(bytes.begin(), bytes.begin() + got)});
  }
}

void Ipv6Links::judged(const Solicited& asked) {
  const auto it = links_.find(asked.ifindex);
  if (it == links_.end()) return;
  if (!asked.valid) {
    ++counters_.bad_solicitations;
    return;
  }
  it->second.times.solicited(base::Clock::now(), random_16());
  schedule(it->first, it->second);
}

void Ipv6Links::advertise() {
  const auto now = base::Clock::now();
  while (const auto ifindex = due_.pop_due(now)) {
    auto& link = links_.at(*ifindex);
    if (send(*ifindex, encode(link.advertisement)))
      ++counters_.advertisements;
    else
      ++counters_.failures;
    link.times.sent(now, random_16());
    due_.set(*ifindex, link.times.next());
  }
  timer_.set_time(due_.earliest());
}

bool Ipv6Links::send(unsigned ifindex, base::ByteView message) {
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_addr = all_nodes;
  to.sin6_scope_id = ifindex;
  return ::sendto(icmp_.get(), message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                  sizeof to) == static_cast<ssize_t>(message.size());
}

bool forwards_ipv6() {
  int forwarding = 0;
  std::ifstream("/proc/sys/net/ipv6/conf/all/forwarding") >> forwarding;
  return forwarding != 0;
}

}  // namespace l2tpd
