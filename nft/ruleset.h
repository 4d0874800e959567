#pragma once
// sameroof.nft as a text, for configurations with marks or aliases of their own (`ikd --ruleset`).

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.h"

namespace nft {

/// An IP protocol by its name ("udp", "tcp") and a port of it.
struct Service {
  std::string protocol;
  std::uint16_t port = 0;
};

/// Who marks what an L2TP daemon sends.
enum class Marking {
  daemon,    ///< l2tpd itself; or nobody, and the alias alone finds the SA
  conntrack  ///< connection tracking, for a daemon that knows nothing of marks
};

/// The ruleset with its definitions replaced. `alias_range` is IPv4; `services` are those beside L2TP.
std::string ruleset(std::uint32_t mark_mask, const base::Prefix& alias_range,
                    const std::vector<Service>& services = {}, Marking marking = Marking::daemon);

}  // namespace nft
