#pragma once
// `xfrmctl peers`: one row per peer, what IKE, the kernel, L2TP and PPP know of it, joined by mark.

#include <optional>
#include <string>
#include <vector>

#include "control/rows.h"

namespace xfrmctl {

/// `tunnel` and `session` are the peer's newest; a peer may have none (yet).
struct PeerRow {
  control::Peer peer;
  std::optional<control::Tunnel> tunnel;
  std::optional<control::Session> session;
};

/// Tunnels without IPsec (mark 0) belong to no peer and are left out. Ordered by the peers' numbers.
std::vector<PeerRow> join(std::vector<control::Peer> peers, const std::vector<control::Tunnel>& tunnels,
                          const std::vector<control::Session>& sessions);

/// {"version": 1, "peers": […]}; what is not known is null. Counters are summed over the peer's SAs.
std::string peers_json(const std::vector<PeerRow>& rows);
/// A table of at most 120 columns with a line of headings; long names are cut.
std::string peers_table(const std::vector<PeerRow>& rows);

}  // namespace xfrmctl
