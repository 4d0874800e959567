#pragma once
// IPv6 on PPP links: the route of each session's prefix, and the router that its peer hears.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/fd.h"
#include "base/result.h"
#include "base/timer_queue.h"
#include "l2tpd/protocol.h"
#include "l2tpd/router_advertisement.h"
#include "netlink/socket.h"
#include "os/loop.h"

namespace l2tpd {

struct RouterCounters {
  std::uint64_t advertisements = 0;
  std::uint64_t failures = 0;           ///< advertisements that could not be sent
  std::uint64_t bad_solicitations = 0;  ///< of our links, that were none
};

/// Needs CAP_NET_ADMIN and CAP_NET_RAW.
class Ipv6Links {
 public:
  /// What peers send is not read here, but by whoever then calls judged(). Of each link that is asked once in
  /// three seconds.
  using Judge = std::function<void(Solicitation)>;
  Ipv6Links(os::Loop& loop, Judge judge) : loop_(loop), judge_(std::move(judge)) {}
  Ipv6Links(const Ipv6Links&) = delete;
  Ipv6Links& operator=(const Ipv6Links&) = delete;

  /// Before any link; again is fine.
  base::Result<void> open();

  /// The interface leads to its prefix from now on, and its peer is told.
  base::Result<void> up(const std::string& ifname, const RouterAdvertisement& advertisement);
  /// The link has another MTU, which its peer is told; IPv6 ends where it has become too small.
  void refit(const std::string& ifname, std::uint16_t mtu);
  /// Fine for an interface that has gone, with which the kernel has removed the route, and for one unknown.
  void down(const std::string& ifname);

  /// What becomes of a solicitation, if its link is still there.
  void judged(const Solicited& asked);

  const RouterCounters& counters() const { return counters_; }

 private:
  struct Link {
    std::string ifname;
    RouterAdvertisement advertisement;
    AdvertisingTimes times;
    base::Time deaf_until{};  ///< whatever its peer asks
  };
  using Iterator = std::map<unsigned, Link>::iterator;
  Iterator find(const std::string& ifname);
  /// They went with a pppd that was killed, and the kernel has given the name away.
  void forget_others_named(const std::string& ifname, unsigned ifindex);
  nl::Result<void> change_route(std::uint16_t type, std::uint16_t flags, unsigned ifindex,
                                const base::Prefix& prefix);
  void receive();
  void advertise();
  bool send(unsigned ifindex, base::ByteView message);
  void schedule(unsigned ifindex, const Link& link);

  os::Loop& loop_;
  Judge judge_;
  base::Fd icmp_;
  std::optional<nl::Socket> routes_;
  std::map<unsigned, Link> links_;  ///< by interface index
  base::TimerQueue<unsigned> due_;
  os::Source readable_;
  os::Source timer_;
  RouterCounters counters_;
};

/// Whether this host takes IPv6 packets from one interface to another.
bool forwards_ipv6();

}  // namespace l2tpd
