// The one place where packets come in. tests/lab/takeover has another.

#include "l2tpd/packet_process.h"

namespace l2tpd {

void PacketProcess::receive(os::UdpSocket& socket) {
  constexpr std::size_t datagrams_a_turn = 64;
  socket.receive(datagrams_a_turn, [this](const os::Datagram& datagram) { take(datagram); });
}

}  // namespace l2tpd
