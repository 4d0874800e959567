#pragma once
// Starting another program.

#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "base/result.h"

namespace l2tpd {

/// Runs words[0] in a session of its own, with these descriptors of ours under the numbers beside them and no
/// others but the standard streams: where `descriptors` names none, /dev/null, and our own standard error.
base::Result<pid_t> spawn(const std::vector<std::string>& words,
                          const std::vector<std::pair<int, int>>& descriptors);

}  // namespace l2tpd
