#pragma once
// The numbers of RFC 2661 as types: ids, sequence numbers, message types, attributes, result codes.

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "base/address.h"
#include "base/bytes.h"
#include "base/id.h"

namespace l2tp {

using base::Bytes;
using base::ByteView;
using base::Endpoint;
using base::Mark;

using TunnelId = base::Id<struct TunnelIdTag, std::uint16_t>;
using SessionId = base::Id<struct SessionIdTag, std::uint16_t>;

/// Ns and Nr (RFC 2661 §5.8): numbers on a circle, half of which lies before any of them.
class SeqNo {
 public:
  constexpr SeqNo() = default;
  constexpr explicit SeqNo(std::uint16_t v) : v_(v) {}
  constexpr bool operator==(const SeqNo&) const = default;
  constexpr bool precedes(SeqNo later) const {
    const auto d = static_cast<std::uint16_t>(later.v_ - v_);
    return d != 0 && d < 0x8000;
  }
  /// How far behind this one `later` lies; 0xffff is "just before".
  constexpr std::uint16_t distance_to(SeqNo later) const { return static_cast<std::uint16_t>(later.v_ - v_); }
  constexpr SeqNo next() const { return SeqNo(static_cast<std::uint16_t>(v_ + 1)); }
  constexpr std::uint16_t value() const { return v_; }

 private:
  std::uint16_t v_ = 0;
};
static_assert(SeqNo(0xfffe).precedes(SeqNo(1)) && !SeqNo(1).precedes(SeqNo(0xfffe)));

/// RFC 2661 §3.2.
enum class MessageType : std::uint16_t {
  none = 0,
  SCCRQ = 1,
  SCCRP = 2,
  SCCCN = 3,
  StopCCN = 4,
  HELLO = 6,
  OCRQ = 7,
  OCRP = 8,
  OCCN = 9,
  ICRQ = 10,
  ICRP = 11,
  ICCN = 12,
  CDN = 14,
  WEN = 15,
  SLI = 16
};
inline constexpr std::array all_message_types{
    MessageType::SCCRQ, MessageType::SCCRP, MessageType::SCCCN, MessageType::StopCCN, MessageType::HELLO,
    MessageType::OCRQ,  MessageType::OCRP,  MessageType::OCCN,  MessageType::ICRQ,    MessageType::ICRP,
    MessageType::ICCN,  MessageType::CDN,   MessageType::WEN,   MessageType::SLI};

/// RFC 2661 §4.4.2, Result Code AVP in StopCCN.
enum class StopResult : std::uint16_t {
  general = 1,
  general_error = 2,
  already_exists = 3,
  not_authorized = 4,
  version_not_supported = 5,
  shutting_down = 6,
  fsm_error = 7
};

/// RFC 2661 §4.4.2, Result Code AVP in CDN.
enum class CallResult : std::uint16_t {
  lost_carrier = 1,
  general_error = 2,
  administrative = 3,
  no_facilities_now = 4,
  no_facilities = 5
};

/// RFC 2661 §4.4.2, general error codes.
enum class GeneralError : std::uint16_t {
  none = 0,
  length_wrong = 2,
  value_out_of_range = 3,
  insufficient_resources = 4,
  invalid_session_id = 5,
  vendor_specific = 6,
  unknown_mandatory_avp = 8
};

/// Why a tunnel or a call ends, as the Result Code AVP carries it; `code` is a StopResult or a CallResult.
struct Ending {
  std::uint16_t code = 0;
  std::uint16_t error = 0;
  std::string message;

  bool operator==(const Ending&) const = default;
};
inline Ending stop(StopResult code, std::string message, GeneralError error = GeneralError::none) {
  return {static_cast<std::uint16_t>(code), static_cast<std::uint16_t>(error), std::move(message)};
}
inline Ending hang_up(CallResult code, std::string message, GeneralError error = GeneralError::none) {
  return {static_cast<std::uint16_t>(code), static_cast<std::uint16_t>(error), std::move(message)};
}

/// Whose limits count. Of IPsec peers the mark says who they are; in clear text the address is all there is,
/// and over IPv6 who has one has its /64.
using Peer = std::pair<Mark, base::Address>;
inline Peer peer_of(Mark mark, const Endpoint& remote) {
  if (mark.value != 0) return {mark, base::Address()};
  return {mark, remote.address.source()};
}

/// Why a datagram had no effect; the names are the metrics' (l2tp_dropped_total{reason="…"}).
enum class DropReason : std::uint8_t {
  malformed_header,
  data_message,
  other_version,
  malformed_sccrq,
  not_sccrq,
  no_such_tunnel,
  wrong_mark,
  wrong_endpoint,
  no_such_session,
  duplicate,
  outside_window,
  bad_ack,
  too_many_tunnels,
  too_often,
  crowded_out,  ///< a tunnel without SCCCN that gave way to newer ones
  no_free_tunnel_id,
  peer_has_ipsec  ///< in clear text, over IPv6, from where an IPsec peer's tunnel stands
};
inline constexpr std::array drop_reason_names{
    "malformed_header",  "data_message",  "other_version",    "malformed_sccrq", "not_sccrq",
    "no_such_tunnel",    "wrong_mark",    "wrong_endpoint",   "no_such_session", "duplicate",
    "outside_window",    "bad_ack",       "too_many_tunnels", "too_often",       "crowded_out",
    "no_free_tunnel_id", "peer_has_ipsec"};

class Counters {
 public:
  void count(DropReason reason) { ++dropped_[static_cast<std::size_t>(reason)]; }
  std::uint64_t dropped(DropReason reason) const { return dropped_[static_cast<std::size_t>(reason)]; }
  const std::array<std::uint64_t, drop_reason_names.size()>& all() const { return dropped_; }

 private:
  std::array<std::uint64_t, drop_reason_names.size()> dropped_{};
};

/// A received UDP payload. `mark` is within our mask; zero means that it came through none of our SAs.
struct Datagram {
  Endpoint from;
  Endpoint to;
  Mark mark;
  ByteView bytes;
};

/// Evenly distributed 16-bit numbers that a peer cannot foresee.
using Random = std::function<std::uint16_t()>;

}  // namespace l2tp
