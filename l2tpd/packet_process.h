#pragma once
// The process of l2tpd that reads packets: the core between sockets and the privileged process. It has no
// capability, opens no file, and runs nothing.

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <vector>

#include "l2tp/server.h"
#include "l2tpd/broker_client.h"
#include "l2tpd/door.h"
#include "l2tpd/protocol.h"
#include "os/channel.h"
#include "os/loop.h"
#include "os/readables.h"
#include "os/udp.h"

namespace l2tpd {

/// What the privileged process is told of a tunnel.
TunnelRow row_of(const l2tp::Tunnel& tunnel);

class PacketProcess {
 public:
  /// Takes over what comes through `channel`, and gives up every privilege; what cannot be is an error in
  /// words.
  static base::Result<std::unique_ptr<PacketProcess>> start(os::Channel channel);
  PacketProcess(const PacketProcess&) = delete;
  PacketProcess& operator=(const PacketProcess&) = delete;

  /// Until it is told to end, or the privileged process has gone. Then this one ends, there and then.
  void run();

 private:
  struct MainSocket {
    os::UdpSocket udp;
    os::Source readable;
  };

  PacketProcess(const Hello& hello, os::Channel channel);
  void listen(const Hello& hello, std::vector<base::Fd> descriptors);
  void watch(os::Channel pokes);
  void be_alive();
  void receive(os::UdpSocket& socket);
  void take(const os::Datagram& datagram);
  void take_orders();
  void obey(const Order& order);
  [[noreturn]] void end();

  /// Everything that the core asks for, and what has become of its tunnels.
  void pump();
  void perform(const l2tp::Send& send);
  void perform(const l2tp::OpenTunnelSocket& open);
  void perform(const l2tp::CloseTunnelSocket& close);
  void perform(const l2tp::StartSession& start);
  template <class Effect>
  void perform(const Effect& effect) {
    broker_.tell(effect);
  }
  void tell_changes();
  void tell_counts();

  const std::uint32_t mark_mask_;
  const Door door_;
  os::Loop loop_;
  BrokerClient broker_;
  l2tp::Server server_;
  os::Channel pokes_;
  std::vector<std::unique_ptr<MainSocket>> main_;
  std::map<l2tp::TunnelId, os::UdpSocket> tunnels_;
  os::Readables of_tunnels_;
  std::map<l2tp::TunnelId, std::size_t> told_;  ///< a hash of what the privileged process knows
  Counts counts_, told_counts_;
  bool counts_due_ = false;
  std::chrono::microseconds alive_interval_{};
  os::Source pokes_readable_, timer_, counts_timer_, alive_timer_, before_sleep_;
  std::vector<os::Source> signals_;
};

}  // namespace l2tpd
