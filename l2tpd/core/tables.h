#pragma once
// The state tables of RFC 2661, as far as they concern an LNS that answers incoming calls. Rows in the RFC's
// order; what no row names is decided at the end of each lookup.

#include <cstdint>

#include "l2tp/types.h"

namespace l2tp {

enum class TunnelState : std::uint8_t { idle, wait_ctl_conn, established, closing };
enum class TunnelStep : std::uint8_t {
  accept_SCCRQ,
  accept_SCCCN,
  stop,      ///< send StopCCN with result 7 (FSM error), clean up
  clean_up,  ///< the peer has ended it: acknowledge, forget
  to_session,
  acknowledge,  ///< nothing but the acknowledgement
  drop
};
struct TunnelRow {
  TunnelState state;
  MessageType message;
  TunnelStep step;
  TunnelState next;
};

/// §7.2.1.
inline constexpr std::array tunnel_table{
    TunnelRow{TunnelState::idle, MessageType::SCCRQ, TunnelStep::accept_SCCRQ, TunnelState::wait_ctl_conn},
    TunnelRow{TunnelState::idle, MessageType::SCCRP, TunnelStep::drop, TunnelState::idle},
    TunnelRow{TunnelState::idle, MessageType::SCCCN, TunnelStep::drop, TunnelState::idle},
    TunnelRow{TunnelState::idle, MessageType::StopCCN, TunnelStep::drop, TunnelState::idle},
    TunnelRow{TunnelState::wait_ctl_conn, MessageType::SCCCN, TunnelStep::accept_SCCCN,
              TunnelState::established},
    TunnelRow{TunnelState::wait_ctl_conn, MessageType::StopCCN, TunnelStep::clean_up, TunnelState::closing},
    TunnelRow{TunnelState::wait_ctl_conn, MessageType::HELLO, TunnelStep::acknowledge,
              TunnelState::wait_ctl_conn},
    // SCCRP, SCCRQ and every call: before the tunnel stands nothing but SCCCN is due.
    TunnelRow{TunnelState::established, MessageType::StopCCN, TunnelStep::clean_up, TunnelState::closing},
    TunnelRow{TunnelState::established, MessageType::HELLO, TunnelStep::acknowledge,
              TunnelState::established},
    TunnelRow{TunnelState::established, MessageType::OCRQ, TunnelStep::to_session, TunnelState::established},
    TunnelRow{TunnelState::established, MessageType::OCRP, TunnelStep::to_session, TunnelState::established},
    TunnelRow{TunnelState::established, MessageType::OCCN, TunnelStep::to_session, TunnelState::established},
    TunnelRow{TunnelState::established, MessageType::ICRQ, TunnelStep::to_session, TunnelState::established},
    TunnelRow{TunnelState::established, MessageType::ICRP, TunnelStep::to_session, TunnelState::established},
    TunnelRow{TunnelState::established, MessageType::ICCN, TunnelStep::to_session, TunnelState::established},
    TunnelRow{TunnelState::established, MessageType::CDN, TunnelStep::to_session, TunnelState::established},
    TunnelRow{TunnelState::established, MessageType::WEN, TunnelStep::to_session, TunnelState::established},
    TunnelRow{TunnelState::established, MessageType::SLI, TunnelStep::to_session, TunnelState::established},
};

constexpr TunnelRow lookup(TunnelState state, MessageType message) {
  for (const auto& row : tunnel_table) {
    if (row.state == state && row.message == message) return row;
  }
  if (state == TunnelState::idle) return {state, message, TunnelStep::drop, TunnelState::idle};
  // §5.7: what comes after StopCCN is acknowledged, so that the peer comes to rest.
  if (state == TunnelState::closing) return {state, message, TunnelStep::acknowledge, TunnelState::closing};
  return {state, message, TunnelStep::stop, TunnelState::closing};
}
static_assert(lookup(TunnelState::idle, MessageType::HELLO).step == TunnelStep::drop);
static_assert(lookup(TunnelState::established, MessageType::SCCRQ).step == TunnelStep::stop);

enum class CallState : std::uint8_t { idle, wait_connect, established };
enum class CallStep : std::uint8_t {
  accept_ICRQ,
  accept_ICCN,
  refuse,    ///< send CDN
  hang_up,   ///< send CDN with the words "out of place", clean up
  clean_up,  ///< the peer has ended it
  acknowledge
};
struct CallRow {
  CallState state;
  MessageType message;
  CallStep step;
  CallState next;
};

/// §7.4.2, and from §7.5.1 that we take no outgoing calls.
inline constexpr std::array call_table{
    CallRow{CallState::idle, MessageType::ICRQ, CallStep::accept_ICRQ, CallState::wait_connect},
    CallRow{CallState::idle, MessageType::ICRP, CallStep::acknowledge, CallState::idle},
    CallRow{CallState::idle, MessageType::ICCN, CallStep::acknowledge, CallState::idle},
    CallRow{CallState::idle, MessageType::OCRQ, CallStep::refuse, CallState::idle},
    CallRow{CallState::wait_connect, MessageType::ICCN, CallStep::accept_ICCN, CallState::established},
    CallRow{CallState::wait_connect, MessageType::ICRQ, CallStep::hang_up, CallState::idle},
    CallRow{CallState::wait_connect, MessageType::ICRP, CallStep::hang_up, CallState::idle},
    CallRow{CallState::idle, MessageType::CDN, CallStep::acknowledge, CallState::idle},
    CallRow{CallState::wait_connect, MessageType::CDN, CallStep::clean_up, CallState::idle},
    CallRow{CallState::established, MessageType::CDN, CallStep::clean_up, CallState::idle},
    CallRow{CallState::established, MessageType::ICRQ, CallStep::hang_up, CallState::idle},
    CallRow{CallState::established, MessageType::ICRP, CallStep::hang_up, CallState::idle},
    CallRow{CallState::established, MessageType::ICCN, CallStep::hang_up, CallState::idle},
};

constexpr CallRow lookup(CallState state, MessageType message) {
  for (const auto& row : call_table) {
    if (row.state == state && row.message == message) return row;
  }
  const bool outgoing =
      message == MessageType::OCRQ || message == MessageType::OCRP || message == MessageType::OCCN;
  if (outgoing && state != CallState::idle) return {state, message, CallStep::hang_up, CallState::idle};
  return {state, message, CallStep::acknowledge, state};  // WEN and SLI tell a modem's troubles
}
static_assert(lookup(CallState::established, MessageType::SLI).step == CallStep::acknowledge);

}  // namespace l2tp
