#include "ike/token_bucket.h"

#include <algorithm>
#include <chrono>

namespace ike {

bool TokenBucket::take(double a_second, double burst, base::Time now) {
  const std::chrono::duration<double> passed = now - settled_;
  spent_ = std::max(0.0, spent_ - passed.count() * a_second);
  settled_ = now;
  if (spent_ + 1 > burst) return false;
  spent_ += 1;
  return true;
}

}  // namespace ike
