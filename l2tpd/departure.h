#pragma once
// How l2tpd ends: who is waited for, in which order, and how long. Pure.

#include <chrono>
#include <optional>

#include "base/time.h"

namespace l2tpd {

class Departure {
 public:
  static constexpr base::Duration farewell_time = std::chrono::seconds(2);  ///< for peers to hear StopCCN
  static constexpr base::Duration longest_end =
      std::chrono::seconds(6);                                         ///< of the other process, from then on
  static constexpr base::Duration longest = std::chrono::seconds(60);  ///< for the last pppd and hook, too

  enum class Step {
    wait,
    dismiss,  ///< tell the other process to forget every tunnel, and to end
    lose,     ///< it does not end: do without it
    leave
  };
  struct Scene {
    bool heard = false;  ///< no tunnel waits for its peer to hear of its end
    bool alone = false;  ///< the other process has gone
    bool idle = false;   ///< no pppd and no hook runs
  };

  explicit Departure(base::Time begun) : begun_(begun) {}
  /// What is due. `dismiss` and `lose` are said once.
  Step next(const Scene& scene, base::Time now);
  bool dismissed() const { return dismissed_.has_value(); }

 private:
  base::Time begun_;
  std::optional<base::Time> dismissed_;
  bool lost_ = false;
};

}  // namespace l2tpd
