#pragma once
// The files of a host that read_setup() may ask for.

#include "base/result.h"
#include "migrate/old_setup.h"

namespace migrate {

/// `root`: what stands before /etc, for the copy of another host; names in the answer are without it. Files
/// that are missing are left out; one that may not be read, or is too large, is an error.
base::Result<Files> old_files(const std::string& root);

}  // namespace migrate
