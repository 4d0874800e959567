#include "ike/v1/identification.h"

#include "wire/reader.h"

namespace ike::v1 {
namespace {

/// The data size that a type demands; none where it is free.
std::optional<std::size_t> fixed_size(IdType type) {
  switch (type) {
    case IdType::ipv4_addr: return 4;
    case IdType::ipv4_addr_subnet: return 8;
    case IdType::ipv6_addr: return 16;
    default: return std::nullopt;
  }
}

bool printable(ByteView bytes) {
  return !bytes.empty() && std::ranges::all_of(bytes, [](std::uint8_t b) { return b > 0x20 && b < 0x7f; });
}

}  // namespace

std::optional<base::Address> Identification::address() const {
  if (type != IdType::ipv4_addr && type != IdType::ipv6_addr) return std::nullopt;
  return base::Address::from_bytes(data);
}

Decoded<Identification> decode_identification(ByteView body) {
  wire::Reader in(body);
  Identification id;
  id.type = IdType{in.u8()};
  id.protocol = in.u8();
  id.port = in.u16();
  if (!in.ok()) return tl::unexpected(Malformed::bad_identification);
  id.data = in.rest();
  const auto size = fixed_size(id.type);
  if (size && id.data.size() != *size) return tl::unexpected(Malformed::bad_identification);
  return id;
}

Bytes name_in(ByteView body) {
  auto out = base::to_bytes(body.first(1));
  if (body.size() > 4) base::append(out, body.subspan(4));
  return out;
}

Bytes encode_identification(const Identification& id) {
  wire::Writer out;
  out.u8(static_cast<std::uint8_t>(id.type));
  out.u8(id.protocol);
  out.u16(id.port);
  out.bytes(id.data);
  return out.take();
}

Identification identification_of(const base::Address& address) {
  return {.type = address.is_v4() ? IdType::ipv4_addr : IdType::ipv6_addr,
          .protocol = 0,
          .port = 0,
          .data = address.bytes()};
}

std::string describe(const Identification& id) {
  if (const auto address = id.address()) return address->to_string();
  const auto shown = id.data.first(std::min<std::size_t>(id.data.size(), 128));
  return printable(shown) ? std::string(base::as_text(shown)) : "0x" + base::hex(shown);
}

}  // namespace ike::v1
