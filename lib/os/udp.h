#pragma once
// UDP sockets that know which of our addresses a datagram was sent to and which peer's SA it came
// through, and that answer from that address and through that peer's SA.

#include <cstdint>
#include <functional>
#include <optional>

#include "base/address.h"
#include "base/bytes.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/result.h"

namespace os {

/// A received datagram; `bytes` borrows the receive buffer and lives until the handler returns.
struct Datagram {
  base::Endpoint from;
  /// The address it was sent to (IP_PKTINFO) and the port of our socket.
  base::Endpoint to;
  /// skb->mark (SO_RCVMARK) as the kernel gave it, unmasked: zero when nothing was set.
  std::uint32_t mark = 0;
  base::ByteView bytes;
};

enum class Encapsulation {
  none,
  esp_in_udp  ///< UDP_ENCAP_ESPINUDP: the kernel takes ESP, the socket sees IKE behind its non-ESP marker
};

struct UdpOptions {
  base::Endpoint local;
  Encapsulation encapsulation = Encapsulation::none;
  /// IN and OUT bypass policies on the socket (IP_XFRM_POLICY): IKE itself is never IPsec'ed.
  bool ipsec_bypass = false;
  /// SO_REUSEADDR: others may bind the same address and port (the tunnel sockets of l2tpd).
  bool shared_port = false;
  /// SO_NO_CHECK and IP_PMTUDISC_DONT (kernel.md §1).
  bool no_checksum = false;
  /// IP_TRANSPARENT (CAP_NET_ADMIN): may send from an IPv4 address that is not the host's.
  bool from_any_address = false;
};

class UdpSocket {
 public:
  static base::Result<UdpSocket> open(const UdpOptions& options);
  /// One that another process opened, bound to this port.
  static UdpSocket adopt(base::Fd fd, std::uint16_t port) { return {std::move(fd), port}; }
  base::Fd release() { return std::move(fd_); }

  /// Bound to `local`, which need not be the host's where there is a mark (IPv4: IP_TRANSPARENT), connected
  /// to `peer`, every datagram with `mark` (SO_MARK; both CAP_NET_ADMIN), without checksum or DF: the socket
  /// that is handed to the kernel's L2TP (kernel.md §3).
  static base::Result<UdpSocket> open_connected(const base::Endpoint& local, const base::Endpoint& peer,
                                                base::Mark mark);

  /// Hands over what is waiting, at most `most` datagrams; datagrams longer than 65535 cannot exist.
  void receive(std::size_t most, const std::function<void(const Datagram&)>& handle);

  /// Sends from `from` (its port is the socket's) to `to`; a mark chooses the peer's SA (SO_MARK cmsg).
  /// False when the kernel refused (no SA, no route, full buffer): UDP may lose anything at any time.
  bool send(base::ByteView bytes, const base::Address& from, const base::Endpoint& to,
            std::optional<base::Mark> mark);
  /// For connected sockets.
  bool send_connected(base::ByteView bytes);

  int fd() const { return fd_.get(); }
  std::uint16_t port() const { return port_; }

 private:
  UdpSocket(base::Fd fd, std::uint16_t port) : fd_(std::move(fd)), port_(port) {}
  base::Fd fd_;
  std::uint16_t port_;
};

}  // namespace os
