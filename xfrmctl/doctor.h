#pragma once
// `xfrmctl doctor`: what is wrong with this host.

#include "doctor/finding.h"
#include "xfrmctl/command.h"

namespace xfrmctl {

int run_doctor(const Options& options);

/// For people and for programs.
std::string findings_text(const doctor::Findings& findings);
std::string findings_json(const doctor::Findings& findings);
/// good, doubts or broken.
int verdict_of(const doctor::Findings& findings);

}  // namespace xfrmctl
