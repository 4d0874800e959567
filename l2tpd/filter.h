#pragma once
// What nftables knows of tunnels, PPP links and their users: table inet sameroof, and the administrator's own
// sets.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/address.h"
#include "base/result.h"
#include "config/config.h"
#include "l2tp/effect.h"
#include "l2tpd/links.h"
#include "netlink/socket.h"
#include "nft/peer_map.h"
#include "nft/set_members.h"
#include "nft/table_watch.h"
#include "os/loop.h"

namespace l2tpd {

/// Whatever somebody else takes out of the sets, or with the table, it puts there again. Needs CAP_NET_ADMIN.
class Filter {
 public:
  using Latched = std::map<l2tp::TunnelId, base::Mark>;

  /// The latch is on, and the sets hold nothing of a former process. `config` and `latched`, those of the
  /// tunnels that add_tunnel() was called for and remove_tunnel() was not, outlive it.
  static base::Result<std::unique_ptr<Filter>> open(os::Loop& loop, const config::Config& config,
                                                    const Latched& latched);
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;
  /// Nothing of this process stays in table inet sameroof, and no L2TP is let in.
  ~Filter();

  nl::Result<void> add_tunnel(const l2tp::TunnelName& tunnel);
  nl::Result<void> remove_tunnel(const l2tp::TunnelName& tunnel);

  // Where `made` or `up` fails the link is as it was before; what else cannot be done is logged.

  /// Nothing comes in from the interface but what it is told of next.
  base::Result<void> made(const InterfaceRecord& interface);
  void gone(const InterfaceRecord& interface, IfName name);
  base::Result<void> ipv4_up(const SessionRecord& session);
  void ipv4_down(const SessionRecord& session, IfName name);
  base::Result<void> ipv6_up(const Ipv6Record& session);
  void ipv6_down(const Ipv6Record& session, IfName name);
  void refit(const std::string& ifname, std::uint16_t mtu);

  /// The configuration names other sets.
  void reconfigure();

 private:
  struct Link {
    l2tp::TunnelName tunnel;
    l2tp::SessionName session;
    Account account;
    std::uint16_t mtu = 0;
    bool made = false;  ///< and not gone
    std::optional<base::Address> far_end = {};
    std::optional<base::Prefix> ipv6 = {};
    std::optional<base::Address> stale = {};  ///< a far end of before, which may still be in the table
  };

  Filter(const config::Config& config, const Latched& latched, nft::PeerMap table, nft::SetMembers sets,
         nft::TableWatch watch);

  /// A pppd that was killed may have left another session there.
  template <class Record>
  Link link_of(const Record& session) const;
  enum class Kept { as_it_was, as_it_is };
  nl::Result<void> put(const std::string& ifname, Link link, Kept fails);
  nl::Result<void> write(const std::string& ifname, Link& link);
  void put_into_sets(const l2tp::TunnelName& tunnel, const Account& account, const base::Prefix& prefix);
  void take_out_of_sets(const l2tp::TunnelName& tunnel, const Account& account, const base::Prefix& prefix);
  nl::Result<void> fill();
  void disturbed();

  const config::Config& config_;
  const Latched& latched_;
  nft::PeerMap table_;
  nft::SetMembers sets_;
  nft::TableWatch watch_;
  os::Source readable_;
  std::map<std::string, Link> links_;  ///< by interface, as they are in the table once it takes them
};

}  // namespace l2tpd
