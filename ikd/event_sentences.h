#pragma once
// The catalogue of what ikd says to its operator.

#include "base/time.h"
#include "ike/effect.h"

namespace ikd {

/// One line in the log for one event, with its fields. What strangers can cause at will is limited to a
/// few lines a minute; the counters know the rest.
class EventSentences {
 public:
  void write(const ike::Event& event, base::Time now);

 private:
  bool within_limit(base::Time now);
  double tokens_ = 10;
  base::Time refilled_{};
};

}  // namespace ikd
