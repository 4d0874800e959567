#pragma once
// The privileged process of l2tpd: opens the sockets, starts the process that reads packets, and carries out
// what the core there asks for. What comes from the network it never reads.

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/event_log.h"
#include "base/result.h"
#include "config/config.h"
#include "l2tp/effect.h"
#include "l2tpd/admission.h"
#include "l2tpd/chronicle.h"
#include "l2tpd/departure.h"
#include "l2tpd/farewells.h"
#include "l2tpd/filter.h"
#include "l2tpd/hooks.h"
#include "l2tpd/ipv6_links.h"
#include "l2tpd/links.h"
#include "l2tpd/metrics.h"
#include "l2tpd/peers_watch.h"
#include "l2tpd/refusals.h"
#include "l2tpd/tunnel_sockets.h"
#include "l2tpd/tunnels.h"
#include "os/channel.h"
#include "os/loop.h"
#include "os/partner.h"
#include "os/udp.h"

namespace control {
class Server;
}

namespace l2tpd {

/// What both files say.
struct Configuration {
  config::Config config;
  config::Secrets secrets;
};

struct DaemonOptions {
  std::string run_dir = "/run/sameroof";
  os::PartnerCommand partner{};                     ///< the other process
  base::Severity log_level = base::Severity::info;  ///< its
  PppdProgram pppd{};
  /// Reads both files again, and compares them (config::check).
  std::function<base::Result<Configuration>()> load{};
};

/// Beside those of the other process.
struct DaemonCounters {
  std::uint64_t send_failures = 0;
  std::uint64_t tunnels = 0;  ///< that came up
  std::uint64_t refused_calls = 0;
};

class Daemon {
 public:
  /// `config` and `secrets` outlive it; a reload replaces what is in them.
  Daemon(os::Loop& loop, config::Config& config, config::Secrets& secrets, DaemonOptions options);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();

  /// Sockets, latch, control socket and the other process; after that the loop does the rest.
  base::Result<void> start();
  /// The loop has stopped because that was asked for, and not because the other process has gone.
  bool well() const { return !lost_; }
  /// Takes the files as they are now, or leaves everything as it was. What changed, in words.
  base::Result<std::string> reload();
  /// What a reload would change, a line each.
  base::Result<std::vector<std::string>> check_reload_now() const;

 private:
  struct MainSocket {
    base::Address local;
    os::UdpSocket udp;  ///< that the other process reads
  };

  base::Result<void> open_main_socket(const base::Address& address);
  base::Result<void> open_control();

  base::Result<void> start_other_process();
  void serve_request();
  void other_process_ended(int status);
  /// Nothing more is done for the other process: everything ends.
  void lose(const std::string& how);

  void perform(const l2tp::Send& send);
  void perform(const l2tp::OpenTunnelSocket& open);
  void perform(const l2tp::CloseTunnelSocket& close) { sockets_.close(close.tunnel.id); }
  void perform(const l2tp::AddLatch& add);
  void perform(const l2tp::RemoveLatch& remove);
  void perform(const l2tp::KernelTunnelUp& up);
  void perform(const l2tp::StartSession& start);
  void perform(const l2tp::StopSession& stop);
  void perform(const l2tp::TunnelDown& down);
  void perform(const l2tp::CallRefused& refused);
  void perform(const Changed& changed);
  void perform(const Solicited& asked) { ipv6_links_.judged(asked); }
  void perform(const Counts& counts) { told_.counted(counts); }
  // These are only answered.
  void perform(const FetchOrders&) {}
  void perform(const DigestWithSecret&) {}
  void perform(const Ready&);
  void perform(const Alive&);
  base::Result<Configuration> loaded_anew() const;
  void note(const l2tp::TunnelName& tunnel, Chronicle::Note note);
  void fail(const l2tp::TunnelName& tunnel, const base::Error& why);
  base::Result<void> start_session(const l2tp::StartSession& start);
  PppdTerms terms_for(const l2tp::TunnelName& tunnel, const l2tp::SessionName& session) const;
  base::Endpoint our_end(const l2tp::TunnelName& tunnel) const;
  base::Result<void> ipv4_up(const SessionRecord& session);
  void session_up(const SessionRecord& session);
  void session_begun(const SessionRecord& session);
  void link_refitted(const std::string& ifname, std::uint16_t mtu);
  void session_down(SessionRecord& session, IfName name);
  void session_over(const SessionRecord& session, std::string_view why);
  base::Result<void> ipv6_up(const Ipv6Record& session);
  void ipv6_down(const Ipv6Record& session, IfName name);
  const control::Peer* peer_of(const l2tp::TunnelName& tunnel) const;

  void keep_only(const std::set<base::Mark>& marks);
  void stop();
  void depart();
  bool dismissed() const { return departure_ && departure_->dismissed(); }

  os::Loop& loop_;
  config::Config& config_;
  config::Secrets& secrets_;
  DaemonOptions options_;
  config::PppdFiles pppd_files_{options_.pppd.path};
  Accounts accounts_;
  Quiet quiet_;
  Metrics metrics_;
  Chronicle chronicle_;
  Refusals refusals_{metrics_, chronicle_, quiet_};
  Tunnels told_;
  Admission admission_;
  std::unique_ptr<Filter> filter_;
  const l2tp::SharedSecret tunnel_secret_;  ///< as it was at the start
  Bindings bindings_;
  Ipv6Links ipv6_links_;
  Links links_;
  Hooks hooks_;
  Farewells farewells_;
  std::vector<MainSocket> main_sockets_;
  TunnelSockets sockets_;
  os::Channel requests_, pokes_;
  pid_t child_ = -1;  ///< unless a launcher has started it
  bool lost_ = false;
  bool gone_ = false;                         ///< after it was told to
  std::unique_ptr<control::Server> control_;  // after what it serves
  std::unique_ptr<PeersWatch> peers_;
  DaemonCounters counters_;
  std::string radius_file_;  ///< empty: RADIUS is not asked
  os::Source request_source_;
  os::Source child_exit_;
  os::Source patience_;  ///< with a child that has hung up
  os::Source terminate_;
  os::Source interrupt_;
  os::Source hangup_;
  os::Source stop_timer_;
  base::Time started_;
  std::optional<Departure> departure_;
};

}  // namespace l2tpd
