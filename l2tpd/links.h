#pragma once
// The PPP links: one pppd per session, asked and answered over its plugin's channel.

#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>

#include "base/time.h"
#include "l2tp/effect.h"
#include "l2tpd/accounts.h"
#include "l2tpd/bindings.h"
#include "l2tpd/link_protocol.h"
#include "l2tpd/pool.h"
#include "l2tpd/pppd.h"
#include "os/loop.h"

namespace l2tpd {

/// A session as its link knows it.
struct LinkStatus {
  std::optional<std::string> user;  ///< once authenticated
  std::optional<base::Address> address;
  std::optional<std::string> ifname;  ///< once IPCP is up
};

struct LinkCounters {
  std::uint64_t started = 0;
  std::uint64_t logins = 0;
  std::uint64_t refused_logins = 0;
  std::uint64_t bad_requests = 0;
};

class Links {
 public:
  /// Called once for every link that ended by itself, not after stop().
  using Ended = std::function<void(const l2tp::TunnelName&, const l2tp::SessionName&, l2tp::Ending)>;
  /// `config`, `accounts` and `bindings` outlive it.
  Links(os::Loop& loop, const config::Config& config, const Accounts& accounts, Bindings& bindings,
        PppdLog log, Ended ended);

  /// Refuses a peer's 17th link; links that are ending count.
  base::Result<void> start(const l2tp::TunnelName& tunnel, const l2tp::SessionName& session,
                           base::Fd kernel_session);
  /// SIGTERM now, SIGKILL if that does not help. Does nothing for a session without a link.
  void stop(const l2tp::TunnelName& tunnel, const l2tp::SessionName& session, std::string why);
  std::optional<LinkStatus> status(l2tp::TunnelId tunnel, l2tp::SessionId session) const;

  /// Every pppd has gone.
  bool empty() const { return links_.empty(); }
  std::size_t size() const { return links_.size(); }
  const Pool& pool() const { return pool_; }
  const LinkCounters& counters() const { return counters_; }

 private:
  struct Link {
    std::uint64_t serial = 0;  ///< no two links of a process have the same
    pid_t pid = -1;
    l2tp::TunnelName tunnel;
    l2tp::SessionName session;
    base::Fd channel;
    os::Source readable;
    os::Source exit;
    os::Source kill_timer;
    std::string claimed_name;  ///< whose secret was asked for
    LinkStatus status;
    std::optional<std::string> stopped;             ///< why, once stop() was called
    std::optional<std::string> refused;             ///< why, once a login failed
    const config::User* waits_for_lease = nullptr;  ///< until an older link of that user has ended
    base::Time since;
  };
  using Iterator = std::list<Link>::iterator;

  void read(Link& link);
  void answer(Link& link, LinkRequest request);
  void log_in(Link& link, const std::string& name);
  void check_binding(Link& link, const config::User& user);
  void admit(Link& link, const config::User& user);
  void grant(Link& link, const config::User& user);
  void refuse(Link& link, std::string_view name, std::string_view reason, std::string_view told);
  void report_up(Link& link, const LinkUp& up);
  void ended(Iterator link, int status);
  void terminate(Link& link);
  bool end_older_link(const Link& newer, const config::User& user);
  static void send(Link& link, base::ByteView packet);

  os::Loop& loop_;
  const config::Config& config_;
  const Accounts& accounts_;
  Bindings& bindings_;
  std::uint64_t last_serial_ = 0;
  PppdLog log_;
  Ended on_end_;
  Pool pool_;
  std::list<Link> links_;  ///< a link stays where it is: the loop's callbacks hold on to it
  LinkCounters counters_;
};

/// "peer 240.0.0.1:1701", as the log names it.
std::string words_for(const l2tp::TunnelName& tunnel);

}  // namespace l2tpd
