#pragma once
// What the broker does for whoever asks: what concerns peers of our own numbers, and looks as the core makes
// it. A process that parses packets may be taken over by one; this is what it can then have of the kernel.

#include <optional>
#include <vector>

#include "ike/effect.h"
#include "ike/peers.h"
#include "ike/service.h"

namespace ikd {

class Range {
 public:
  /// `services`: beside L2TP.
  Range(ike::Numbering numbering, std::vector<ike::Service> services);

  /// In our range of marks and aliases, whoever left it there.
  bool holds(const xfrm::Sa& sa) const;
  bool holds(const xfrm::Policy& policy) const;

  /// A number of ours, with the mark and the alias that belong to it.
  bool admits(const ike::PeerEntry& entry) const;
  bool admits(const ike::InstallInbound& request) const;
  bool admits(const ike::InstallOutbound& request) const;
  bool admits(const ike::MovePeer& request) const;

  /// Whose alias this is; none for an address that is no alias, as an IPv6 peer's is not.
  std::optional<xfrm::Reqid> peer_at(const base::Address& alias) const;

  /// How many SAs a peer may have at once: more than it ever has.
  std::size_t most_sas() const { return sas_a_service * services_.size(); }
  /// How many policies: one for each service.
  std::size_t most_policies() const { return services_.size(); }

 private:
  static constexpr std::size_t sas_a_service = 32;

  std::optional<ike::PeerNumber> number_of(xfrm::Reqid reqid) const;
  bool reqid_and_mark(xfrm::Reqid reqid, const std::optional<xfrm::MaskedMark>& mark) const;
  /// Any IPv6 address: such a peer's alias is its own.
  bool may_be_alias(const base::Address& address) const;
  /// Null when that port of ours is no service's.
  const ike::Service* served(std::uint8_t protocol, const std::optional<std::uint16_t>& port) const;
  /// The source of what a service sends.
  bool is_our_end(const xfrm::Selector& selector) const;
  bool policy_of(ike::PeerNumber number, const xfrm::Policy& policy) const;

  ike::Numbering numbering_;
  std::vector<ike::Service> services_;
};

}  // namespace ikd
