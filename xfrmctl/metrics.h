#pragma once
// `xfrmctl metrics`: both daemons' counters for a monitoring system.

#include "xfrmctl/command.h"

namespace xfrmctl {

int run_metrics(const Options& options);

}  // namespace xfrmctl
