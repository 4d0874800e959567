#include "crowd/call.h"

#include "wire/writer.h"

namespace crowd {
namespace {

using l2tp::MessageType;

constexpr std::uint16_t usual_window = 4;  // RFC 2661 §4.4.3
constexpr l2tp::SessionId own_session(1);

}  // namespace

void Call::begin(base::Time now) { say(MessageType::SCCRQ, {}, now); }

void Call::receive(base::ByteView datagram, base::Time now) {
  const auto header = l2tp::decode_header(datagram);
  if (!header || header->tunnel != own_) return;
  channel_.receive(*header, now);
  while (const auto received = channel_.next_message()) answer(l2tp::decode(received->body), now);
  channel_.acknowledge();
}

void Call::answer(const l2tp::Message& message, base::Time now) {
  if (message.type == MessageType::SCCRP && message.assigned_tunnel_id) {
    peer_ = *message.assigned_tunnel_id;
    channel_.set_peer(peer_, message.receive_window_size.value_or(usual_window));
    say(MessageType::SCCCN, {}, now);
    if (wants_session_) say(MessageType::ICRQ, {}, now);
  } else if (message.type == MessageType::ICRP && message.assigned_session_id) {
    peer_session_ = *message.assigned_session_id;
    say(MessageType::ICCN, peer_session_, now);
  } else if (message.type == MessageType::StopCCN || message.type == MessageType::CDN) {
    refused_ = true;
  } else if (message.type == MessageType::HELLO) {
    ++hellos_;
  }
}

void Call::say(MessageType type, l2tp::SessionId to, base::Time now) {
  l2tp::Message message;
  message.type = type;
  if (type == MessageType::SCCRQ) {
    message.protocol_version = 0x0100;
    message.framing_capabilities = 3;
    message.host_name = base::as_bytes("crowd");
    message.assigned_tunnel_id = own_;
    message.receive_window_size = usual_window;
  } else if (type == MessageType::ICRQ) {
    message.assigned_session_id = own_session;
    message.call_serial_number = 1;
  } else if (type == MessageType::ICCN) {
    message.tx_connect_speed = 1'000'000'000;
    message.framing_type = 1;
  }
  channel_.send(to, l2tp::encode(message), now);
}

bool Call::up() const {
  return peer_ != l2tp::TunnelId() && channel_.all_acknowledged() &&
         (!wants_session_ || peer_session_ != l2tp::SessionId());
}

base::Bytes Call::data(std::size_t bytes) const {
  wire::Writer out;
  out.u16(2);  // version 2, none of the optional fields
  out.u16(peer_.value);
  out.u16(peer_session_.value);
  out.u16(0xff03);  // PPP: address and control, then IPv4 (RFC 1661 §2, RFC 1662 §3.1)
  out.u16(0x0021);
  out.zeros(bytes);
  return out.take();
}

}  // namespace crowd
