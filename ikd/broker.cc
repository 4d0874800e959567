#include "ikd/broker.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "ikd/settings.h"

namespace ikd {
namespace {

base::Result<void> outside_our_range() {
  return base::fail("an SA or policy outside our range of marks was refused");
}

/// By an SA of ours: those that set a mark are the inbound ones.
Traffic carried_by(const xfrm::InstalledSa& installed) {
  const auto bytes = installed.statistics.bytes;
  return installed.sa.set_mark ? Traffic{.in = bytes, .out = 0} : Traffic{.in = 0, .out = bytes};
}

/// Time is no matter of the kernel's (ike/lifetimes.h).
bool past(const xfrm::Limits& soft, const xfrm::SaStatistics& carried) {
  return (soft.bytes && carried.bytes >= *soft.bytes) || (soft.packets && carried.packets >= *soft.packets);
}

/// Sequence numbers of an SA that may be used up between looking at it and its successor's taking over.
constexpr std::uint32_t sent_meanwhile = 1 << 16;

/// Where its successor goes on. The limits of packets stand for those of numbers, of which some are left out.
xfrm::SaStatistics going_on(xfrm::InstalledSa& installed) {
  auto carried = installed.statistics;
  const std::uint64_t left_out =
      std::min(sent_meanwhile, std::numeric_limits<std::uint32_t>::max() - carried.sent);
  carried.sent += static_cast<std::uint32_t>(left_out);
  for (auto* limit : {&installed.sa.lifetimes.soft.packets, &installed.sa.lifetimes.hard.packets}) {
    if (*limit) **limit -= std::min(left_out, **limit);
  }
  return carried;
}

/// On the outside. An IPv6 peer's alias is where it is.
std::optional<xfrm::Ends> place_of(const ike::PeerEntry& peer) {
  if (!peer.alias.is_v4()) return std::nullopt;
  return xfrm::Ends{.source = peer.dialled, .destination = peer.home};
}

using ike::DoneOrRefused;

DoneOrRefused by_xfrm(base::Result<void> done) {
  return refused_as(ike::Refusal::kernel_refused, std::move(done));
}

DoneOrRefused by_nft(base::Result<void> done) {
  return refused_as(ike::Refusal::nft_refused, std::move(done));
}

base::Result<void> too_many(const char* what) {
  return base::fail(std::string("one peer asks for too many ") + what);
}

bool is_absent(const nl::Error& error) { return error.number == ESRCH || error.number == ENOENT; }

base::Result<void> absent_is_fine(nl::Result<void> result) {
  if (!result && !is_absent(result.error())) return nl::as_base(std::move(result.error()));
  return {};
}

}  // namespace

base::Result<Broker> Broker::open(const config::Config& config) {
  auto kernel = xfrm::Kernel::open();
  if (!kernel) return tl::unexpected(kernel.error());
  auto map = nft::PeerMap::open();
  if (!map) return tl::unexpected(map.error());
  return Broker(Range(numbering_from(config), services_from(config)), std::move(*kernel), std::move(*map));
}

const xfrm::Ends* Broker::place_at(const base::Address& alias) const {
  const auto peer = range_.peer_at(alias);
  const auto found = peer ? peers_.find(*peer) : peers_.end();
  return found != peers_.end() && found->second.place ? &*found->second.place : nullptr;
}

xfrm::SaId Broker::in_kernel(xfrm::SaId id) const {
  if (const auto* place = place_at(id.destination)) id.destination = place->destination;
  return id;
}

xfrm::Sa Broker::in_kernel(const xfrm::Sa& outbound) const {
  auto sa = outbound.clone();
  if (const auto* place = place_at(sa.destination)) {
    sa.mode = xfrm::Mode::beet;
    sa.source = place->source;
    sa.destination = place->destination;
  }
  return sa;
}

xfrm::Policy Broker::in_kernel(xfrm::Policy policy) const {
  if (const auto* place = place_at(policy.selector.destination.network)) policy.outer = *place;
  return policy;
}

void Broker::forget_dropped(Peer& peer) {
  std::erase_if(peer.sas, [this](const xfrm::SaId& id) {
    const auto sa = kernel_.get(in_kernel(id));
    return !sa && is_absent(sa.error());
  });
}

nl::Result<void> Broker::add_to_maps(const ike::PeerEntry& peer) {
  if (!peer.alias.is_v4()) return {};
  return map_.add_peer(peer.mark, peer.alias, peer.dialled);
}

nl::Result<nft::Change> Broker::remove_from_maps(const ike::PeerEntry& peer) {
  if (!peer.alias.is_v4()) return ruleset_loaded() ? nft::Change::made : nft::Change::absent;
  return map_.remove_peer(peer.mark, peer.alias);
}

bool Broker::room_for_another(xfrm::Reqid reqid) {
  const auto found = peers_.find(reqid);
  if (found == peers_.end()) return true;
  auto& peer = found->second;
  if (peer.sas.size() >= range_.most_sas()) forget_dropped(peer);
  return peer.sas.size() < range_.most_sas();
}

// Asked for one that has a mark the kernel may name one that has none, as plain ESP: it takes such a one in.
bool Broker::hides_another(const xfrm::Sa& unmarked) const {
  const auto there = in_kernel(xfrm::id_of(unmarked));
  const auto is_hidden = [&](const xfrm::SaId& id) {
    return id.spi == there.spi && in_kernel(id).destination == there.destination;
  };
  return std::ranges::any_of(peers_, [&](const auto& of) {
    return of.first != unmarked.reqid && std::ranges::any_of(of.second.sas, is_hidden);
  });
}

bool Broker::room_for_policy(xfrm::Reqid reqid) const {
  const auto found = peers_.find(reqid);
  return found == peers_.end() || found->second.policies.size() < range_.most_policies();
}

DoneOrRefused Broker::install(const ike::InstallInbound& request) {
  if (!range_.admits(request)) return by_xfrm(outside_our_range());
  if (!room_for_another(request.sa.reqid)) return by_xfrm(too_many("SAs"));
  const auto& entry = request.new_entry;
  const auto place = entry ? place_of(*entry) : std::nullopt;
  const auto* known = entry ? place_at(entry->alias) : nullptr;
  // A peer's SAs are found by its place, which only move() changes, with them.
  if (known != nullptr && *known != place)
    return by_xfrm(base::fail(entry->alias.to_string() + " is known at another place"));
  if (entry) {
    if (auto added = add_to_maps(*entry); !added) return by_nft(nl::as_base(std::move(added.error())));
  }
  if (auto installed = kernel_.install(request.sa); !installed) {
    if (entry && known == nullptr) (void)remove_from_maps(*entry);
    return by_xfrm(nl::as_base(std::move(installed.error())));
  }
  auto& peer = peers_[request.sa.reqid];
  if (place) peer.place = place;
  peer.sas.push_back(xfrm::id_of(request.sa));
  return {};
}

DoneOrRefused Broker::install(const ike::InstallOutbound& request) {
  if (!range_.admits(request)) return by_xfrm(outside_our_range());
  if (request.sa.destination.is_v4() && place_at(request.sa.destination) == nullptr)
    return by_xfrm(base::fail("nobody is known at " + request.sa.destination.to_string()));
  if (!room_for_another(request.sa.reqid)) return by_xfrm(too_many("SAs"));
  if (!request.sa.mark && hides_another(request.sa))
    return by_xfrm(base::fail("another peer at " + in_kernel(request.sa).destination.to_string() +
                              " has chosen the same SPI"));
  if (request.new_policy && !room_for_policy(request.sa.reqid)) return by_xfrm(too_many("policies"));
  if (auto installed = kernel_.install(in_kernel(request.sa)); !installed)
    return by_xfrm(nl::as_base(std::move(installed.error())));
  auto& peer = peers_[request.sa.reqid];
  peer.sas.push_back(xfrm::id_of(request.sa));
  if (!request.new_policy) return {};
  // One that was kept of the number's last owner has this name, and becomes its own.
  const auto id = xfrm::id_of(*request.new_policy);
  const bool kept = std::ranges::find(kept_, id) != kept_.end();
  const auto wanted = in_kernel(*request.new_policy);
  auto policy = kept ? kernel_.update(wanted) : kernel_.install(wanted);
  if (policy) {
    std::erase(kept_, id);
    peer.policies.push_back(id);
    return {};
  }
  (void)remove(ike::RemoveSa{xfrm::id_of(request.sa), base::Mark(request.sa.reqid.value)});
  return by_xfrm(nl::as_base(std::move(policy.error())));
}

base::Result<Traffic> Broker::remove(const ike::RemoveSa& request) {
  const auto name = in_kernel(request.sa);
  const auto there = kernel_.get(name);
  if (!there && is_absent(there.error())) return Traffic{};
  if (!there) return nl::as_base(there.error());
  // The kernel may have refused this name to the peer because it is another's.
  if (!range_.holds(there->sa)) return tl::unexpected(outside_our_range().error());
  if (there->sa.reqid.value != request.owner.value) return Traffic{};
  if (auto removed = absent_is_fine(kernel_.remove(name)); !removed)
    return tl::unexpected(std::move(removed.error()));
  if (const auto found = peers_.find(there->sa.reqid); found != peers_.end())
    std::erase(found->second.sas, request.sa);
  return carried_by(*there);
}

// What is still sent to a peer that has gone meets its policy, which has no SA, or the leak guard of the
// ruleset. Where that has been flushed the policy stays, or it would leave in clear text.
DoneOrRefused Broker::remove(const ike::RemovePeer& request) {
  if (!range_.admits(request.entry)) return by_xfrm(outside_our_range());
  if (const auto found = peers_.find(xfrm::Reqid(request.entry.mark.value)); found != peers_.end()) {
    auto& peer = found->second;
    kept_.insert(kept_.end(), peer.policies.begin(), peer.policies.end());
    peer.policies.clear();
    // An SA that could not be removed in its time would stamp this mark when it is somebody else's.
    for (const auto& id : std::vector(peer.sas)) (void)remove(ike::RemoveSa{id, request.entry.mark});
    forget_dropped(peer);
    if (peer.sas.empty()) peers_.erase(found);
  }
  const auto unmapped = remove_from_maps(request.entry);
  if (unmapped != nft::Change::made && !ruleset_loaded()) return {};
  auto out = by_xfrm(remove_kept());
  if (out && !unmapped) return by_nft(nl::as_base(unmapped.error()));
  return out;
}

base::Result<void> Broker::remove_kept() {
  base::Result<void> out;
  std::erase_if(kept_, [&](const xfrm::PolicyId& policy) {
    auto removed = absent_is_fine(kernel_.remove(policy));
    const bool gone = removed.has_value();
    if (out && !gone) out = std::move(removed);
    return gone;
  });
  return out;
}

base::Result<void> Broker::fill_maps(const std::vector<ike::PeerEntry>& peers) {
  if (!std::ranges::all_of(peers, [this](const auto& peer) { return range_.admits(peer); }))
    return outside_our_range();
  base::Result<void> out;
  for (const auto& peer : peers) {
    const auto added = add_to_maps(peer);
    if (out && !added) out = nl::as_base(added.error());
  }
  if (!ruleset_loaded()) return out;
  auto removed = remove_kept();
  return out ? removed : out;
}

nl::Result<std::optional<xfrm::InstalledSa>> Broker::movable(const xfrm::SaId& id, base::Mark owner) {
  auto installed = kernel_.get(in_kernel(id));
  if (!installed && is_absent(installed.error())) return std::nullopt;
  if (!installed) return tl::unexpected(std::move(installed.error()));
  // The keys come from the kernel, so that nobody has to keep them for this.
  auto& sa = installed->sa;
  // The kernel may have refused this name to the peer because it is another's.
  if (!range_.holds(sa) || sa.reqid.value != owner.value) return std::nullopt;
  // The kernel counts it by the wall clock, and looks at once: had that been set meanwhile, the SA could be
  // gone. The core ends it in time by a clock that nobody sets.
  sa.lifetimes.hard.time.reset();
  return std::move(*installed);
}

base::Result<void> Broker::move_encap(const xfrm::SaId& id, const xfrm::Encap& encap, base::Mark owner) {
  auto installed = movable(id, owner);
  if (!installed) return nl::as_base(std::move(installed.error()));
  if (!*installed || !(*installed)->sa.encap || (*installed)->sa.encap == encap) return {};
  (*installed)->sa.encap = encap;
  return absent_is_fine(kernel_.update((*installed)->sa));
}

base::Result<void> Broker::lead_policies(const Peer& peer, xfrm::Reqid reqid) {
  for (const auto& id : peer.policies) {
    const xfrm::Policy policy{
        .selector = id.selector, .direction = id.direction, .mark = id.mark, .reqid = reqid};
    if (auto led = kernel_.update(in_kernel(policy)); !led) return nl::as_base(std::move(led.error()));
  }
  return {};
}

// An SA's address is part of its name, so each is made anew, and goes on counting where the old one is;
// those take over as the policies name their address, and nothing that is sent meanwhile finds no SA.
DoneOrRefused Broker::move_home(const ike::MovePeer& request) {
  const xfrm::Reqid reqid(request.mark.value);
  auto& peer = peers_.at(reqid);
  const auto before = peer.place;
  std::vector<xfrm::SaId> old, made;
  const auto make_anew = [&]() -> base::Result<void> {
    for (const auto& id : peer.sas) {
      if (id.destination != request.alias) continue;
      auto there = movable(id, request.mark);
      if (!there) return nl::as_base(std::move(there.error()));
      if (!*there) continue;
      auto& sa = (*there)->sa;
      old.push_back(xfrm::id_of(sa));
      sa.destination = *request.new_home;
      if (sa.encap) sa.encap = {.source_port = ike::natt_port, .destination_port = request.port};
      const auto carried = going_on(**there);
      if (auto done = kernel_.install(sa, carried); !done) return nl::as_base(std::move(done.error()));
      made.push_back(xfrm::id_of(sa));
    }
    peer.place->destination = *request.new_home;
    return lead_policies(peer, reqid);
  };
  auto done = make_anew();
  if (!done) {
    peer.place = before;
    (void)lead_policies(peer, reqid);
    old = std::move(made);
  }
  for (const auto& id : old) {
    if (auto removed = absent_is_fine(kernel_.remove(id)); done && !removed) done = std::move(removed);
  }
  return by_xfrm(std::move(done));
}

DoneOrRefused Broker::move(const ike::MovePeer& request) {
  if (!range_.admits(request)) return by_xfrm(outside_our_range());
  DoneOrRefused out;
  const auto keep = [&out](DoneOrRefused result) {
    if (out && !result) out = std::move(result);
  };
  for (const auto& id : request.inbound)
    keep(by_xfrm(
        move_encap(id, {.source_port = request.port, .destination_port = ike::natt_port}, request.mark)));
  const auto* place = place_at(request.alias);
  if (request.new_home && place != nullptr && place->destination != *request.new_home) {
    keep(move_home(request));
    return out;
  }
  for (const auto& id : request.outbound)
    keep(by_xfrm(
        move_encap(id, {.source_port = ike::natt_port, .destination_port = request.port}, request.mark)));
  return out;
}

base::Result<std::vector<xfrm::SaStatistics>> Broker::count(const std::vector<xfrm::SaId>& sas) {
  std::vector<xfrm::SaStatistics> out;
  for (const auto& id : sas) {
    const auto there = kernel_.get(in_kernel(id));
    if (!there && !is_absent(there.error())) return nl::as_base(there.error());
    out.push_back(there && range_.holds(there->sa) ? there->statistics : xfrm::SaStatistics{});
  }
  return out;
}

base::Result<std::vector<RuleCount>> Broker::rule_counts() {
  const auto counters = map_.counters();
  if (!counters) return nl::as_base(counters.error());
  std::vector<RuleCount> out;
  for (const auto& counter : *counters) out.push_back({counter.name, counter.packets});
  return out;
}

base::Result<Comparison> Broker::compare(const std::vector<xfrm::SaId>& sas) {
  Comparison out;
  for (const auto& id : sas) {
    const auto there = kernel_.get(in_kernel(id));
    if (!there && !is_absent(there.error())) return nl::as_base(there.error());
    if (!there || !range_.holds(there->sa)) {
      out.absent.push_back(id);
    } else if (past(there->sa.lifetimes.soft, there->statistics)) {
      out.worn.push_back(id);
    }
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
      if (guarded && range_.holds(policy)) keep(absent_is_fine(kernel_.remove(xfrm::id_of(policy))));
    }
  }
  auto sas = kernel_.dump_sas();
  if (!sas) {
    keep(nl::as_base(std::move(sas.error())));
  } else {
    for (const auto& [sa, statistics] : *sas) {
      if (range_.holds(sa)) keep(absent_is_fine(kernel_.remove(xfrm::id_of(sa))));
    }
  }
  if (!guarded) return out;
  if (auto flushed = map_.flush_peers(); !flushed) keep(nl::as_base(std::move(flushed.error())));
  return out;
}

}  // namespace ikd
