#include "os/udp.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include <fmt/format.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <linux/xfrm.h>
#include <sys/socket.h>

#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif

namespace os {
namespace {

// <netinet/in.h> and <linux/in.h> agree on these, but Debian 12's glibc does not name them all.
constexpr int ip_xfrm_policy = 17;
constexpr int ipv6_xfrm_policy = 35;
constexpr int udp_encap_option = 100;

constexpr std::size_t batch = 64;
constexpr std::size_t largest_datagram = 65536;

template <class T>
bool set(int fd, int level, int option, const T& value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

bool set_ipsec_bypass(int fd, int family) {
  xfrm_userpolicy_info policy{};
  policy.action = XFRM_POLICY_ALLOW;
  policy.sel.family = static_cast<std::uint16_t>(family);
  const bool v4 = family == AF_INET;
  for (const auto dir : {XFRM_POLICY_IN, XFRM_POLICY_OUT}) {
    policy.dir = static_cast<std::uint8_t>(dir);
    if (!set(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? ip_xfrm_policy : ipv6_xfrm_policy, policy))
      return false;
  }
  return true;
}

bool drop_checksum_and_df(int fd, int family) {
  const bool v4 = family == AF_INET;
  const int dont = v4 ? IP_PMTUDISC_DONT : IPV6_PMTUDISC_DONT;
  return set(fd, SOL_SOCKET, SO_NO_CHECK, 1) &&
         set(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, dont);
}

/// Room for thousands of clients that all begin in the same moment, as after a restart. Without CAP_NET_ADMIN
/// what net.core.rmem_max allows.
void widen_receive_buffer(int fd) {
  constexpr int bytes = 4 << 20;
  if (!set(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes)) (void)set(fd, SOL_SOCKET, SO_RCVBUF, bytes);
}

bool want_ancillary_data(int fd, int family) {
  const bool v4 = family == AF_INET;
  return set(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_PKTINFO : IPV6_RECVPKTINFO, 1) &&
         set(fd, SOL_SOCKET, SO_RCVMARK, 1);
}

/// The one place where control messages are read.
void read_ancillary_data(msghdr& header, Datagram& out) {
  for (auto* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      out.to.address = base::Address::from(info.ipi_addr);
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      out.to.address = *base::Address::from_bytes({info.ipi6_addr.s6_addr, 16});
    } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_MARK) {
      std::memcpy(&out.mark, CMSG_DATA(c), sizeof out.mark);
    }
  }
}

template <class T>
void put_control(msghdr& header, int level, int type, const T& value) {
  auto* at = static_cast<std::uint8_t*>(header.msg_control) + header.msg_controllen;
  auto* c = reinterpret_cast<cmsghdr*>(at);
  c->cmsg_level = level;
  c->cmsg_type = type;
  c->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(c), &value, sizeof value);
  header.msg_controllen += CMSG_SPACE(sizeof value);
}

struct ReceiveBuffers {
  std::array<std::array<std::uint8_t, largest_datagram>, batch> data;
  std::array<std::array<std::uint8_t, 256>, batch> control;
  std::array<sockaddr_storage, batch> from;
  std::array<iovec, batch> parts;
  std::array<mmsghdr, batch> messages;
};

}  // namespace

base::Result<UdpSocket> UdpSocket::open(const UdpOptions& options) {
  const int family = options.local.address.family();
  const auto name = [&] { return "cannot open UDP " + options.local.to_string(); };
  base::Fd fd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::fail_errno(name(), errno);
  widen_receive_buffer(fd.get());
  if (options.shared_port && !set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1))
    return base::fail_errno(name(), errno);
  if (family == AF_INET6 && !set(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1))
    return base::fail_errno(name(), errno);
  if (!want_ancillary_data(fd.get(), family))
    return base::fail_errno(name() + ": SO_RCVMARK (Linux 5.19 or later is needed)", errno);
  if (options.ipsec_bypass && !set_ipsec_bypass(fd.get(), family))
    return base::fail_errno(name() + ": IP_XFRM_POLICY (CAP_NET_ADMIN is needed)", errno);
  if (options.no_checksum && !drop_checksum_and_df(fd.get(), family)) return base::fail_errno(name(), errno);
  if (options.from_any_address && family == AF_INET && !set(fd.get(), IPPROTO_IP, IP_TRANSPARENT, 1))
    return base::fail_errno(name() + ": IP_TRANSPARENT (CAP_NET_ADMIN is needed)", errno);

  sockaddr_storage address{};
  const auto length = options.local.to_sockaddr(address);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0)
    return base::fail_errno(name(), errno);
  if (options.encapsulation == Encapsulation::esp_in_udp &&
      !set(fd.get(), IPPROTO_UDP, udp_encap_option, static_cast<int>(UDP_ENCAP_ESPINUDP)))
    return base::fail_errno(name() + ": UDP_ENCAP", errno);
  return UdpSocket(std::move(fd), options.local.port);
}

