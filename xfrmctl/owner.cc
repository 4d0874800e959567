#include "xfrmctl/owner.h"

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
  for (const auto& peer : *peers) by_alias_[peer.alias] = &peer;
}

const control::Peer* Owners::at(const std::string& alias) const {
  const auto it = by_alias_.find(alias);
  return it == by_alias_.end() ? nullptr : it->second;
}

// Inbound SAs give the mark, outbound ones ask for it, unless another daemon serves L2TP.
Owned Owners::of(const KernelSa& sa) const {
  if (!asked_) return {};
  const auto host = [](const std::string& prefix) { return prefix.substr(0, prefix.rfind('/')); };
  if (sa.output_mark) {
    const auto* peer = at(host(sa.selector.source));
    if (peer != nullptr && peer->mark == sa.output_mark->value) return {Owner::peer, peer, "in"};
    return {.owner = Owner::foreign};
  }
  const auto* peer = at(sa.destination);
  if (peer != nullptr && (!sa.mark || peer->mark == sa.mark->value)) return {Owner::peer, peer, "out"};
  return {.owner = Owner::foreign};
}

Owned Owners::of(const KernelPolicy& policy) const {
  if (!asked_ || policy.socket) return {};
  const auto* peer = at(policy.selector.destination.substr(0, policy.selector.destination.rfind('/')));
  if (peer != nullptr && policy.direction == "out" && (!policy.mark || peer->mark == policy.mark->value))
    return {Owner::peer, peer, "out"};
  return {.owner = Owner::foreign};
}

}  // namespace xfrmctl
