#pragma once
// L2TP of one client: SCCRQ, SCCRP, SCCCN, and nothing more. In the network of whoever opens it.

#include <optional>
#include <string>

#include "base/time.h"
#include "l2tp/channel.h"
#include "os/udp.h"

namespace self_test {

class Caller {
 public:
  /// From port 1701, as Windows does it: nothing but their SAs tells two of them apart.
  static base::Result<Caller> open(std::string host_name, const base::Address& own,
                                   const base::Address& gateway, l2tp::TunnelId tunnel);

  void call(base::Time now);
  /// Takes what has come, and does what is due.
  void go_on(base::Time now);
  std::optional<base::Time> next_timeout() const { return channel_.next_timeout(); }
  int descriptor() const { return socket_.fd(); }

  /// SCCRP has come, and the tunnel stands.
  bool connected() const { return answered_ && channel_.all_acknowledged(); }
  /// How many datagrams have come that were for another's tunnel.
  std::size_t strays() const { return strays_; }

 private:
  Caller(std::string host_name, l2tp::TunnelId tunnel, os::UdpSocket socket)
      : host_name_(std::move(host_name)), tunnel_(tunnel), socket_(std::move(socket)) {}
  void take(base::ByteView datagram, base::Time now);
  void transmit();

  std::string host_name_;
  l2tp::TunnelId tunnel_;
  os::UdpSocket socket_;
  l2tp::Channel channel_{4};
  bool answered_ = false;
  std::size_t strays_ = 0;
};

}  // namespace self_test