base::Result<UdpSocket> UdpSocket::open_connected(const base::Endpoint& local, const base::Endpoint& peer,
                                                  base::Mark mark) {
  const int family = local.address.family();
  const auto name = [&] { return "cannot open a tunnel socket to " + peer.to_string(); };
  base::Fd fd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::fail_errno(name(), errno);
  if (!set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1) || !set(fd.get(), SOL_SOCKET, SO_MARK, mark.value) ||
      !drop_checksum_and_df(fd.get(), family) || !want_ancillary_data(fd.get(), family) ||
      (family == AF_INET && mark.value != 0 && !set(fd.get(), IPPROTO_IP, IP_TRANSPARENT, 1)))
    return base::fail_errno(name(), errno);
  sockaddr_storage address{};
  auto length = local.to_sockaddr(address);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0)
    return base::fail_errno(name(), errno);
  length = peer.to_sockaddr(address);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), length) != 0)
    return base::fail_errno(name(), errno);
  return UdpSocket(std::move(fd), local.port);
}

void UdpSocket::receive(std::size_t most, const std::function<void(const Datagram&)>& handle) {
  // 4 MiB of address space, touched only as far as datagrams really come; one per process.
  static const auto buffers = std::make_unique<ReceiveBuffers>();
  auto& b = *buffers;
  const auto wanted = std::min(most, batch);
  for (std::size_t i = 0; i < wanted; ++i) {
    b.parts[i] = {.iov_base = b.data[i].data(), .iov_len = largest_datagram};
    auto& header = b.messages[i].msg_hdr;
    header = {};
    header.msg_name = &b.from[i];
    header.msg_namelen = sizeof b.from[i];
    header.msg_iov = &b.parts[i];
    header.msg_iovlen = 1;
    header.msg_control = b.control[i].data();
    header.msg_controllen = b.control[i].size();
  }
  const int got =
      ::recvmmsg(fd_.get(), b.messages.data(), static_cast<unsigned>(wanted), MSG_DONTWAIT, nullptr);
  for (int i = 0; i < got; ++i) {
    const auto n = static_cast<std::size_t>(i);
    const auto from = base::Endpoint::from_sockaddr(b.from[n]);
    if (!from) continue;
    Datagram datagram{.from = *from,
                      .to = {.address = {}, .port = port_},
                      .mark = 0,
                      .bytes = {b.data[n].data(), b.messages[n].msg_len}};
    read_ancillary_data(b.messages[n].msg_hdr, datagram);
    handle(datagram);
  }
}

bool UdpSocket::send(base::ByteView bytes, const base::Address& from, const base::Endpoint& to,
                     std::optional<base::Mark> mark) {
  sockaddr_storage address{};
  alignas(cmsghdr) std::array<std::uint8_t, 128> control{};
  iovec part{.iov_base = const_cast<std::uint8_t*>(bytes.data()), .iov_len = bytes.size()};
  msghdr header{};
  header.msg_namelen = to.to_sockaddr(address);
  header.msg_name = &address;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  // The interface index stays zero: a copied one makes Linux 4.15 and later answer ENODEV.
  if (from.is_v4()) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, from.bytes().data(), 4);
    put_control(header, IPPROTO_IP, IP_PKTINFO, info);
  } else {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, from.bytes().data(), 16);
    put_control(header, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
  if (mark) put_control(header, SOL_SOCKET, SO_MARK, mark->value);
  return ::sendmsg(fd_.get(), &header, MSG_DONTWAIT) >= 0;
}

bool UdpSocket::send_connected(base::ByteView bytes) {
  return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) >= 0;
}

}  // namespace os
