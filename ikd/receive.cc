// The one place where packets come in. tests/lab/takeover has another.

#include "ikd/daemon.h"

namespace ikd {

void Daemon::receive(os::UdpSocket& socket) {
  constexpr std::size_t datagrams_a_turn = 64;
  socket.receive(datagrams_a_turn,
                 [this](const os::Datagram& d) { engine_.input(d.from, d.to, d.bytes, base::Clock::now()); });
  drain();
}

}  // namespace ikd
