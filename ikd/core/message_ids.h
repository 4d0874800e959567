#pragma once
// The message IDs that a peer has used: what was recorded cannot be played back (RFC 2409 §5.5). The newest
// few thousand are known; a client that renews its keys every two seconds would otherwise fill memory, or,
// with a limit, be refused in the end.

#include <algorithm>
#include <vector>

#include "ike/v1/payload.h"

namespace ike {

class MessageIds {
 public:
  /// At least so many of the newest are known, at most twice as many.
  static constexpr std::size_t kept = 4096;

  bool contains(v1::MessageId id) const { return std::ranges::find(ids_, id.value) != ids_.end(); }
  /// False when it was known.
  bool insert(v1::MessageId id) {
    if (contains(id)) return false;
    if (ids_.size() == 2 * kept) ids_.erase(ids_.begin(), ids_.begin() + kept);
    ids_.push_back(id.value);
    return true;
  }
  /// It may come again: nothing has been done for it.
  void erase(v1::MessageId id) { std::erase(ids_, id.value); }
  std::size_t size() const { return ids_.size(); }

 private:
  /// The oldest first. A client that is asked every half minute has a thousand in eight hours, and there are
  /// many clients: four bytes each, and a search of some microseconds at worst.
  std::vector<std::uint32_t> ids_;
};

}  // namespace ike
