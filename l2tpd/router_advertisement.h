#pragma once
// What an IPv6 router says to the host at the other end of a PPP link, and when (RFC 4861, RFC 8106). Pure.

#include <cstdint>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/time.h"

namespace l2tpd {

constexpr std::uint16_t least_ipv6_mtu = 1280;  // RFC 8200 §5

struct RouterAdvertisement {
  base::Prefix prefix;             ///< a /64, all of it the host's
  std::uint16_t mtu = 0;           ///< of the link
  std::vector<base::Address> dns;  ///< IPv6
};

/// From the ICMPv6 type on; the checksum is left to the kernel.
base::Bytes encode(const RouterAdvertisement& advertisement);

/// RFC 4861 §6.1.1, as far as the kernel has not looked itself.
bool is_router_solicitation(base::ByteView message, std::uint32_t hop_limit);

/// The times of one link's advertisements: the first at once, then a few soon, and from then on now and
/// again.
class AdvertisingTimes {
 public:
  explicit AdvertisingTimes(base::Time now) : next_(now) {}

  base::Time next() const { return next_; }
  /// One was sent. `random` is drawn anew for each call.
  void sent(base::Time now, std::uint16_t random);
  /// The host asked for one.
  void solicited(base::Time now, std::uint16_t random);

 private:
  base::Time next_;
  base::Time earliest_{};  ///< whatever the host asks
  int sent_ = 0;           ///< of the first few
};

}  // namespace l2tpd
