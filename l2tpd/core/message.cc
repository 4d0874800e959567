#include "l2tp/message.h"

#include <fmt/format.h>

#include "l2tp/avp.h"

namespace l2tp {
namespace {

constexpr std::uint16_t flag_T = 0x8000;
constexpr std::uint16_t flag_L = 0x4000;
constexpr std::uint16_t flag_S = 0x0800;
constexpr std::uint16_t flag_O = 0x0200;
constexpr std::uint16_t version_mask = 0x000f;
constexpr std::uint16_t version_2 = 2;

/// Fixed-size numbers: false when the value is not exactly that long.
template <class T>
bool take(ByteView value, std::optional<T>& out) {
  if (value.size() != sizeof(T)) return false;
  std::uint64_t number = 0;
  for (const auto b : value) number = number << 8 | b;
  out = static_cast<T>(number);
  return true;
}

template <class Tag>
bool take(ByteView value, std::optional<base::Id<Tag, std::uint16_t>>& out) {
  std::optional<std::uint16_t> number;
  if (!take(value, number)) return false;
  out = base::Id<Tag, std::uint16_t>(*number);
  return true;
}

bool take_result(ByteView value, std::optional<Ending>& out) {
  wire::Reader in(value);
  Ending ending{.code = in.u16(), .error = 0, .message = {}};
  if (!in.ok()) return false;
  if (in.left() > 0) ending.error = in.u16();
  if (!in.ok()) return false;
  ending.message = base::as_text(in.rest());
  out = std::move(ending);
  return true;
}

/// False when the value does not have the attribute's length.
bool take_attribute(Attribute attribute, ByteView value, Message& out) {
  switch (attribute) {
    case Attribute::result_code: return take_result(value, out.result);
    case Attribute::protocol_version: return take(value, out.protocol_version);
    case Attribute::framing_capabilities: return take(value, out.framing_capabilities);
    case Attribute::bearer_capabilities: return take(value, out.bearer_capabilities);
    case Attribute::tie_breaker: return take(value, out.tie_breaker);
    case Attribute::firmware_revision: return take(value, out.firmware_revision);
    case Attribute::assigned_tunnel_id: return take(value, out.assigned_tunnel_id);
    case Attribute::receive_window_size: return take(value, out.receive_window_size);
    case Attribute::assigned_session_id: return take(value, out.assigned_session_id);
    case Attribute::call_serial_number: return take(value, out.call_serial_number);
    case Attribute::framing_type: return take(value, out.framing_type);
    case Attribute::tx_connect_speed: return take(value, out.tx_connect_speed);
    case Attribute::host_name: out.host_name = value; return true;
    case Attribute::vendor_name: out.vendor_name = value; return true;
    case Attribute::challenge: out.challenge = value; return true;
    case Attribute::challenge_response: out.challenge_response = value; return true;
    case Attribute::called_number: out.called_number = value; return true;
    case Attribute::calling_number: out.calling_number = value; return true;
    case Attribute::sequencing_required: out.sequencing_required = true; return value.empty();
    default: return true;  // known to the RFC, of no use to us: proxy authentication, speeds, errors
  }
}

std::optional<GeneralError> judge(const Avp& avp, Message& out) {
  // §4.1 and §4.3: reserved bits, foreign vendors, unknown types, and values that are hidden from us.
  if (avp.reserved != 0 || avp.vendor != 0 || avp.type > last_attribute || avp.hidden)
    return GeneralError::unknown_mandatory_avp;
  if (!take_attribute(static_cast<Attribute>(avp.type), avp.value, out)) return GeneralError::length_wrong;
  return std::nullopt;
}

void put(wire::Writer& out, bool mandatory, Attribute attribute, ByteView value) {
  put_avp(out, {.mandatory = mandatory,
                .hidden = false,
                .reserved = 0,
                .vendor = 0,
                .type = static_cast<std::uint16_t>(attribute),
                .value = value});
}

void put(wire::Writer& out, bool mandatory, Attribute attribute, const std::optional<ByteView>& value) {
  if (value) put(out, mandatory, attribute, *value);
}

template <class T>
requires std::is_unsigned_v<T>
void put(wire::Writer& out, bool mandatory, Attribute attribute, const std::optional<T>& value) {
  if (!value) return;
  std::array<std::uint8_t, sizeof(T)> bytes{};
  for (std::size_t i = 0; i < sizeof(T); ++i)
    bytes[i] = static_cast<std::uint8_t>(std::uint64_t{*value} >> (8 * (sizeof(T) - 1 - i)));
  put(out, mandatory, attribute, ByteView(bytes));
}

template <class Tag>
void put(wire::Writer& out, bool mandatory, Attribute attribute,
         const std::optional<base::Id<Tag, std::uint16_t>>& id) {
  if (id) put(out, mandatory, attribute, std::optional(id->value));
}

void put(wire::Writer& out, const Ending& ending) {
  wire::Writer value;
  value.u16(ending.code);
  // The shortest form that says it all: the error code may be left out only where no message follows it.
  if (ending.error != 0 || !ending.message.empty()) value.u16(ending.error);
  value.bytes(base::as_bytes(ending.message));
  put(out, true, Attribute::result_code, value.view());
}

}  // namespace

base::Result<Header, DropReason> decode_header(ByteView datagram) {
  wire::Reader in(datagram);
  const auto flags = in.u16();
  if (!in.ok()) return tl::unexpected(DropReason::malformed_header);
  if ((flags & version_mask) != version_2) return tl::unexpected(DropReason::other_version);
  if ((flags & flag_T) == 0) return tl::unexpected(DropReason::data_message);
  constexpr auto required = flag_L | flag_S;
  if ((flags & required) != required || (flags & flag_O) != 0)
    return tl::unexpected(DropReason::malformed_header);
  const std::size_t length = in.u16();
  Header header{.tunnel = TunnelId(in.u16()),
                .session = SessionId(in.u16()),
                .ns = SeqNo(in.u16()),
                .nr = SeqNo(in.u16()),
                .body = {}};
  if (!in.ok() || length < control_header_size) return tl::unexpected(DropReason::malformed_header);
  header.body = in.bytes(length - control_header_size);
  if (!in.ok()) return tl::unexpected(DropReason::malformed_header);
  return header;
}

Bytes encode(const Header& header) {
  wire::Writer out;
  out.u16(flag_T | flag_L | flag_S | version_2);
  out.u16(static_cast<std::uint16_t>(control_header_size + header.body.size()));
  out.u16(header.tunnel.value);
  out.u16(header.session.value);
  out.u16(header.ns.value());
  out.u16(header.nr.value());
  out.bytes(header.body);
  return out.take();
}

std::string Fault::sentence() const {
  const auto name =
      vendor == 0 ? fmt::format("AVP {}", attribute) : fmt::format("AVP {} of vendor {}", attribute, vendor);
  if (hidden) return name + " is hidden and cannot be read";
  switch (error) {
    case GeneralError::length_wrong: return name + " has the wrong length";
    case GeneralError::value_out_of_range: return name + " has a value out of range";
    default: return name + " is mandatory and not understood";
  }
}

Message decode(ByteView body) {
  Message out;
  bool first = true;
  const auto fault = [&out](GeneralError error, std::uint16_t vendor, std::uint16_t attribute,
                            bool hidden = false) {
    if (!out.fault) out.fault = Fault{error, vendor, attribute, hidden};
  };
  for (wire::Reader in(body); in.left() > 0; first = false) {
    const auto avp = next_avp(in);
    if (!avp) {
      fault(GeneralError::length_wrong, 0, 0);
      break;
    }
    const bool is_type = avp->vendor == 0 && avp->type == static_cast<std::uint16_t>(Attribute::message_type);
    if (first != is_type) {
      // §4.4.1: the Message Type AVP is the first, and there is one.
      fault(GeneralError::value_out_of_range, avp->vendor, avp->type);
      if (first) break;
      continue;
    }
    if (is_type) {
      std::optional<std::uint16_t> number;
      if (avp->hidden || !take(avp->value, number)) {
        fault(GeneralError::length_wrong, 0, 0);
        break;
      }
      out.type = static_cast<MessageType>(*number);
      out.type_is_mandatory = avp->mandatory;
      continue;
    }
    if (const auto error = judge(*avp, out); error && avp->mandatory)
      fault(*error, avp->vendor, avp->type, avp->hidden);
  }
  return out;
}

Bytes encode(const Message& m) {
  wire::Writer out;
  put(out, m.type_is_mandatory, Attribute::message_type, std::optional(static_cast<std::uint16_t>(m.type)));
  if (m.result) put(out, *m.result);
  put(out, true, Attribute::protocol_version, m.protocol_version);
  put(out, true, Attribute::framing_capabilities, m.framing_capabilities);
  put(out, true, Attribute::bearer_capabilities, m.bearer_capabilities);
  put(out, false, Attribute::tie_breaker, m.tie_breaker);
  put(out, false, Attribute::firmware_revision, m.firmware_revision);
  put(out, true, Attribute::host_name, m.host_name);
  put(out, false, Attribute::vendor_name, m.vendor_name);
  put(out, true, Attribute::assigned_tunnel_id, m.assigned_tunnel_id);
  put(out, true, Attribute::receive_window_size, m.receive_window_size);
  put(out, true, Attribute::challenge, m.challenge);
  put(out, true, Attribute::challenge_response, m.challenge_response);
  put(out, true, Attribute::assigned_session_id, m.assigned_session_id);
  put(out, true, Attribute::call_serial_number, m.call_serial_number);
  put(out, true, Attribute::framing_type, m.framing_type);
  put(out, true, Attribute::called_number, m.called_number);
  put(out, true, Attribute::calling_number, m.calling_number);
  put(out, true, Attribute::tx_connect_speed, m.tx_connect_speed);
  if (m.sequencing_required) put(out, true, Attribute::sequencing_required, ByteView());
  return out.take();
}

std::string to_string(MessageType type) {
  switch (type) {
    case MessageType::none: break;
    case MessageType::SCCRQ: return "SCCRQ";
    case MessageType::SCCRP: return "SCCRP";
    case MessageType::SCCCN: return "SCCCN";
    case MessageType::StopCCN: return "StopCCN";
    case MessageType::HELLO: return "HELLO";
    case MessageType::OCRQ: return "OCRQ";
    case MessageType::OCRP: return "OCRP";
    case MessageType::OCCN: return "OCCN";
    case MessageType::ICRQ: return "ICRQ";
    case MessageType::ICRP: return "ICRP";
    case MessageType::ICCN: return "ICCN";
    case MessageType::CDN: return "CDN";
    case MessageType::WEN: return "WEN";
    case MessageType::SLI: return "SLI";
  }
  return fmt::format("message {}", static_cast<std::uint16_t>(type));
}

}  // namespace l2tp
