#pragma once
// Which address, and which IPv6 prefix, each PPP peer gets. Nobody gets one that is in use.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "config/config.h"

namespace l2tpd {

class Pool {
 public:
  /// Kept out of the pool: its network and broadcast address, ours, and those that belong to a user.
  explicit Pool(const config::Config& config) { configure(config); }
  /// A new range, and new owners: what is in use stays in use, and what is our own address somewhere is
  /// nobody else's.
  void configure(const config::Config& config);

  /// Our own address at a link that begins: nobody else's until it is given back, once for each, whatever the
  /// configuration says by then.
  base::Address take_near_end();
  void give_back_near_end(const base::Address& address);

  /// `wanted`, or without it the least recently freed one of the pool. The sentence is fit for the peer.
  base::Result<base::Address> lease(const std::optional<base::Address>& wanted);
  void release(const base::Address& address);
  std::size_t in_use() const { return used_.size(); }

 private:
  bool is_ours(const base::Address& address) const;
  /// Into the pool, where it belongs there and next_ has passed it.
  void set_free(const base::Address& address);

  std::uint32_t first_ = 0;
  std::uint32_t next_ = 0;  ///< not looked at yet
  std::uint32_t end_ = 0;
  base::Address local_;
  std::map<base::Address, std::size_t> near_ends_;  ///< how many links have it, since before a reload maybe
  std::set<base::Address> reserved_;
  std::set<base::Address> used_;
  std::map<std::uint64_t, base::Address> freed_;  ///< by when
  std::uint64_t releases_ = 0;
};

/// The /64s of ppp.ipv6_prefix.
class PrefixPool {
 public:
  explicit PrefixPool(const config::Ppp& ppp) { configure(ppp); }
  /// A new range: what is in use stays in use.
  void configure(const config::Ppp& ppp);

  /// The least recently freed one; none where all are in use, or there is no range.
  std::optional<base::Prefix> lease();
  void release(const base::Prefix& prefix);
  std::size_t in_use() const { return used_.size(); }

 private:
  std::optional<base::Prefix> range_;
  std::uint64_t next_ = 0;  ///< not looked at yet; the upper half of an address, as all numbers here
  std::uint64_t left_ = 0;  ///< how many from there on
  std::set<base::Prefix> used_;
  std::map<std::uint64_t, base::Prefix> freed_;  ///< by when
  std::uint64_t releases_ = 0;
};

}  // namespace l2tpd
