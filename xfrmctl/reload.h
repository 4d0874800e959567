#pragma once
// `xfrmctl reload`: what changes, and that it does.

#include <string>
#include <vector>

#include "xfrmctl/command.h"

namespace xfrmctl {

/// One line each, in colour for a terminal.
std::string changes_text(const std::vector<std::string>& changes, bool colour);

int run_reload(const Options& options);

}  // namespace xfrmctl
