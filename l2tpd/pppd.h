#pragma once
// Starting pppd on a kernel session, and what its end means.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "base/fd.h"
#include "base/result.h"
#include "config/config.h"
#include "config/pppd_files.h"
#include "l2tp/effect.h"

namespace l2tpd {

enum class PppdLog {
  syslog_only,
  verbose  ///< also to our standard error, with every negotiation packet
};

struct PppdProgram {
  std::string path = config::pppd_path;
  PppdLog log = PppdLog::syslog_only;
};

/// What is particular to one session.
struct PppdTerms {
  std::uint16_t mtu = 0;                  ///< also the MRU: what both sides send is wrapped alike
  bool ipv6 = false;                      ///< IPV6CP beside IPCP
  std::string calling_station{};          ///< for RADIUS: tells the peer from others behind its NAT
  std::string radius_file{};              ///< configures pppd's RADIUS plugin; empty: RADIUS is not asked
  std::chrono::seconds echo_interval{0};  ///< between LCP Echo-Requests (RFC 1661 §5.8); zero: none
  std::chrono::seconds echo_patience{0};  ///< without an Echo-Reply, before the link ends
};

/// pppd's arguments; `session_fd` and `plugin_fd` are the numbers it inherits.
std::vector<std::string> pppd_arguments(const config::Ppp& ppp, const PppdTerms& terms,
                                        const l2tp::TunnelName& tunnel, const l2tp::SessionName& session,
                                        int session_fd, int plugin_fd, const PppdProgram& program);

/// Runs pppd in a session of its own with nothing inherited but the two sockets and the standard streams.
base::Result<pid_t> spawn_pppd(const config::Ppp& ppp, const PppdTerms& terms, const l2tp::TunnelName& tunnel,
                               const l2tp::SessionName& session, const base::Fd& kernel_session,
                               const base::Fd& plugin_channel, const PppdProgram& program);

/// Why a pppd ended.
struct PppdEnd {
  l2tp::Ending ending;    ///< the words of pppd(8), and the result code a CDN says it with
  std::string_view name;  ///< one word, as the counters have it: "idle"
};
/// `status` as in waitpid(2); `reason` is what pppd's status was when IPCP went down: at its exit it may have
/// found its channel closed, which is no reason then. Zero: none.
PppdEnd end_of_pppd(int status, std::uint8_t reason = 0);

}  // namespace l2tpd
