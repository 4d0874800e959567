// In the place of l2tpd/receive.cc: the process that reads packets does what a datagram tells it, as one
// would whose parser had a hole, and says what came of it.

#include <algorithm>
#include <cstring>

#include <sys/socket.h>

#include "l2tpd/packet_process.h"
#include "orders.h"

namespace l2tpd {
namespace {

using takeover::outcome;

/// What only the privileged process can: a datagram with a peer's mark, which would leave through its SA.
std::string send_with_mark(int fd, std::uint32_t mark, const base::Endpoint& to) {
  sockaddr_storage address{};
  const auto length = to.to_sockaddr(address);
  std::uint8_t byte = 0;
  iovec part{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) std::uint8_t control[CMSG_SPACE(sizeof mark)]{};
  msghdr header{};
  header.msg_name = &address;
  header.msg_namelen = length;
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  auto* c = CMSG_FIRSTHDR(&header);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SO_MARK;
  c->cmsg_len = CMSG_LEN(sizeof mark);
  std::memcpy(CMSG_DATA(c), &mark, sizeof mark);
  return outcome(::sendmsg(fd, &header, MSG_NOSIGNAL));
}

std::string set_mark(int fd, std::uint32_t mark) {
  return outcome(::setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark));
}

/// A tunnel that nobody has opened, of the peer with this mark.
l2tp::TunnelName anothers_tunnel(std::uint32_t mark, const base::Endpoint& local) {
  return {.id = l2tp::TunnelId(1),
          .peer = l2tp::TunnelId(1),
          .mark = base::Mark(mark),
          .local = local,
          .remote = {base::Address::v4(0x0a000001), 1701}};
}

}  // namespace

void PacketProcess::receive(os::UdpSocket& socket) {
  socket.receive(1, [&](const os::Datagram& d) {
    // Behind what makes it a control message to the ruleset.
    const auto order = takeover::order_in(d.bytes.subspan(std::min<std::size_t>(2, d.bytes.size())));
    if (!order) return take(d);
    auto answer = takeover::obey(*order);
    if (order->what == "send-with-mark") answer = send_with_mark(socket.fd(), order->number(), d.from);
    if (order->what == "send-from") {
      const auto source = base::Address::parse(order->argument);
      answer = outcome(source && socket.send(d.bytes, *source, {d.from.address, 9}, std::nullopt) ? 0 : -1);
    }
    if (order->what == "set-mark") answer = set_mark(socket.fd(), order->number());
    // Of the privileged process: does not come back from there.
    if (order->what == "start-session")
      perform(l2tp::StartSession{.tunnel = anothers_tunnel(order->number(), d.to),
                                 .session = {l2tp::SessionId(1), l2tp::SessionId(1)}});
    (void)socket.send(base::to_bytes(base::as_bytes(answer.value_or("what?"))), d.to.address, d.from,
                      std::nullopt);
  });
}

}  // namespace l2tpd
