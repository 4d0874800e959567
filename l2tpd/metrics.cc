#include "l2tpd/metrics.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include <nlohmann/json.hpp>

#include "control/server.h"
#include "l2tpd/daemon.h"

namespace l2tpd {
namespace {

using control::counter;
using control::gauge;

constexpr const char* phase_names[] = {"tunnel", "session", "ppp"};

}  // namespace

void Metrics::link_carries(const std::string& ifname, const InterfaceBytes& bytes) {
  const auto link = links_.find(ifname);
  if (link == links_.end()) return;
  auto& before = link->second;
  const auto add = [](std::uint64_t& sum, std::uint64_t& old, std::uint64_t now) {
    // What cannot be read counts as nothing.
    if (now > old) sum += now - std::exchange(old, now);
  };
  add(carried_.in, before.in, bytes.in);
  add(carried_.out, before.out, bytes.out);
}

std::optional<std::string> Metrics::link_after(const std::string& ifname) const {
  const auto next = links_.upper_bound(ifname);
  return next == links_.end() ? std::nullopt : std::optional(next->first);
}

std::vector<control::MetricFamily> Metrics::families(const Tunnels& all, const Links& links,
                                                     const HookCounters& hooks,
                                                     const DaemonCounters& counters, double started) const {
  std::uint64_t tunnels = 0, half_open = 0, sessions = 0;
  for (const auto& [id, tunnel] : all.all()) {
    tunnels += tunnel.stands();
    half_open += !tunnel.established;
    sessions += tunnel.sessions.size();
  }
  std::map<std::string, std::uint64_t> refusals, dropped;
  std::map<std::string, std::uint64_t> ended{{"by_us", 0}};  // a counter is there before it counts
  for (std::size_t i = 1; i < refusals_.size(); ++i)
    refusals[std::string(name_of(static_cast<Refusal>(i)))] = refusals_[i];
  for (std::size_t i = 0; i < l2tp::drop_reason_names.size(); ++i)
    dropped[l2tp::drop_reason_names[i]] = all.counts().dropped[i];
  dropped["clear_text"] = all.counts().clear_text;
  dropped["marked"] = all.counts().marked;
  dropped["astray"] = all.counts().astray;
  for (const auto& [name, count] : links.counters().ended) ended[name] = count;
  control::MetricFamily latency{
      "sameroof_l2tp_setup_seconds",
      "How long a setup took: tunnel until SCCCN, session until ICCN, PPP until IPCP or IPV6CP.",
      control::MetricType::histogram,
      {}};
  for (std::size_t i = 0; i < latency_.size(); ++i) latency_[i].add_to(latency, {{"phase", phase_names[i]}});
  return {
      gauge("sameroof_l2tp_start_time_seconds", "When l2tpd started, in Unix time.", started),
      gauge("sameroof_l2tp_tunnels", "Tunnels that stand.", tunnels),
      gauge("sameroof_l2tp_half_open", "Tunnels that wait for SCCCN.", half_open),
      gauge("sameroof_l2tp_sessions", "Sessions, those whose PPP is being negotiated included.", sessions),
      gauge("sameroof_l2tp_pppd", "pppd processes.", links.size()),
      gauge("sameroof_l2tp_addresses_in_use", "Addresses that users have.", links.pool().in_use()),
      counter("sameroof_l2tp_tunnels_up", "Tunnels that came up.", counters.tunnels),
      counter("sameroof_l2tp_pppd_started", "pppd processes that were started.", links.counters().started),
      counter("sameroof_l2tp_logins", "Logins that were granted.", links.counters().logins),
      counter("sameroof_l2tp_send_failures", "Datagrams that the kernel did not take.",
              counters.send_failures + all.counts().send_failures),
      control::counters("sameroof_l2tp_failures", "Setups that failed, by reason.", "reason", refusals),
      control::counters("sameroof_l2tp_sessions_ended", "pppd processes that ended, by reason.", "reason",
                        ended),
      control::counters("sameroof_l2tp_dropped", "Datagrams that had no effect, by reason.", "reason",
                        dropped),
      control::counters("sameroof_l2tp_hooks",
                        "Programs of [hooks] by what became of them; dropped: events told to none.",
                        "outcome",
                        {{"started", hooks.started},
                         {"failed", hooks.failed},
                         {"timed_out", hooks.timed_out},
                         {"dropped", hooks.dropped}}),
      control::counters("sameroof_ppp_bytes", "What PPP links have carried: in from clients, out to them.",
                        "direction", {{"in", carried_.in}, {"out", carried_.out}}),
      std::move(latency),
  };
}

void serve_metrics(control::Server& control, Metrics& metrics, const Tunnels& tunnels, const Links& links,
                   const HookCounters& hooks, const DaemonCounters& counters, base::Time started,
                   std::function<InterfaceBytes(const std::string&)> bytes_of) {
  control.handle("Metrics", [&metrics, &tunnels, &links, &hooks, &counters, started,
                             bytes_of = std::move(bytes_of)](const control::Json&, control::Call call) {
    const auto shared = std::make_shared<control::Call>(std::move(call));
    shared->in_turns([&metrics, &tunnels, &links, &hooks, &counters, started, bytes_of, shared,
                      last = std::string()]() mutable {
      if (const auto next = metrics.link_after(last)) {
        metrics.link_carries(*next, bytes_of(*next));
        last = *next;
        return true;
      }
      const auto since = std::chrono::system_clock::now() - (base::Clock::now() - started);
      const auto unix_time = std::floor(std::chrono::duration<double>(since.time_since_epoch()).count());
      auto families = control::Json::array();
      for (const auto& family : metrics.families(tunnels, links, hooks, counters, unix_time))
        families.push_back(control::to_json(family));
      shared->reply({{"families", std::move(families)}});
      return false;
    });
  });
}

}  // namespace l2tpd
