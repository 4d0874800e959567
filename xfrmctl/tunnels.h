#pragma once
// `xfrmctl tunnels` and `xfrmctl sessions`: what l2tpd serves, joined with the peers by mark.

#include <string>
#include <vector>

#include "control/rows.h"

namespace xfrmctl {

/// Ordered by mark and tunnel. A tunnel of mark 0 (without IPsec), or whose peer is not among `peers`, has
/// none.
std::string tunnels_json(std::vector<control::Tunnel> tunnels, const std::vector<control::Peer>& peers);
std::string tunnels_table(std::vector<control::Tunnel> tunnels, const std::vector<control::Peer>& peers);
std::string sessions_json(std::vector<control::Session> sessions, const std::vector<control::Peer>& peers);
std::string sessions_table(std::vector<control::Session> sessions, const std::vector<control::Peer>& peers);

}  // namespace xfrmctl
