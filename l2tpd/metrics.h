#pragma once
// What l2tpd counts for sameroof.L2tp.Metrics, beside the counters of its parts.

#include <array>
#include <vector>

#include "base/time.h"
#include "control/metrics.h"
#include "l2tp/server.h"
#include "l2tpd/links.h"
#include "l2tpd/refusal.h"

namespace l2tpd {

struct DaemonCounters;

/// Of a setup; each from its first message, or from pppd's start, until it stands.
enum class Phase { tunnel, session, ppp };

class Metrics {
 public:
  void took(Phase phase, base::Duration time) { latency_[static_cast<std::size_t>(phase)].observe(time); }
  void count(Refusal refusal) { ++refusals_[static_cast<std::size_t>(refusal)]; }
  /// Of a session that is over.
  void count_gone(std::uint64_t in, std::uint64_t out) { gone_in_ += in, gone_out_ += out; }

  /// `started`: Unix time.
  std::vector<control::MetricFamily> families(const l2tp::Server& server, const Links& links,
                                              const DaemonCounters& counters, double started) const;

 private:
  std::array<control::DurationHistogram, 3> latency_;
  std::array<std::uint64_t, static_cast<std::size_t>(Refusal::count_)> refusals_{};
  std::uint64_t gone_in_ = 0, gone_out_ = 0;
};

}  // namespace l2tpd
