#pragma once
// What ikd counts beside the core's counters, and all of it for sameroof.Ike.Metrics.

#include <array>
#include <string>
#include <vector>

#include "control/metrics.h"
#include "ike/engine.h"

namespace ikd {

struct Traffic {
  std::uint64_t in = 0, out = 0;  ///< bytes, from and to the peers

  Traffic& operator+=(const Traffic& more) {
    in += more.in;
    out += more.out;
    return *this;
  }
};

/// Packets that met a rule of table inet sameroof; which rules have a name stands in sameroof.nft.
struct RuleCount {
  std::string rule;
  std::uint64_t packets = 0;
};

class Metrics {
 public:
  void count(const ike::Event& event);
  /// What an SA that has gone had carried.
  void count_gone(const Traffic& traffic) { gone_ += traffic; }
  const Traffic& gone() const { return gone_; }
  /// What all SAs have carried, those that have gone included. Who asks the kernel for one after the other
  /// misses what goes meanwhile: the sum never falls.
  void carried(const Traffic& traffic);

  struct Now {
    const ike::Engine& engine;
    std::uint64_t key_exchanges_waiting = 0;
    std::vector<RuleCount> rules = {};
    std::uint64_t send_failures = 0;
    double started = 0;  ///< Unix time
  };
  std::vector<control::MetricFamily> families(const Now& now) const;

 private:
  std::uint64_t events(ike::EventKind kind) const { return by_kind_[static_cast<std::size_t>(kind)]; }
  std::array<std::uint64_t, static_cast<std::size_t>(ike::EventKind::count_)> by_kind_{};
  std::array<std::uint64_t, static_cast<std::size_t>(ike::Refusal::count_)> by_refusal_{};
  control::DurationHistogram phase_1_, phase_2_;
  Traffic gone_, carried_;
};

}  // namespace ikd
