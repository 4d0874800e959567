// In the place of ikd/receive.cc: the process that reads packets does what a datagram tells it, as one would
// whose parser had a hole, and says what came of it.

#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <sys/socket.h>

#include "ikd/daemon.h"
#include "orders.h"

namespace ikd {
namespace {

using takeover::outcome;

/// Every SA of the host, through the socket that the kernel's events come from.
std::string flush_sas(int netlink) {
  struct {
    nlmsghdr header;
    xfrm_usersa_flush flush;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = XFRM_MSG_FLUSHSA;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  if (::send(netlink, &request, sizeof request, 0) < 0) return outcome(-1);
  alignas(nlmsghdr) std::uint8_t answer[8192];
  while (::recv(netlink, answer, sizeof answer, 0) > 0) {
    const auto* header = reinterpret_cast<const nlmsghdr*>(answer);
    if (header->nlmsg_type != NLMSG_ERROR) continue;
    errno = -reinterpret_cast<const nlmsgerr*>(header + 1)->error;
    return outcome(errno == 0 ? 0 : -1);
  }
  return outcome(-1);
}

/// An SA of this peer's number that stamps the mark of `stamped`.
ike::InstallInbound inbound(const ike::Peer& peer, base::Mark stamped) {
  ike::InstallInbound out{.ticket = {}, .sa = {}, .new_entry = {}};
  out.sa.source = peer.remote.address;
  out.sa.destination = peer.local.address;
  out.sa.spi = xfrm::Spi(0x7a6e0000);
  out.sa.reqid = xfrm::Reqid(peer.mark.value);
  out.sa.selector = {.source = base::host(peer.alias),
                     .destination = {base::Address::v4(0), 0},
                     .protocol = 17,
                     .source_port = {},
                     .destination_port = 1701};
  out.sa.transform = {.encryption = xfrm::Encryption::aes_cbc,
                      .encryption_key = base::Secret::of_size(16),
                      .integrity = xfrm::Integrity::hmac_sha1_96,
                      .integrity_key = base::Secret::of_size(20)};
  out.sa.set_mark = xfrm::MaskedMark{stamped.value, 0x0fffff00};
  return out;
}

/// Through the broker, where this peer's is the range.
std::optional<std::string> ask(BrokerClient& broker, const ike::Peer& peer, const takeover::Order& order) {
  const auto number = order.number();
  if (order.what == "remove-sa")
    return outcome(broker.remove(ike::RemoveSa{
        {.destination = peer.local.address, .spi = xfrm::Spi(number), .protocol = 50, .mark = {}},
        peer.mark}));
  if (order.what == "stamp") return outcome(broker.install(inbound(peer, base::Mark(number))));
  if (order.what == "map")
    return outcome(broker.fill_maps({{.mark = base::Mark(number),
                                      .alias = peer.local.address,
                                      .home = peer.remote.address,
                                      .dialled = peer.local.address}}));
  return std::nullopt;
}

}  // namespace

void Daemon::receive(os::UdpSocket& socket) {
  socket.receive(1, [&](const os::Datagram& d) {
    const auto order = takeover::order_in(d.bytes);
    if (!order) return engine_.input(d.from, d.to, d.bytes, base::Clock::now());
    const auto peer = engine_.peers().begin();
    auto answer = takeover::obey(*order);
    if (order->what == "flush-sas") answer = flush_sas(events_->fd());
    if (!answer && peer != engine_.peers().end()) answer = ask(broker_, peer->second, *order);
    (void)socket.send(base::to_bytes(base::as_bytes(answer.value_or("what?"))), d.to.address, d.from,
                      std::nullopt);
  });
  drain();
}

}  // namespace ikd
