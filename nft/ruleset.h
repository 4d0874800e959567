#pragma once
// sameroof.nft as a text, for configurations with marks or aliases of their own (`ikd --ruleset`).

#include <cstdint>
#include <string>

#include "base/address.h"

namespace nft {

/// The ruleset with its three definitions replaced. `alias_range` is IPv4.
std::string ruleset(std::uint32_t mark_mask, const base::Prefix& alias_range);

}  // namespace nft
