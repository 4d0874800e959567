#pragma once
// Addresses in an administrator's own sets, in tables that are not ours.

#include <cstdint>
#include <optional>

#include "base/address.h"
#include "base/result.h"
#include "config/config.h"
#include "netlink/socket.h"
#include "nft/peer_map.h"

namespace nft {

using config::NftSet;

/// NFPROTO_IPV4, NFPROTO_IPV6 or NFPROTO_INET.
std::uint8_t family_of(const NftSet& name);

/// Needs CAP_NET_ADMIN.
class SetMembers {
 public:
  static base::Result<SetMembers> open();

  /// Twice the same is fine, and a set of the other IP version is left alone. Refused with a sentence where
  /// there is no such set, or it holds no addresses, or single ones alone and this is more.
  base::Result<void> add(const NftSet& name, const base::Prefix& prefix);
  base::Result<Change> remove(const NftSet& name, const base::Prefix& prefix);

  /// Whose changes these are, to a TableWatch.
  std::uint32_t author() const { return socket_.port(); }

 private:
  explicit SetMembers(nl::Socket socket) : socket_(std::move(socket)) {}
  struct Kind {
    int family;      ///< AF_INET or AF_INET6
    bool intervals;  ///< it holds these, not single addresses
  };
  base::Result<Kind> kind_of(const NftSet& name);
  /// Nothing where the set is of the other IP version.
  base::Result<std::optional<Kind>> kind_for(const NftSet& name, const base::Prefix& prefix);
  nl::Result<void> change(std::uint16_t message, const NftSet& name, Kind kind, const base::Prefix& prefix);

  nl::Socket socket_;
};

}  // namespace nft
