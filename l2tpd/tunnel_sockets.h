#pragma once
// What the privileged process has open for each tunnel, and how that is closed.

#include <chrono>
#include <deque>
#include <map>
#include <utility>

#include "base/fd.h"
#include "base/time.h"
#include "l2tp/types.h"
#include "os/loop.h"
#include "os/udp.h"

namespace l2tpd {

class TunnelSockets {
 public:
  /// For the kernel to take a tunnel apart.
  static constexpr base::Duration kernels_own_time = std::chrono::seconds(1);

  explicit TunnelSockets(os::Loop& loop);

  /// One that the other process reads. What the tunnel had before is closed.
  void open(l2tp::TunnelId tunnel, os::UdpSocket udp);
  /// The tunnel is in the kernel as long as this is open, too. Only where open() was called.
  void keep_in_kernel(l2tp::TunnelId tunnel, base::Fd management);
  /// -1: none.
  int udp(l2tp::TunnelId tunnel) const;
  bool in_kernel(l2tp::TunnelId tunnel) const;

  /// The UDP socket at once, with which the kernel takes the tunnel apart, in a worker of its own; the other
  /// one later: who closes it before that is done waits for an RCU grace period himself (Linux 6.1), and
  /// every peer with him.
  void close(l2tp::TunnelId tunnel);
  void close_all();

 private:
  struct Sockets {
    base::Fd management;
    os::UdpSocket udp;  ///< closed first
  };
  void retire(base::Fd management);
  void close_retired();

  std::map<l2tp::TunnelId, Sockets> tunnels_;
  std::deque<std::pair<base::Time, base::Fd>> retired_;  ///< and when to close them
  os::Source timer_;
};

}  // namespace l2tpd
