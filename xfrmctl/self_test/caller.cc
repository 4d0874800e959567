#include "self_test/caller.h"

namespace self_test {
namespace {

constexpr std::uint16_t l2tp_port = 1701;
constexpr std::size_t at_once = 16;
constexpr std::uint16_t usual_window = 4;  // RFC 2661 §4.4.3

}  // namespace

base::Result<Caller> Caller::open(std::string host_name, const base::Address& own,
                                  const base::Address& gateway, l2tp::TunnelId tunnel) {
  auto socket = os::UdpSocket::open_connected({own, l2tp_port}, {gateway, l2tp_port}, base::Mark(0));
  if (!socket) return tl::unexpected(socket.error());
  return Caller(std::move(host_name), tunnel, std::move(*socket));
}

void Caller::call(base::Time now) {
  l2tp::Message sccrq;
  sccrq.type = l2tp::MessageType::SCCRQ;
  sccrq.protocol_version = 0x0100;
  sccrq.framing_capabilities = 3;
  sccrq.host_name = base::as_bytes(host_name_);
  sccrq.assigned_tunnel_id = tunnel_;
  sccrq.receive_window_size = usual_window;
  channel_.send({}, l2tp::encode(sccrq), now);
  transmit();
}

void Caller::go_on(base::Time now) {
  socket_.receive(at_once, [&](const os::Datagram& d) { take(d.bytes, now); });
  channel_.timeout(now);
  transmit();
}

void Caller::take(base::ByteView datagram, base::Time now) {
  const auto header = l2tp::decode_header(datagram);
  if (!header) return;
  if (header->tunnel != tunnel_) {
    ++strays_;
    return;
  }
  channel_.receive(*header, now);
  while (const auto received = channel_.next_message()) {
    const auto message = l2tp::decode(received->body);
    if (message.type != l2tp::MessageType::SCCRP || !message.assigned_tunnel_id) continue;
    answered_ = true;
    channel_.set_peer(*message.assigned_tunnel_id, message.receive_window_size.value_or(usual_window));
    l2tp::Message scccn;
    scccn.type = l2tp::MessageType::SCCCN;
    channel_.send({}, l2tp::encode(scccn), now);
  }
  channel_.acknowledge();
}

void Caller::transmit() {
  while (const auto datagram = channel_.next_datagram()) socket_.send_connected(*datagram);
}

}  // namespace self_test
