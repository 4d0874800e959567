#pragma once
// sameroof.nft as a text, for configurations with marks or aliases of their own (`ikd --ruleset`).

#include <string>

#include "config/config.h"

namespace nft {

/// The ruleset with the marks, the aliases and the [[service]]s of a configuration.
std::string ruleset(const config::Config& config);

}  // namespace nft
