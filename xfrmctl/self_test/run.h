#pragma once
// The self-test itself: inside the sandbox, the installed daemons serve two clients behind one NAT.

#include <functional>

#include "config/config.h"
#include "self_test/verdicts.h"

namespace self_test {

/// Of `config` it takes [marks] and ppp.plugin. Each verdict is told as soon as it is there; what could not
/// be tried after one that does not hold is not told.
void run(const config::Config& config, const std::function<void(const Verdict&)>& tell);

}  // namespace self_test
