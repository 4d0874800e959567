#pragma once
// What the daemons answer, as values.

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "control/client.h"
#include "control/rows.h"

namespace xfrmctl {

using control::ask;
using control::ask_rows;

/// `run_dir`: the folder of the control sockets.
base::Result<control::Status> ask_ikd_status(const std::string& run_dir);
base::Result<control::Status> ask_l2tpd_status(const std::string& run_dir);
base::Result<std::vector<control::Peer>> ask_peers(const std::string& run_dir);
base::Result<std::vector<control::Session>> ask_sessions(const std::string& run_dir);
base::Result<std::vector<control::Tunnel>> ask_tunnels(const std::string& run_dir);

/// `method`: PeerByNumber or PeerByMark.
tl::expected<control::Peer, control::CallError> ask_peer(const std::string& run_dir, std::string_view method,
                                                         const control::Json& parameters);

/// Another daemon serves L2TP, and nobody misses l2tpd.
bool without_l2tpd(const base::Result<control::Status>& ikd);
/// Nobody comes with IPsec, and nobody misses ikd.
bool without_ikd(const base::Result<control::Status>& l2tpd);

}  // namespace xfrmctl
