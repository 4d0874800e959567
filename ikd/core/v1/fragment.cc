#include "ike/v1/fragment.h"

#include "wire/reader.h"

namespace ike::v1 {
namespace {

constexpr std::uint8_t last_fragment = 1;
constexpr std::size_t overhead = header_size + 4 + 4;  // generic header; id, number, flags
constexpr std::size_t most_fragments = 255;

}  // namespace

Decoded<Fragment> decode_fragment(ByteView body) {
  wire::Reader in(body);
  Fragment out;
  out.id = in.u16();
  out.number = in.u8();
  out.last = (in.u8() & last_fragment) != 0;
  if (!in.ok()) return tl::unexpected(Malformed::bad_fragment);
  out.data = in.rest();
  if (out.number == 0 || out.data.empty()) return tl::unexpected(Malformed::bad_fragment);
  return out;
}

std::vector<Bytes> split(ByteView message, std::size_t most) {
  auto header = decode_header(message);
  const auto room = most > overhead ? most - overhead : 1;
  if (!header || (message.size() + room - 1) / room > most_fragments) return {};
  header->next = PayloadType::fragment;
  header->flags = 0;
  header->message_id = {};
  if (header->exchange != Exchange::aggressive) header->exchange = Exchange::main_mode;
  std::vector<Bytes> out;
  while (!message.empty()) {
    const auto piece = message.first(std::min(room, message.size()));
    message = message.subspan(piece.size());
    header->length = static_cast<std::uint32_t>(overhead + piece.size());
    wire::Writer datagram;
    put_header(datagram, *header);
    wire::Writer body;
    body.u16(1);
    body.u8(static_cast<std::uint8_t>(out.size() + 1));
    body.u8(message.empty() ? last_fragment : 0);
    body.bytes(piece);
    put_chain(datagram, {{PayloadType::fragment, body.view()}});
    out.push_back(datagram.take());
  }
  return out;
}

}  // namespace ike::v1
