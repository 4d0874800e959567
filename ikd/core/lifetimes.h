#pragma once
// When an SA is renewed and when it ends. Pure functions of what was agreed.

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "xfrm/types.h"

namespace ike {

/// How long an old inbound SA stays after its Delete: what was sent before may still be on its way.
inline constexpr auto inbound_linger = std::chrono::seconds(10);

/// How long after its installation an SA of this lifetime is renewed by us, if the client has not done it:
/// close to the end, since clients renew at 80 to 95 % of it (clients.md §2, strongSwan's margin), but with
/// time for an exchange that needs repetitions. `random` spreads the peers.
base::Duration soft_time(std::chrono::seconds lifetime, std::uint32_t random);

/// The kernel's limits of an ESP SA. The hard time limit is a safety net behind our own timer. Bytes: the
/// client's `kilobytes` (of 1024 bytes, RFC 2407 §4.5) and generously more, so that it renews first, or
/// `own_kilobytes` (zero: none) where that is less; hard is four times soft. Packets end before their 32-bit
/// sequence number would repeat (RFC 4303 §3.3.3; IKEv1 clients have no ESN).
xfrm::Lifetimes kernel_limits(std::chrono::seconds lifetime, std::optional<std::uint64_t> kilobytes,
                              std::uint64_t own_kilobytes = 0);

}  // namespace ike
