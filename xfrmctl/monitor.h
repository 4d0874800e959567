#pragma once
// `xfrmctl monitor`: what happens in both daemons, as it happens.

#include "xfrmctl/command.h"

namespace xfrmctl {

int run_monitor(const Options& options);

}  // namespace xfrmctl
