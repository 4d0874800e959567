#include "l2tpd/refusal.h"

#include <iterator>

namespace l2tpd {
namespace {

constexpr std::string_view names[] = {"none",
                                      "no_such_user",
                                      "wrong_password",
                                      "radius_refused",
                                      "radius_address_unusable",
                                      "peer_unknown",
                                      "bound_to_another_user",
                                      "too_many_sessions",
                                      "address_in_use",
                                      "pool_exhausted",
                                      "link_not_watched",
                                      "ppp_not_startable",
                                      "ppp_not_negotiated",
                                      "ppp_not_authenticated",
                                      "ppp_peer_silent",
                                      "ppp_failed",
                                      "call_refused",
                                      "tunnel_over_limit",
                                      "tunnel_unanswered",
                                      "tunnel_not_authorized",
                                      "tunnel_malformed",
                                      "tunnel_not_in_kernel"};
static_assert(std::size(names) == static_cast<std::size_t>(Refusal::count_));

}  // namespace

std::string_view name_of(Refusal refusal) { return names[static_cast<std::size_t>(refusal)]; }

Refusal refusal_behind(const l2tp::TunnelDown& down) {
  using l2tp::StopResult;
  const auto otherwise = down.stood ? Refusal::none : Refusal::tunnel_unanswered;
  if (!down.stop) return otherwise;
  switch (static_cast<StopResult>(down.stop->code)) {
    case StopResult::not_authorized: return Refusal::tunnel_not_authorized;
    case StopResult::general_error:
      if (down.stop->error != static_cast<std::uint16_t>(l2tp::GeneralError::insufficient_resources))
        return Refusal::tunnel_malformed;
      return down.stood ? Refusal::tunnel_not_in_kernel : Refusal::tunnel_over_limit;
    case StopResult::version_not_supported:
    case StopResult::fsm_error: return Refusal::tunnel_malformed;
    case StopResult::shutting_down: return Refusal::none;
    default: return otherwise;
  }
}

Refusal refusal_behind(std::string_view pppd_end) {
  if (pppd_end == "negotiation" || pppd_end == "loopback") return Refusal::ppp_not_negotiated;
  if (pppd_end == "authentication") return Refusal::ppp_not_authenticated;
  if (pppd_end == "peer_dead" || pppd_end == "hung_up" || pppd_end == "closed")
    return Refusal::ppp_peer_silent;
  return Refusal::ppp_failed;
}

}  // namespace l2tpd
