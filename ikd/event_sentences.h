#pragma once
// The catalogue of what ikd says to its operator.

#include <map>
#include <string>

#include "base/time.h"
#include "ike/admission.h"
#include "ike/effect.h"

namespace ikd {

/// "peer 7 (…) is up: …".
std::string sentence_for(const ike::Event& event);

/// One line in the log for one event, with its fields. What strangers can cause at will is limited to a
/// few lines a minute, and so is each peer; who never had an IPsec SA counts as a stranger. The counters
/// know the rest.
class EventSentences {
 public:
  void write(const ike::Event& event, base::Time now);

 private:
  bool within_limit(const ike::Event& event, base::Time now);
  ike::TokenBucket strangers_;
  std::map<ike::PeerNumber, ike::TokenBucket> peers_;  ///< those that came up and are not gone
};

}  // namespace ikd
