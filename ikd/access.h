#pragma once
// Whether another user can read a file, as far as modes tell.

#include <string>

#include <sys/types.h>

#include "base/result.h"

namespace ikd {

/// An error in words where that user surely cannot read the file at this absolute path: the file, or a folder
/// above it, is closed to everybody but somebody else. What an access list says shows in a group's bits.
base::Result<void> readable_for(const std::string& path, uid_t user);

}  // namespace ikd
