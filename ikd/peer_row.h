#pragma once
// A peer as `xfrmctl peers` and l2tpd see it. Pure: what the kernel has counted comes as an argument.

#include <vector>

#include "control/rows.h"
#include "ike/isakmp_sa.h"
#include "ike/peers.h"

namespace ikd {

/// What row_of() needs the statistics of, two for each pair.
std::vector<xfrm::SaId> counted_sas_of(const ike::Peer& peer);
/// `newest`: its newest ISAKMP SA, if it still has one; `counted`: in the order of counted_sas_of().
control::Peer row_of(const ike::Peer& peer, const ike::IsakmpSa* newest,
                     const std::vector<xfrm::SaStatistics>& counted, base::Time now);
/// What is left to say of one that is no more.
control::Peer row_of_gone(const ike::Event& event, const base::Address& alias);

}  // namespace ikd
