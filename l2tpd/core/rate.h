#pragma once
// How often each of many may do something: so many times at once, then once per interval.

#include "base/timer_queue.h"

namespace l2tp {

template <class Key>
class Rate {
 public:
  Rate(unsigned burst, base::Duration interval) : interval_(interval), ahead_((burst - 1) * interval) {}

  bool allows(const Key& key, base::Time now) const {
    const auto paid = paid_until_.deadline(key);
    return !paid || *paid <= now + ahead_;
  }
  void count(const Key& key, base::Time now) {
    while (paid_until_.pop_due(now)) {
    }
    paid_until_.set(key, std::max(now, paid_until_.deadline(key).value_or(now)) + interval_);
  }

 private:
  base::Duration interval_;
  base::Duration ahead_;
  base::TimerQueue<Key> paid_until_;  ///< who is not in here may do it a whole burst of times
};

}  // namespace l2tp
