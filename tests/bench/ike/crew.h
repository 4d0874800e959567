#pragma once
// Who does the engine's slow work: in a rehearsal, and when it counts.

#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "credentials.h"
#include "harness/pretend_dh.h"
#include "ikd/workers.h"

namespace bench {

/// What random numbers of the rehearsal's made: with other values the recorded messages would not fit.
struct Results {
  std::map<ike::Ticket, crypto::DhResult> exchanges;
  std::map<ike::Ticket, base::Bytes> signatures;
};

/// Does the slow work in this thread, and writes those results down.
class Rehearsal {
 public:
  Rehearsal(harness::Dh dh, const Credentials& credentials)
      : dh_(dh), credentials_(credentials), random_(harness::seeded_random(2)) {}

  bool busy() const { return !jobs_.empty(); }
  void start(ikd::Job job) { jobs_.push_back(std::move(job)); }
  ike::Completion next();

  Results results;
  bool recording = true;

 private:
  ike::Completion perform(const ike::ComputeDh& request);
  ike::Completion perform(const ike::Sign& request);

  harness::Dh dh_;
  const Credentials& credentials_;
  std::function<void(std::span<std::uint8_t>)> random_;
  std::deque<ikd::Job> jobs_;
};

/// Leaves it to the daemon's worker threads. A pretended Diffie-Hellman is not computed at all.
class Performance {
 public:
  Performance(harness::Dh dh, std::vector<ikd::KeyService> keys,
              std::shared_ptr<const pki::Verifier> verifier, const Results& results)
      : dh_(dh), results_(results), workers_(std::move(keys), 1000, std::move(verifier)) {}

  bool busy() const { return !order_.empty(); }
  void start(ikd::Job job);
  /// In the order of the rehearsal, so that the engine draws its random numbers in that order, too.
  ike::Completion next();

 private:
  /// With the rehearsal's result in place of the one that came out now.
  ike::Completion as_rehearsed(ike::Completion done) const;
  ike::DhDone exchange(ike::Ticket ticket) const;

  harness::Dh dh_;
  const Results& results_;
  std::deque<ike::Ticket> order_;
  std::map<ike::Ticket, ike::Completion> done_;
  ikd::Workers workers_;
};

}  // namespace bench
