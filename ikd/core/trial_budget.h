#pragma once
// What a source address may cost us in pre-shared keys tried, and which of them it used before. Over IPv6 a
// /64 counts as one.

#include <deque>
#include <list>
#include <map>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/time.h"

namespace ike {

/// A token bucket per source (base::Address::source); a token is one candidate tried. A source with a key of
/// ours gets back what finding it has cost: only those without one ever run dry, however many live behind an
/// address.
class TrialBudget {
 public:
  /// At some 10 µs a candidate an address can buy half a second of CPU at once, and 5 % of a core for good.
  static constexpr std::size_t burst = 50'000, per_second = 5'000;

  /// False, and nothing is spent, when so many are not left.
  bool spend(const base::Address& source, std::size_t tokens, base::Time now);
  void refund(const base::Address& source, std::size_t tokens);

  /// Sources that have spent something: those whose bucket is full again are forgotten.
  std::size_t size() const { return buckets_.size(); }

 private:
  struct Bucket {
    double tokens = burst;
    base::Time filled;
  };
  void forget_full_ones(base::Time now);

  std::map<base::Address, Bucket> buckets_;
  base::Time swept_{};
};

/// The pre-shared keys that were last found for a source address: there they are tried first.
class LastHits {
 public:
  static constexpr std::size_t most_addresses = 4096, most_names = 32;

  void add(const base::Address& source, const std::string& name);
  /// The newest first.
  std::vector<std::string> of(const base::Address& source) const;
  std::size_t size() const { return order_.size(); }

 private:
  struct Entry {
    std::list<base::Address>::iterator place;
    std::deque<std::string> names;
  };
  std::list<base::Address> order_;  ///< the newest first
  std::map<base::Address, Entry> by_address_;
};

}  // namespace ike
