#pragma once
// Addresses in an administrator's own sets, in tables that are not ours.

#include <string>

#include "base/address.h"
#include "base/result.h"
#include "netlink/socket.h"
#include "nft/peer_map.h"

namespace nft {

struct SetName {
  std::string family;  ///< "inet" or "ip"
  std::string table;
  std::string set;
};

/// Needs CAP_NET_ADMIN.
class SetMembers {
 public:
  static base::Result<SetMembers> open();

  /// IPv4; twice the same is fine. Refused with a sentence where there is no such set, or it holds something
  /// else.
  base::Result<void> add(const SetName& name, const base::Address& address);
  base::Result<Change> remove(const SetName& name, const base::Address& address);

 private:
  explicit SetMembers(nl::Socket socket) : socket_(std::move(socket)) {}
  enum class Kind { single, interval };
  base::Result<Kind> kind_of(const SetName& name);
  nl::Result<void> change(std::uint16_t message, const SetName& name, Kind kind,
                          const base::Address& address);

  nl::Socket socket_;
};

}  // namespace nft
