#include "ike/v1/payload.h"

#include <algorithm>

#include "wire/reader.h"

namespace ike::v1 {

Decoded<Header> decode_header(ByteView datagram) {
  wire::Reader in(datagram);
  Header h;
  std::ranges::copy(in.bytes(8), h.initiator.begin());
  std::ranges::copy(in.bytes(8), h.responder.begin());
  h.next = PayloadType{in.u8()};
  h.version = in.u8();
  h.exchange = Exchange{in.u8()};
  h.flags = in.u8();
  h.message_id = MessageId(in.u32());
  h.length = in.u32();
  if (!in.ok()) return tl::unexpected(Malformed::short_header);
  if (h.version >> 4 != 1) return tl::unexpected(Malformed::bad_version);
  if (h.length < header_size || h.length > datagram.size()) return tl::unexpected(Malformed::bad_length);
  return h;
}

void put_header(wire::Writer& out, const Header& h) {
  out.bytes(h.initiator);
  out.bytes(h.responder);
  out.u8(static_cast<std::uint8_t>(h.next));
  out.u8(h.version);
  out.u8(static_cast<std::uint8_t>(h.exchange));
  out.u8(h.flags);
  out.u32(h.message_id.value);
  out.u32(h.length);
}

const Payload* Chain::find(PayloadType type) const {
  for (const auto& p : payloads) {
    if (p.type == type) return &p;
  }
  return nullptr;
}

std::size_t Chain::count(PayloadType type) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(payloads, [type](const Payload& p) { return p.type == type; }));
}

Decoded<Chain> decode_chain(PayloadType first, ByteView bytes, std::size_t most) {
  Chain chain;
  wire::Reader in(bytes);
  for (auto type = first; type != PayloadType::none;) {
    const auto next = PayloadType{in.u8()};
    const auto reserved = in.u8();
    const std::size_t length = in.u16();
    if (!in.ok() || length < 4) return tl::unexpected(Malformed::bad_payload_length);
    if (reserved != 0) return tl::unexpected(Malformed::reserved_not_zero);
    const auto body = in.bytes(length - 4);
    if (!in.ok()) return tl::unexpected(Malformed::bad_payload_length);
    if (chain.payloads.size() == most) return tl::unexpected(Malformed::too_many_payloads);
    chain.payloads.push_back({type, body});
    type = next;
  }
  chain.size = in.at();
  return chain;
}

void put_chain(wire::Writer& out, const std::vector<Payload>& payloads) {
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const auto next = i + 1 < payloads.size() ? payloads[i + 1].type : PayloadType::none;
    out.u8(static_cast<std::uint8_t>(next));
    out.u8(0);
    out.u16(static_cast<std::uint16_t>(payloads[i].body.size() + 4));
    out.bytes(payloads[i].body);
  }
}

Decoded<Notification> decode_notification(ByteView body) {
  wire::Reader in(body);
  Notification n;
  n.doi = in.u32();
  n.protocol = in.u8();
  const std::size_t spi_size = in.u8();
  n.type = in.u16();
  n.spi = in.bytes(spi_size);
  if (!in.ok()) return tl::unexpected(Malformed::bad_notification);
  n.data = in.rest();
  return n;
}

bool says_initial_contact(const Chain& chain) {
  return std::ranges::any_of(chain.payloads, [](const Payload& p) {
    const auto n = p.type == PayloadType::notification ? decode_notification(p.body)
                                                       : Decoded<Notification>(Notification{});
    return n && n->type == notify::initial_contact;
  });
}

Bytes encode_notification(const Notification& n) {
  wire::Writer out;
  out.u32(n.doi);
  out.u8(n.protocol);
  out.u8(static_cast<std::uint8_t>(n.spi.size()));
  out.u16(n.type);
  out.bytes(n.spi);
  out.bytes(n.data);
  return out.take();
}

Decoded<Delete> decode_delete(ByteView body) {
  wire::Reader in(body);
  Delete d;
  d.doi = in.u32();
  d.protocol = in.u8();
  d.spi_size = in.u8();
  const std::size_t count = in.u16();
  d.spis = in.bytes(count * d.spi_size);
  if (!in.ok() || in.left() != 0 || (count > 0 && d.spi_size == 0))
    return tl::unexpected(Malformed::bad_delete);
  return d;
}

Bytes encode_delete(const Delete& d) {
  wire::Writer out;
  out.u32(d.doi);
  out.u8(d.protocol);
  out.u8(d.spi_size);
  out.u16(static_cast<std::uint16_t>(d.spi_size == 0 ? 0 : d.spis.size() / d.spi_size));
  out.bytes(d.spis);
  return out.take();
}

}  // namespace ike::v1
