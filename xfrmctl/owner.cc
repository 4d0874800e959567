#include "xfrmctl/owner.h"

#include <algorithm>

namespace xfrmctl {

std::string_view name_of(Owner owner) {
  switch (owner) {
    case Owner::peer: return "peer";
    case Owner::foreign: return "foreign";
    case Owner::unknown: break;
  }
  return "unknown";
}

Owners::Owners(const std::vector<control::Peer>* peers) : asked_(peers != nullptr) {
  if (peers == nullptr) return;
  for (const auto& peer : *peers) by_alias_.emplace(peer.alias, &peer);
}

const control::Peer* Owners::at(std::string_view prefix, const std::optional<KernelMark>& mark) const {
  const auto address = prefix.substr(0, prefix.rfind('/'));
  // An IPv6 peer's is not ours alone: what asks for no mark is somebody else's.
  if (!mark && address.find(':') != std::string_view::npos) return nullptr;
  const auto [first, last] = by_alias_.equal_range(address);
  const auto it = std::find_if(first, last,
                               [&](const auto& entry) { return !mark || entry.second->mark == mark->value; });
  return it == last ? nullptr : it->second;
}

// Inbound SAs give the mark, outbound ones ask for it, unless another daemon serves L2TP.
Owned Owners::of(const KernelSa& sa) const {
  if (!asked_) return {};
  // Its reqid is the peer's mark, too, which plain ESP asks for in its policy alone; in IPv4 the alias tells.
  const bool unmarked = !sa.mark && sa.destination.find(':') != std::string::npos;
  const auto asked = unmarked ? std::optional(KernelMark{.value = sa.reqid, .mask = 0}) : sa.mark;
  // The alias is inside; outside is where the peer really is.
  const auto* peer =
      sa.output_mark ? at(sa.selector.source, sa.output_mark) : at(sa.selector.destination, asked);
  if (peer != nullptr) return {Owner::peer, peer, sa.output_mark ? "in" : "out"};
  return {.owner = Owner::foreign};
}

Owned Owners::of(const KernelPolicy& policy) const {
  if (!asked_ || policy.socket) return {};
  const auto* peer = at(policy.selector.destination, policy.mark);
  if (peer != nullptr && policy.direction == "out") return {Owner::peer, peer, "out"};
  return {.owner = Owner::foreign};
}

}  // namespace xfrmctl
