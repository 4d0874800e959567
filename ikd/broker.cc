#include "ikd/broker.h"

#include <cerrno>
#include <utility>

namespace ikd {
namespace {

base::Result<void> outside_our_range() {
  return base::fail("an SA or policy outside our range of marks was refused");
}

base::Result<void> absent_is_fine(nl::Result<void> result) {
  if (!result && result.error().number != ESRCH && result.error().number != ENOENT)
    return nl::as_base(std::move(result.error()));
  return {};
}

}  // namespace

base::Result<Broker> Broker::open(const config::Config& config, Keys keys) {
  auto kernel = xfrm::Kernel::open();
  if (!kernel) return tl::unexpected(kernel.error());
  auto map = nft::PeerMap::open();
  if (!map) return tl::unexpected(map.error());
  return Broker(config, std::move(keys), std::move(*kernel), std::move(*map));
}

bool Broker::ours(xfrm::Reqid reqid, const std::optional<xfrm::MaskedMark>& mark) const {
  if (reqid.value == 0 || (reqid.value & ~marks_.mask) != 0) return false;
  return !mark || *mark == xfrm::MaskedMark{reqid.value, marks_.mask};
}

bool Broker::may_be_alias(const base::Address& address) const {
  return !address.is_v4() || marks_.alias.contains(address);
}

bool Broker::ours(const xfrm::Sa& sa) const {
  if (sa.set_mark) return ours(sa.reqid, sa.set_mark) && may_be_alias(sa.selector.source.network);
  // What is sent to an IPv6 address finds a peer's SA and policy by the mark alone.
  return ours(sa.reqid, sa.mark) && (sa.mark || sa.destination.is_v4()) && may_be_alias(sa.destination);
}

bool Broker::ours(const xfrm::Policy& policy) const {
  const auto& destination = policy.selector.destination.network;
  return ours(policy.reqid, policy.mark) && policy.direction == xfrm::Direction::out &&
         (policy.mark || destination.is_v4()) && may_be_alias(destination);
}

nl::Result<void> Broker::add_to_maps(const ike::PeerEntry& peer) {
  if (!peer.alias.is_v4()) return {};
  return map_.add_peer(peer.mark, peer.alias, peer.home);
}

nl::Result<nft::Change> Broker::remove_from_maps(const ike::PeerEntry& peer) {
  if (!peer.alias.is_v4()) return ruleset_loaded() ? nft::Change::made : nft::Change::absent;
  return map_.remove_peer(peer.mark, peer.alias);
}

base::Result<void> Broker::install(const ike::InstallInbound& request) {
  if (!ours(request.sa)) return outside_our_range();
  if (request.new_entry) {
    if (auto added = add_to_maps(*request.new_entry); !added) return nl::as_base(std::move(added.error()));
  }
  auto installed = kernel_.install(request.sa);
  if (installed) return {};
  if (request.new_entry) (void)remove_from_maps(*request.new_entry);
  return nl::as_base(std::move(installed.error()));
}

base::Result<void> Broker::install(const ike::InstallOutbound& request) {
  if (!ours(request.sa) || (request.new_policy && !ours(*request.new_policy))) return outside_our_range();
  if (auto installed = kernel_.install(request.sa); !installed)
    return nl::as_base(std::move(installed.error()));
  if (!request.new_policy) return {};
  // A kept one may bear the same name.
  (void)remove_policies(std::exchange(kept_, {}));
  auto policy = kernel_.install(*request.new_policy);
  if (policy) return {};
  (void)kernel_.remove(xfrm::id_of(request.sa));
  return nl::as_base(std::move(policy.error()));
}

base::Result<void> Broker::remove(const ike::RemoveSa& request) {
  return absent_is_fine(kernel_.remove(request.sa));
}

// What is still sent to a peer that has gone meets its policy, which has no SA, or the leak guard of the
// ruleset. Where that has been flushed the policy stays, or it would leave in clear text.
base::Result<void> Broker::remove(const ike::RemovePeer& request) {
  const auto unmapped = remove_from_maps(request.entry);
  if (unmapped != nft::Change::made && !ruleset_loaded()) {
    kept_.insert(kept_.end(), request.policies.begin(), request.policies.end());
    return {};
  }
  auto out = remove_policies(request.policies);
  if (out && !unmapped) return nl::as_base(unmapped.error());
  return out;
}

base::Result<void> Broker::remove_policies(const std::vector<xfrm::PolicyId>& policies) {
  base::Result<void> out;
  for (const auto& policy : policies) {
    if (auto removed = absent_is_fine(kernel_.remove(policy)); out && !removed) out = std::move(removed);
  }
  return out;
}

base::Result<void> Broker::fill_maps(const std::vector<ike::PeerEntry>& peers) {
  base::Result<void> out;
  for (const auto& peer : peers) {
    const auto added = add_to_maps(peer);
    if (out && !added) out = nl::as_base(added.error());
  }
  auto removed = remove_policies(std::exchange(kept_, {}));
  return out ? removed : out;
}

base::Result<void> Broker::move_encap(const xfrm::SaId& id, const xfrm::Encap& encap, base::Mark owner) {
  auto installed = kernel_.get(id);
  if (!installed) return absent_is_fine(tl::unexpected(installed.error()));
  // The keys come from the kernel, so that nobody has to keep them for this.
  auto& sa = installed->sa;
  // The kernel may have refused this name to the peer because it is another's.
  if (!ours(sa) || sa.reqid.value != owner.value || !sa.encap || sa.encap == encap) return {};
  sa.encap = encap;
  return absent_is_fine(kernel_.update(sa));
}

base::Result<void> Broker::move(const ike::MovePeer& request) {
  if (!may_be_alias(request.alias)) return outside_our_range();
  base::Result<void> out;
  const auto keep = [&out](base::Result<void> result) {
    if (out && !result) out = std::move(result);
  };
  for (const auto& id : request.outbound)
    keep(move_encap(id, {.source_port = ike::natt_port, .destination_port = request.port}, request.mark));
  for (const auto& id : request.inbound)
    keep(move_encap(id, {.source_port = request.port, .destination_port = ike::natt_port}, request.mark));
  if (!request.new_home) return out;
  const auto moved = map_.move_peer(request.alias, *request.new_home);
  if (!moved) keep(nl::as_base(moved.error()));
  if (moved && *moved == nft::Change::absent)
    keep(base::fail("the map home has no element for " + request.alias.to_string() +
                    ": was the ruleset flushed?"));
  return out;
}

base::Result<xfrm::SaStatistics> Broker::statistics(const xfrm::SaId& id) {
  auto out = kernel_.statistics(id);
  if (!out) return nl::as_base(std::move(out.error()));
  return *out;
}

base::Result<Traffic> Broker::traffic() {
  auto sas = kernel_.dump_sas();
  if (!sas) return nl::as_base(std::move(sas.error()));
  Traffic out;
  for (const auto& [sa, statistics] : *sas) {
    if (ours(sa)) (sa.set_mark ? out.in : out.out) += statistics.bytes;
  }
  return out;
}

base::Result<std::vector<xfrm::SaId>> Broker::inbound_sas() {
  auto sas = kernel_.dump_sas();
  if (!sas) return nl::as_base(std::move(sas.error()));
  std::vector<xfrm::SaId> out;
  for (const auto& [sa, statistics] : *sas) {
    if (sa.set_mark && ours(sa)) out.push_back(xfrm::id_of(sa));
  }
  return out;
}

base::Result<void> Broker::open_l2tp_port(config::Cleartext cleartext) {
  const auto allowed =
      cleartext == config::Cleartext::off ? nft::Cleartext::refused : nft::Cleartext::allowed;
  if (auto done = map_.flush_tunnels(); !done) return nl::as_base(std::move(done.error()));
  if (auto done = map_.set_latch(nft::Latch::off); !done) return nl::as_base(std::move(done.error()));
  if (auto done = map_.set_cleartext(allowed); !done) return nl::as_base(std::move(done.error()));
  return {};
}

// One thing that will not go is no reason to leave the others; the first complaint is told.
base::Result<void> Broker::clean_up() {
  base::Result<void> out;
  const auto keep = [&out](base::Result<void> removed) {
    if (out && !removed) out = std::move(removed);
  };
  const bool guarded = ruleset_loaded();
  if (!guarded)
    keep(base::fail(
        "table inet sameroof is gone: policies stay, so that nothing for peers leaves in clear text"));
  auto policies = kernel_.dump_policies();
  if (!policies) {
    keep(nl::as_base(std::move(policies.error())));
  } else {
    for (const auto& policy : *policies) {
      if (guarded && ours(policy)) keep(absent_is_fine(kernel_.remove(xfrm::id_of(policy))));
    }
  }
  auto sas = kernel_.dump_sas();
  if (!sas) {
    keep(nl::as_base(std::move(sas.error())));
  } else {
    for (const auto& [sa, statistics] : *sas) {
      if (ours(sa)) keep(absent_is_fine(kernel_.remove(xfrm::id_of(sa))));
    }
  }
  if (!guarded) return out;
  if (auto flushed = map_.flush_peers(); !flushed) keep(nl::as_base(std::move(flushed.error())));
  return out;
}

}  // namespace ikd
