#include "ikd/metrics.h"

#include <algorithm>
#include <map>

namespace ikd {
namespace {

using control::counter;
using control::gauge;

template <class Enum, std::size_t size>
std::map<std::string, std::uint64_t> by_name(const std::array<std::uint64_t, size>& counts) {
  std::map<std::string, std::uint64_t> out;
  for (std::size_t i = 0; i < size; ++i) out[std::string(name_of(static_cast<Enum>(i)))] = counts[i];
  return out;
}

}  // namespace

void Metrics::count(const ike::Event& event) {
  ++by_kind_[static_cast<std::size_t>(event.kind)];
  if (event.refusal != ike::Refusal::none) ++by_refusal_[static_cast<std::size_t>(event.refusal)];
  if (event.kind == ike::EventKind::peer_authenticated) phase_1_.observe(event.took);
  if (event.kind == ike::EventKind::peer_up) phase_2_.observe(event.took);
}

void Metrics::carried(const Traffic& traffic) {
  carried_.in = std::max(carried_.in, traffic.in);
  carried_.out = std::max(carried_.out, traffic.out);
}

std::vector<control::MetricFamily> Metrics::families(const Now& now) const {
  using ike::EventKind;
  const auto& c = now.engine.counters();
  auto refusals = by_name<ike::Refusal>(by_refusal_);
  refusals.erase("none");
  std::map<std::string, std::uint64_t> rules;
  for (const auto& [rule, packets] : now.rules) rules[rule] = packets;
  control::MetricFamily latency{
      "sameroof_ike_setup_seconds",
      "How long a setup took: Main Mode from message 1 on, Quick Mode until the SAs "
      "are there.",
      control::MetricType::histogram,
      {}};
  phase_1_.add_to(latency, {{"phase", "main_mode"}});
  phase_2_.add_to(latency, {{"phase", "quick_mode"}});
  return {
      gauge("sameroof_ike_start_time_seconds", "When ikd started, in Unix time.", now.started),
      gauge("sameroof_ike_peers", "Peers that IKE has authenticated.", now.engine.peers().size()),
      gauge("sameroof_ike_isakmp_sas", "ISAKMP SAs, half-open ones included.", now.engine.isakmp_sas()),
      gauge("sameroof_ike_half_open", "Negotiations that have not authenticated their peer yet.",
            now.engine.half_open()),
      gauge("sameroof_ike_key_exchanges_waiting", "Jobs that wait for a worker thread (Diffie-Hellman).",
            now.key_exchanges_waiting),
      counter("sameroof_ike_datagrams_received", "Datagrams on UDP 500 and 4500 that were none of ESP.",
              c.received),
      counter("sameroof_ike_datagrams_repeated", "Datagrams that had been received before.", c.duplicates),
      counter("sameroof_ike_send_failures", "Datagrams that the kernel did not take.", now.send_failures),
      counter("sameroof_ike_keepalives_received", "NAT keepalives of peers.", c.keepalives),
      counter("sameroof_ike_keepalives_sent", "NAT keepalives of ours.", c.keepalives_sent),
      counter("sameroof_ike_nat_moves", "Peers whose NAT gave them another port or address.", c.moves),
      counter("sameroof_ike_main_modes", "Main and Aggressive Modes that ended well.", c.main_modes),
      counter("sameroof_ike_quick_modes", "Quick Modes that ended well.", c.quick_modes),
      counter("sameroof_ike_peers_up", "Peers that got their first IPsec SAs.", events(EventKind::peer_up)),
      counter("sameroof_ike_peers_gone", "Peers that are gone.", events(EventKind::peer_gone)),
      counter("sameroof_ike_rekeys", "ISAKMP and IPsec SAs that were renewed.", events(EventKind::rekeyed)),
      counter("sameroof_ike_rekey_failures", "Rekeys of ours that came to nothing.",
              events(EventKind::rekey_failed)),
      control::counters("sameroof_ike_failures", "Setups that failed, by reason.", "reason", refusals),
      control::counters("sameroof_ike_dropped", "Messages that were dropped without an answer, by reason.",
                        "reason", by_name<ike::DropReason>(c.dropped)),
      control::counters("sameroof_nft_packets",
                        "Packets that the ruleset dropped, or took our mark from (cleared_mark), by rule.",
                        "rule", rules),
      control::counters("sameroof_ipsec_bytes", "What IPsec SAs have carried: in from peers, out to them.",
                        "direction", {{"in", carried_.in}, {"out", carried_.out}}),
      std::move(latency),
  };
}

}  // namespace ikd
