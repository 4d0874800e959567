#pragma once
// `xfrmctl doctor --self-test`: that two clients behind one NAT can be served on this very host.

#include <span>
#include <string>

#include "self_test/verdicts.h"
#include "xfrmctl/command.h"

namespace xfrmctl {

int run_self_test(const Options& options);

/// For people, one at a time, and for programs.
std::string verdict_text(const self_test::Verdict& verdict);
std::string verdicts_json(std::span<const self_test::Verdict> verdicts);

}  // namespace xfrmctl
