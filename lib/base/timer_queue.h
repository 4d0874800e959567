#pragma once
// The deadlines of one core: at most one per key, served in order.

#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "base/time.h"

namespace base {

/// `Key` names a deadline ("retransmission of SA 7"); setting it again moves it.
template <class Key>
class TimerQueue {
 public:
  TimerQueue() = default;
  TimerQueue(TimerQueue&&) = default;  // order_ points to what moves along
  TimerQueue& operator=(TimerQueue&&) = default;

  void set(const Key& key, Time when) {
    const auto [it, fresh] = deadlines_.try_emplace(key, when);
    if (!fresh) {
      order_.erase(&*it);
      it->second = when;
    }
    order_.insert(&*it);
  }

  void cancel(const Key& key) {
    const auto it = deadlines_.find(key);
    if (it == deadlines_.end()) return;
    order_.erase(&*it);
    deadlines_.erase(it);
  }

  bool is_set(const Key& key) const { return deadlines_.contains(key); }
  std::optional<Time> deadline(const Key& key) const {
    const auto it = deadlines_.find(key);
    return it == deadlines_.end() ? std::nullopt : std::optional(it->second);
  }
  std::optional<Time> earliest() const {
    return order_.empty() ? std::nullopt : std::optional((*order_.begin())->second);
  }

  /// Removes and returns the earliest key that is due at `now`.
  std::optional<Key> pop_due(Time now) {
    if (order_.empty() || (*order_.begin())->second > now) return std::nullopt;
    Key key = (*order_.begin())->first;
    cancel(key);
    return key;
  }

  std::size_t size() const { return deadlines_.size(); }

 private:
  using Deadline = typename std::map<Key, Time>::value_type;
  struct Earlier {
    bool operator()(const Deadline* a, const Deadline* b) const {
      return std::tie(a->second, a->first) < std::tie(b->second, b->first);
    }
  };

  std::map<Key, Time> deadlines_;
  std::set<const Deadline*, Earlier> order_;
};

}  // namespace base
