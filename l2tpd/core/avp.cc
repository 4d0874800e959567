#include "l2tp/avp.h"

namespace l2tp {

Decoded<Avp> next_avp(wire::Reader& in) {
  const auto flags_and_length = in.u16();
  Avp avp{.mandatory = (flags_and_length & 0x8000) != 0,
          .hidden = (flags_and_length & 0x4000) != 0,
          .reserved = static_cast<std::uint8_t>(flags_and_length >> 10 & 0xf),
          .vendor = in.u16(),
          .type = in.u16(),
          .value = {}};
  if (!in.ok()) return tl::unexpected(Malformed::short_header);
  const std::size_t length = flags_and_length & 0x03ff;
  if (length < avp_header_size) return tl::unexpected(Malformed::bad_length);
  avp.value = in.bytes(length - avp_header_size);
  if (!in.ok()) return tl::unexpected(Malformed::bad_length);
  return avp;
}

Decoded<std::vector<Avp>> decode_avps(ByteView body) {
  std::vector<Avp> avps;
  for (wire::Reader in(body); in.left() > 0;) {
    const auto avp = next_avp(in);
    if (!avp) return tl::unexpected(avp.error());
    avps.push_back(*avp);
  }
  return avps;
}

void put_avp(wire::Writer& out, const Avp& avp) {
  const auto value = avp.value.first(std::min(avp.value.size(), longest_avp_value));
  const auto flags =
      (avp.mandatory ? 0x8000u : 0u) | (avp.hidden ? 0x4000u : 0u) | (avp.reserved & 0xfu) << 10;
  out.u16(static_cast<std::uint16_t>(flags | (value.size() + avp_header_size)));
  out.u16(avp.vendor);
  out.u16(avp.type);
  out.bytes(value);
}

}  // namespace l2tp
