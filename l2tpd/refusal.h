#pragma once
// Why a client that has IPsec, or needs none, gets no PPP link. Each has its entry in the catalogue of
// refusals, and a counter of its name.

#include <cstdint>
#include <string_view>

#include "l2tp/effect.h"

namespace l2tpd {

enum class Refusal : std::uint8_t {
  none,
  no_such_user,
  wrong_password,
  radius_refused,
  radius_address_unusable,
  peer_unknown,
  bound_to_another_user,
  too_many_sessions,
  address_in_use,
  pool_exhausted,
  link_not_watched,
  ppp_not_startable,
  ppp_not_negotiated,
  ppp_not_authenticated,
  ppp_peer_silent,
  ppp_failed,
  call_refused,
  tunnel_over_limit,
  tunnel_unanswered,
  tunnel_not_authorized,
  tunnel_malformed,
  tunnel_not_in_kernel,
  count_
};
std::string_view name_of(Refusal refusal);

/// None where it is no refusal.
Refusal refusal_behind(const l2tp::TunnelDown& down);
/// What is behind a pppd that ended before its link came up, by PppdEnd::name.
Refusal refusal_behind(std::string_view pppd_end);

}  // namespace l2tpd
