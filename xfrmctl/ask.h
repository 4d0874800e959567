#pragma once
// What the daemons answer, as values.

#include <string>
#include <vector>

#include "base/result.h"
#include "control/rows.h"

namespace xfrmctl {

/// `run_dir`: the folder of the control sockets. Each call connects anew and gives up after ten seconds.
base::Result<control::Status> ask_ikd_status(const std::string& run_dir);
base::Result<control::Status> ask_l2tpd_status(const std::string& run_dir);
base::Result<std::vector<control::Peer>> ask_peers(const std::string& run_dir);
base::Result<std::vector<control::Session>> ask_sessions(const std::string& run_dir);
base::Result<std::vector<control::Tunnel>> ask_tunnels(const std::string& run_dir);

/// l2tpd reads its configuration again; what changed, in words.
base::Result<std::string> reload_l2tpd(const std::string& run_dir);

}  // namespace xfrmctl
