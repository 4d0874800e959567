#pragma once
// How many lines each peer gets in the log; who comes without IPsec shares those of all who do.

#include <chrono>
#include <utility>

#include "l2tp/effect.h"
#include "l2tp/rate.h"

namespace l2tpd {

class Quiet {
 public:
  /// Whether one more line about this peer is due; the counters and `xfrmctl monitor` know the rest.
  bool may_write(const l2tp::TunnelName& tunnel, base::Time now) {
    const auto key = std::pair(tunnel.mark, tunnel.mark.value == 0 ? base::Address() : tunnel.remote.address);
    if (!lines_.allows(key, now)) return false;
    lines_.count(key, now);
    return true;
  }

 private:
  l2tp::Rate<std::pair<base::Mark, base::Address>> lines_{20, std::chrono::seconds(10)};
};

}  // namespace l2tpd
