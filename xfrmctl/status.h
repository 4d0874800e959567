#pragma once
// `xfrmctl status`: whether the daemons answer, and what they count.

#include <string>

#include "base/result.h"
#include "control/rows.h"

namespace xfrmctl {

/// One line: "ikd answers: version 0.1.0, pid 7, up 3 minutes, 4 peers", or why it does not.
std::string status_line(std::string_view daemon, const base::Result<control::Status>& status);
/// {"version": 1, "ikd": …, "l2tpd": …}; null for one that does not answer.
std::string status_json(const base::Result<control::Status>& ikd, const base::Result<control::Status>& l2tpd);

}  // namespace xfrmctl
