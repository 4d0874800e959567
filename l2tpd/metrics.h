#pragma once
// What l2tpd counts for sameroof.L2tp.Metrics, beside the counters of its parts.

#include <array>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/time.h"
#include "control/metrics.h"
#include "l2tpd/hooks.h"
#include "l2tpd/links.h"
#include "l2tpd/record.h"
#include "l2tpd/refusal.h"
#include "l2tpd/tunnels.h"

namespace control {
class Server;
}

namespace l2tpd {

struct DaemonCounters;

/// Of a setup; each from its first message, or from pppd's start, until it stands.
enum class Phase { tunnel, session, ppp };

class Metrics {
 public:
  void took(Phase phase, base::Duration time) { latency_[static_cast<std::size_t>(phase)].observe(time); }
  void count(Refusal refusal) { ++refusals_[static_cast<std::size_t>(refusal)]; }

  // What PPP links have carried is what each had when it was last looked at: so the sum never falls, whoever
  // comes and goes while somebody asks for it.
  /// `counted`: before it went down and came up again.
  void link_up(const std::string& ifname, const InterfaceBytes& counted = {}) {
    links_.insert_or_assign(ifname, counted);
  }
  void link_carries(const std::string& ifname, const InterfaceBytes& bytes);
  void link_down(const std::string& ifname) { links_.erase(ifname); }
  const InterfaceBytes& carried() const { return carried_; }
  /// The name of the next link that is up, or nothing.
  std::optional<std::string> link_after(const std::string& ifname) const;

  /// `started`: Unix time.
  std::vector<control::MetricFamily> families(const Tunnels& all, const Links& links,
                                              const HookCounters& hooks, const DaemonCounters& counters,
                                              double started) const;

 private:
  std::array<control::DurationHistogram, 3> latency_;
  std::array<std::uint64_t, static_cast<std::size_t>(Refusal::count_)> refusals_{};
  std::map<std::string, InterfaceBytes> links_;  ///< those that are up
  InterfaceBytes carried_;
};

/// Answers Metrics. Looks at each link before, a few at a time; `bytes_of`: l2tpd::bytes_of, or a test's.
/// Everything referred to outlives `control`.
void serve_metrics(control::Server& control, Metrics& metrics, const Tunnels& tunnels, const Links& links,
                   const HookCounters& hooks, const DaemonCounters& counters, base::Time started,
                   std::function<InterfaceBytes(const std::string&)> bytes_of);

}  // namespace l2tpd
