#pragma once
// A configuration that takes the place of another while peers are up. Pure.

#include <string>
#include <vector>

#include "config/config.h"
#include "ikd/provision.h"

namespace ikd {

/// Refuses what only a restart can change, by its key.
base::Result<void> check_reload(const config::Config& before, const config::Config& after);

/// What is different, a line each: "+ PSK guests", "- certificate class staff", "~ [ike]", "~
/// ike.revocation". Secrets are not compared: a sentence about them is nobody's business.
std::vector<std::string> changes(const Loaded& before, const Loaded& after);
/// The same for a sentence.
std::string summary(const std::vector<std::string>& changes);

}  // namespace ikd
