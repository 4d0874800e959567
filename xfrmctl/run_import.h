#pragma once
// `xfrmctl import`: another gateway's files as ours, on standard output.

#include "xfrmctl/command.h"

namespace xfrmctl {

int run_import(const Options& options);

}  // namespace xfrmctl
