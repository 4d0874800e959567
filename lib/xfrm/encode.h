#pragma once
// XFRM requests as bytes (linux/xfrm.h); whoever holds CAP_NET_ADMIN sends them.

#include "netlink/request.h"
#include "xfrm/types.h"

namespace xfrm {

/// XFRM_MSG_NEWSA: refused with EEXIST where destination, SPI and mark are taken. An outbound SA that takes
/// the place of another goes on from what that one has `carried` and sent, and is as old.
nl::Request add_sa(const Sa& sa, const SaStatistics& carried = {});
/// XFRM_MSG_UPDSA: lifetimes, encap ports and set-mark of an installed SA change, its counters and
/// sequence numbers stay. Addresses and selector cannot change (kernel.md §5).
nl::Request update_sa(const Sa& sa);
nl::Request delete_sa(const SaId& id);
/// Answered by one SA.
nl::Request get_sa(const SaId& id);
/// Answered by every SA of the network namespace.
nl::Request dump_sas();

/// XFRM_MSG_NEWPOLICY: refused with EEXIST where selector, direction and mark are taken.
nl::Request add_policy(const Policy& policy);
/// XFRM_MSG_UPDPOLICY: adds it, or replaces the one of the same selector, direction and mark.
nl::Request update_policy(const Policy& policy);
nl::Request delete_policy(const PolicyId& id);
nl::Request dump_policies();

}  // namespace xfrm
