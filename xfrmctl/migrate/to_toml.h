#pragma once
// An old setup as our two files.

#include <string>

#include "migrate/old_setup.h"

namespace migrate {

/// sameroof.toml, with a comment for whatever was lost. Adds to `setup.lost` what only shows now. No secrets.
std::string to_toml(OldSetup& setup);
/// secrets.toml.
base::Secret to_secrets(const OldSetup& setup);

}  // namespace migrate
