#include "l2tpd/refusals.h"

#include <string>

#include <fmt/format.h>

#include "base/event_log.h"
#include "l2tpd/links.h"

namespace l2tpd {
namespace {

using base::Severity;

std::string sentence(const l2tp::TunnelName& tunnel, Refusal refusal, std::string_view user,
                     std::string_view why) {
  const auto who = words_for(tunnel);
  if (!user.empty()) return fmt::format("User '{}' of {} is refused: {}.", user, who, why);
  switch (refusal) {
    case Refusal::tunnel_over_limit:
    case Refusal::tunnel_unanswered:
    case Refusal::tunnel_not_authorized:
    case Refusal::tunnel_malformed:
    case Refusal::tunnel_not_in_kernel:
      return fmt::format("Tunnel {} with {} is down: {}.", tunnel.id.value, who, why);
    case Refusal::call_refused: return fmt::format("A call of {} is refused: {}.", who, why);
    default: return fmt::format("PPP with {} did not come up: {}.", who, why);
  }
}

/// The host's own failures are worth more than a client's.
Severity severity_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::ppp_not_startable:
    case Refusal::tunnel_not_in_kernel:
    case Refusal::link_not_watched: return Severity::error;
    default: return Severity::notice;
  }
}

}  // namespace

void Refusals::tell(const l2tp::TunnelName& tunnel, Refusal refusal, std::string_view user,
                    std::string_view why) {
  metrics_.count(refusal);
  chronicle_.note(
      tunnel,
      {.what = Happening::refused,
       .text = user.empty() ? std::string(why) : fmt::format("user '{}' is refused: {}", user, why),
       .user = user.empty() ? std::nullopt : std::optional(std::string(user)),
       .refusal = refusal},
      control::unix_milliseconds());
  if (!quiet_.may_write(tunnel, base::Clock::now())) return;
  base::log(severity_of(refusal), sentence(tunnel, refusal, user, why),
            {{"MARK", mark_field(tunnel)},
             {"USER", std::string(user)},
             {"REFUSAL", std::string(name_of(refusal))}});
}

void Refusals::tell(const l2tp::CallRefused& call) { tell(call.tunnel, Refusal::call_refused, {}, call.why); }

bool Refusals::tell(const l2tp::TunnelDown& down) {
  const auto refusal = refusal_behind(down);
  if (refusal != Refusal::none) tell(down.tunnel, refusal, {}, down.why);
  return refusal != Refusal::none;
}

}  // namespace l2tpd
