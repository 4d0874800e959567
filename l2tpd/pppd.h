#pragma once
// Starting pppd on a kernel session, and what its end means.

#include <string>
#include <vector>

#include <sys/types.h>

#include "base/fd.h"
#include "base/result.h"
#include "config/config.h"
#include "l2tp/effect.h"

namespace l2tpd {

enum class PppdLog {
  syslog_only,
  verbose  ///< also to our standard error, with every negotiation packet
};

/// pppd's arguments; `session_fd` and `plugin_fd` are the numbers it inherits.
std::vector<std::string> pppd_arguments(const config::Ppp& ppp, const l2tp::TunnelName& tunnel,
                                        const l2tp::SessionName& session, int session_fd, int plugin_fd,
                                        PppdLog log);

/// Runs pppd in a session of its own with nothing inherited but the two sockets and the standard streams.
base::Result<pid_t> spawn_pppd(const config::Ppp& ppp, const l2tp::TunnelName& tunnel,
                               const l2tp::SessionName& session, const base::Fd& kernel_session,
                               const base::Fd& plugin_channel, PppdLog log);

/// `status` as in waitpid(2): the words of pppd(8), and the result code a CDN says it with.
l2tp::Ending ending_of(int status);

}  // namespace l2tpd
