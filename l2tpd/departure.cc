#include "l2tpd/departure.h"

#include <utility>

namespace l2tpd {

Departure::Step Departure::next(const Scene& scene, base::Time now) {
  if ((scene.alone && scene.idle) || now >= begun_ + longest) return Step::leave;
  if (scene.alone) return Step::wait;
  if (!dismissed_ && (scene.heard || now >= begun_ + farewell_time)) {
    dismissed_ = now;
    return Step::dismiss;
  }
  if (dismissed_ && now >= *dismissed_ + longest_end && !std::exchange(lost_, true)) return Step::lose;
  return Step::wait;
}

}  // namespace l2tpd
