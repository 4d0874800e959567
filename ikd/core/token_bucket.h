#pragma once

#include "base/time.h"

namespace ike {

/// So many a second on average, so many at once.
class TokenBucket {
 public:
  bool take(double a_second, double burst, base::Time now);

 private:
  double spent_ = 0;  ///< of the burst; a new bucket is full
  base::Time settled_{};
};

}  // namespace ike
