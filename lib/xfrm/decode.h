#pragma once
// What the kernel says about SAs and policies, as values. Shape is checked, never policy: SAs of other
// daemons decode too.

#include <optional>
#include <variant>

#include "netlink/message.h"
#include "xfrm/types.h"

namespace xfrm {

/// XFRM_MSG_NEWSA. None for other messages, other protocols than ESP and malformed ones.
std::optional<InstalledSa> decode_sa(const nl::Message& message);

/// XFRM_MSG_NEWPOLICY. None also for policies that are no "ESP in transport or BEET mode, allowed": bypasses,
/// tunnels, socket policies.
std::optional<Policy> decode_policy(const nl::Message& message);

using Event = std::variant<Mapping, Expire, Acquire>;
/// XFRM_MSG_MAPPING, EXPIRE, ACQUIRE; none for anything else.
std::optional<Event> decode_event(const nl::Message& message);

}  // namespace xfrm
