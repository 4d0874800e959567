#pragma once
// What the daemons answer on /run/sameroof/ikd and /run/sameroof/l2tpd. The rows' meaning is in rows.h.

#include "control/interface.h"

namespace control {

/// Status, ListPeers, PeerByMark, PeerByNumber, Monitor, Events, Attempts, Metrics, Terminate, CheckReload,
/// Reload.
extern const Interface ike_interface;
/// Status, ListTunnels, ListSessions, Events, Attempts, Metrics, Terminate, TerminateUser,
/// CheckReload, Reload.
extern const Interface l2tp_interface;

/// The `event` of the replies of ikd's Monitor: first a `present` for each row there is and one `settled`
/// (without a row), then the rest as they happen. After a reconnect, what was not `present` is gone.
namespace event {
inline constexpr std::string_view present = "present";
inline constexpr std::string_view settled = "settled";
inline constexpr std::string_view up = "up";
inline constexpr std::string_view changed = "changed";  ///< the peer's NAT moved it, or it was rekeyed
inline constexpr std::string_view down = "down";
}  // namespace event

inline constexpr std::string_view no_such_peer = "sameroof.Ike.NoSuchPeer";
inline constexpr std::string_view too_many_peers = "sameroof.Ike.TooManyPeers";
inline constexpr std::string_view too_many_tunnels = "sameroof.L2tp.TooManyTunnels";
inline constexpr std::string_view no_such_user = "sameroof.L2tp.NoSuchUser";
inline constexpr std::string_view refused_by_ike = "sameroof.Ike.Refused";
inline constexpr std::string_view refused = "sameroof.L2tp.Refused";

}  // namespace control
