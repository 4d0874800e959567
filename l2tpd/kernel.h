#pragma once
// The kernel's L2TP data path (kernel.md §3): a connected UDP socket becomes a tunnel, and a PPPoX socket a
// session of it. Both live as long as their descriptors.

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "l2tp/effect.h"

namespace l2tpd {

/// Hands `udp_socket` to the kernel; the descriptor returned keeps the tunnel known to PPPoX.
base::Result<base::Fd> make_kernel_tunnel(int udp_socket, const l2tp::TunnelName& tunnel);

enum class DataSequencing {
  none,
  both  ///< the peer required it (RFC 2661 §5.4): sequence numbers are sent and expected
};
/// What pppd runs on.
base::Result<base::Fd> make_kernel_session(int udp_socket, const l2tp::TunnelName& tunnel,
                                           const l2tp::SessionName& session, DataSequencing sequencing);

/// What the kernel knows of the way from `local` to `remote`: its interface's MTU, or less where a router
/// said so.
base::Result<std::uint16_t> path_mtu(const base::Address& local, const base::Address& remote);

/// What an interface sends from now on.
base::Result<void> set_mtu(const std::string& ifname, std::uint16_t mtu);

/// Whether the kernel can do all this; the sentence says what is missing, and why as far as that can be told.
base::Result<void> check_kernel();

// Its parts, for tests.

/// `error_number`: why there is no PPPoL2TP socket. `folders`: where modprobe(8) is configured.
base::Error no_pppol2tp(int error_number, const std::vector<std::string>& folders);
base::Result<void> check_ppp_device(const char* path);

}  // namespace l2tpd
