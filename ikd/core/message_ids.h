#pragma once
// The message IDs that a peer has used: what was recorded cannot be played back (RFC 2409 §5.5). The newest
// few thousand are known; a client that renews its keys every two seconds would otherwise fill memory, or,
// with a limit, be refused in the end.

#include <unordered_set>
#include <vector>

#include "ike/v1/payload.h"

namespace ike {

class MessageIds {
 public:
  /// At least so many of the newest are known, at most twice as many.
  static constexpr std::size_t kept = 4096;

  bool contains(v1::MessageId id) const { return known_.contains(id.value); }
  /// False when it was known.
  bool insert(v1::MessageId id) {
    if (!known_.insert(id.value).second) return false;
    order_.push_back(id.value);
    if (order_.size() < 2 * kept) return true;
    for (std::size_t i = 0; i < kept; ++i) known_.erase(order_[i]);
    order_.erase(order_.begin(), order_.begin() + kept);
    return true;
  }
  /// It may come again: nothing has been done for it.
  void erase(v1::MessageId id) {
    if (known_.erase(id.value) != 0) std::erase(order_, id.value);
  }
  std::size_t size() const { return order_.size(); }

 private:
  std::unordered_set<std::uint32_t> known_;
  std::vector<std::uint32_t> order_;
};

}  // namespace ike
