#pragma once
// From the configuration to what the core wants to know.

#include "config/config.h"
#include "ike/engine.h"

namespace ikd {

/// An unknown proposal word is an error with its line.
base::Result<ike::Settings> settings_from(const config::Config& config);
/// Parts of the same that the broker needs, too.
ike::Numbering numbering_from(const config::Config& config);
std::vector<ike::Service> services_from(const config::Config& config);

}  // namespace ikd
