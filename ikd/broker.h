#pragma once
// What the privileged half of ikd does with the kernel: SAs and policies, nft's peer maps. It never sees a
// packet from the network and refuses whatever lies outside its own marks, reqids and aliases.
//
// To the core an IPv4 peer is at its alias. What is sent to it goes there in BEET mode: to the alias inside,
// on the outside between the address that the peer dialled and its home, which only the broker knows.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "ikd/metrics.h"
#include "ikd/protocol.h"
#include "ikd/range.h"
#include "ike/effect.h"
#include "nft/peer_map.h"
#include "xfrm/kernel.h"

namespace ikd {

class Broker {
 public:
  /// Reads and changes nothing yet.
  static base::Result<Broker> open(const config::Config& config);

  /// All or nothing.
  ike::DoneOrRefused install(const ike::InstallInbound& request);
  ike::DoneOrRefused install(const ike::InstallOutbound& request);
  /// What it has carried. What is not there any more is as good as removed, and tells nothing.
  base::Result<Traffic> remove(const ike::RemoveSa& request);
  /// With the policies that were installed for it.
  ike::DoneOrRefused remove(const ike::RemovePeer& request);
  /// How many policies of gone peers are still there: without the ruleset, or because the kernel refused.
  std::size_t kept() const { return kept_.size(); }
  base::Result<std::vector<RuleCount>> rule_counts();
  bool ruleset_loaded() { return map_.loaded().value_or(false); }
  /// Who changes the maps, to an nft::TableWatch.
  std::uint32_t nft_author() const { return map_.author(); }
  /// After the maps may have lost elements: these peers live.
  base::Result<void> fill_maps(const std::vector<ike::PeerEntry>& peers);
  /// What can be moved is, even where something else fails.
  ike::DoneOrRefused move(const ike::MovePeer& request);

  /// In this order; zero for one that is not there, or not ours.
  base::Result<std::vector<xfrm::SaStatistics>> count(const std::vector<xfrm::SaId>& sas);
  base::Result<Comparison> compare(const std::vector<xfrm::SaId>& sas);
  /// What l2tpd does for itself where it serves port 1701: whether clear text may come, and, for a daemon
  /// that names no tunnels to nft, no latch.
  base::Result<void> open_l2tp_port(config::Cleartext cleartext);
  /// Removes every SA, policy and map element in our range of marks, whoever left it, and nothing else.
  /// Without the ruleset the policies stay.
  base::Result<void> clean_up();

 private:
  Broker(Range range, xfrm::Kernel kernel, nft::PeerMap map)
      : range_(std::move(range)), kernel_(std::move(kernel)), map_(std::move(map)) {}
  struct Peer {
    std::optional<xfrm::Ends> place;  ///< outside, once it is in the maps; none of an IPv6 peer
    std::vector<xfrm::SaId> sas;      ///< as the core names them
    std::vector<xfrm::PolicyId> policies;
  };

  /// Null where nobody is known, and for IPv6.
  const xfrm::Ends* place_at(const base::Address& alias) const;
  /// What the core asks for as the kernel has it. Nothing changes for an IPv6 peer, nor inbound.
  xfrm::SaId in_kernel(xfrm::SaId id) const;
  xfrm::Sa in_kernel(const xfrm::Sa& outbound) const;
  xfrm::Policy in_kernel(xfrm::Policy policy) const;
  /// Nothing for an IPv6 peer, whose alias is no other address than its own.
  nl::Result<void> add_to_maps(const ike::PeerEntry& peer);
  nl::Result<nft::Change> remove_from_maps(const ike::PeerEntry& peer);
  /// The first complaint; what is refused stays to be tried again.
  base::Result<void> remove_kept();
  /// Where a peer seems to have too many, those are forgotten that the kernel has dropped meanwhile.
  bool room_for_another(xfrm::Reqid reqid);
  bool room_for_policy(xfrm::Reqid reqid) const;
  bool hides_another(const xfrm::Sa& unmarked) const;
  void forget_dropped(Peer& peer);
  /// The SA of this name, with what must change in any case; none where it is not there or not the owner's.
  nl::Result<std::optional<xfrm::InstalledSa>> movable(const xfrm::SaId& id, base::Mark owner);
  base::Result<void> move_encap(const xfrm::SaId& id, const xfrm::Encap& encap, base::Mark owner);
  /// What is sent to the peer finds an SA where it is now, whatever home that is.
  base::Result<void> lead_policies(const Peer& peer, xfrm::Reqid reqid);
  /// To another address: everything that is sent to the peer, or nothing of it.
  ike::DoneOrRefused move_home(const ike::MovePeer& request);

  Range range_;
  xfrm::Kernel kernel_;
  nft::PeerMap map_;
  std::map<xfrm::Reqid, Peer> peers_;
  std::vector<xfrm::PolicyId> kept_;  ///< of gone peers
};

}  // namespace ikd
