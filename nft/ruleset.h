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

/// The ruleset with its definitions replaced. `alias_range` is IPv4; `services` are those beside L2TP.
std::string ruleset(std::uint32_t mark_mask, const base::Prefix& alias_range,
                    const std::vector<Service>& services = {});

}  // namespace nft
