// What ikd answers on its control socket (control/interfaces.h).

#include <ctime>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "control/interfaces.h"
#include "control/rows.h"
#include "ikd/daemon.h"
#include "ikd/peer_row.h"
#include "ikd/reload.h"

namespace ikd {
namespace {

using control::Call;
using control::Json;

std::uint64_t seconds_since(base::Time then) {
  const auto passed = std::chrono::duration_cast<std::chrono::seconds>(base::Clock::now() - then).count();
  return passed < 0 ? 0 : static_cast<std::uint64_t>(passed);
}

std::time_t unix_time_of(base::Time then) {
  return std::time(nullptr) - static_cast<std::time_t>(seconds_since(then));
}

std::optional<std::uint32_t> u32_from(const Json& number) {
  const auto value = number.get<std::int64_t>();
  if (value < 0 || value > 0xffffffff) return std::nullopt;
  return static_cast<std::uint32_t>(value);
}

std::string_view event_word(ike::EventKind kind) {
  switch (kind) {
    case ike::EventKind::peer_up: return control::event::up;
    case ike::EventKind::rekeyed:
    case ike::EventKind::peer_moved: return control::event::changed;
    case ike::EventKind::peer_lost:
    case ike::EventKind::peer_gone: return control::event::down;
    default: return {};
  }
}

control::Status status_of(const ike::Engine& engine, base::Time started, std::size_t waiting) {
  control::Status status{.version = SAMEROOF_VERSION,
                         .pid = static_cast<std::uint32_t>(::getpid()),
                         .uptime_seconds = seconds_since(started),
                         .gauges = {{"peers", engine.peers().size()},
                                    {"isakmp_sas", engine.isakmp_sas()},
                                    {"half_open", engine.half_open()},
                                    {"key_exchanges_waiting", waiting}},
                         .counters = {},
                         .lns = {},
                         .cleartext = {}};
  const auto& counters = engine.counters();
  status.counters = {{"received", counters.received},
                     {"duplicates", counters.duplicates},
                     {"keepalives", counters.keepalives},
                     {"keepalives_sent", counters.keepalives_sent},
                     {"nat_moves", counters.moves},
                     {"main_modes", counters.main_modes},
                     {"quick_modes", counters.quick_modes},
                     {"authentication_failures", counters.authentication_failures},
                     {"refused_proposals", counters.refused_proposals}};
  for (std::size_t i = 0; i < counters.dropped.size(); ++i)
    status.counters[fmt::format("dropped_{}", name_of(ike::DropReason{static_cast<std::uint8_t>(i)}))] =
        counters.dropped[i];
  return status;
}

}  // namespace

control::Peer Daemon::row_of(const ike::Peer& peer, const std::vector<xfrm::SaStatistics>& counted) {
  const auto* sa = peer.isakmp_sas.empty() ? nullptr : engine_.isakmp_sa(*peer.isakmp_sas.rbegin());
  return ikd::row_of(peer, sa, counted, base::Clock::now());
}

control::Peer Daemon::row_of(const ike::Peer& peer) { return row_of(peer, counted(peer)); }

std::vector<xfrm::SaStatistics> Daemon::counted(const ike::Peer& peer) {
  const auto sas = counted_sas_of(peer);
  return broker_.count(sas).value_or(std::vector<xfrm::SaStatistics>(sas.size()));
}

void Daemon::tell_peer(std::optional<ike::PeerNumber> number, Call call) {
  const auto peer = number ? engine_.peers().find(*number) : engine_.peers().end();
  if (peer == engine_.peers().end()) return call.fail(control::no_such_peer);
  call.reply({{"peer", to_json(row_of(peer->second))}});
}

void Daemon::list_peers(Call call) {
  // By number: who comes and goes between two parts is no matter.
  control::reply_list(std::move(call), "peers", control::too_many_peers,
                      [this, last = ike::PeerNumber(0)](Json& rows) mutable {
                        const auto next = engine_.peers().upper_bound(last);
                        if (next == engine_.peers().end()) return false;
                        rows.push_back(to_json(row_of(next->second)));
                        last = next->first;
                        return true;
                      });
}

/// News go out at once; of a peer that is still to be shown as present they only come sooner.
void Daemon::follow_peers(Call call) {
  std::erase_if(monitors_, [](const auto& m) { return !m->alive(); });
  const auto& monitor = monitors_.emplace_back(std::make_shared<Call>(std::move(call)));
  monitor->in_turns([this, monitor, last = ike::PeerNumber(0)]() mutable {
    const auto next = engine_.peers().upper_bound(last);
    if (next == engine_.peers().end()) {
      monitor->reply_and_continue({{"event", control::event::settled}});
      return false;
    }
    last = next->first;
    if (next->second.was_up)
      monitor->reply_and_continue(
          {{"event", control::event::present}, {"peer", to_json(row_of(next->second))}});
    return true;
  });
}

/// What the SAs have carried is asked of the kernel peer by peer; packets come in between.
void Daemon::tell_metrics(Call call) {
  constexpr std::size_t sas_at_once = 64;
  const auto shared = std::make_shared<Call>(std::move(call));
  shared->in_turns([this, shared, last = ike::PeerNumber(0), traffic = metrics_.gone()]() mutable {
    std::vector<xfrm::SaId> sas;
    auto next = engine_.peers().upper_bound(last);
    for (; next != engine_.peers().end() && sas.size() < sas_at_once; ++next) {
      const auto own = counted_sas_of(next->second);
      sas.insert(sas.end(), own.begin(), own.end());
      last = next->first;
    }
    bool inbound = false;
    for (const auto& counted : broker_.count(std::move(sas)).value_or(std::vector<xfrm::SaStatistics>()))
      ((inbound = !inbound) ? traffic.in : traffic.out) += counted.bytes;
    if (next != engine_.peers().end()) return true;
    metrics_.carried(traffic);
    const Metrics::Now now{.engine = engine_,
                           .key_exchanges_waiting = workers_.waiting(),
                           .rules = broker_.rule_counts().value_or(std::vector<RuleCount>()),
                           .send_failures = send_failures_,
                           .started = static_cast<double>(unix_time_of(started_))};
    auto families = Json::array();
    for (const auto& family : metrics_.families(now)) families.push_back(control::to_json(family));
    shared->reply({{"families", std::move(families)}});
    return false;
  });
}

void Daemon::serve_control() {
  chronicle_.history().serve(*control_);
  control_->handle("Status", [this](const Json&, Call call) {
    auto status = status_of(engine_, started_, workers_.waiting());
    status.counters["send_failures"] = send_failures_;
    status.counters["removal_failures"] = removal_failures_;
    status.counters["move_failures"] = move_failures_;
    status.lns = l2tp_.lns == config::Lns::external ? "external" : "l2tpd";
    call.reply(to_json(status));
  });
  control_->handle("Metrics", [this](const Json&, Call call) { tell_metrics(std::move(call)); });
  control_->handle("ListPeers", [this](const Json&, Call call) { list_peers(std::move(call)); });
  control_->handle("PeerByMark", [this](const Json& parameters, Call call) {
    const auto mark = u32_from(parameters.at("mark"));
    tell_peer(mark ? engine_.numbering().number_of(base::Mark(*mark)) : std::nullopt, std::move(call));
  });
  control_->handle("PeerByNumber", [this](const Json& parameters, Call call) {
    const auto number = u32_from(parameters.at("peer"));
    tell_peer(number ? std::optional(ike::PeerNumber(*number)) : std::nullopt, std::move(call));
  });
  control_->handle("Monitor", [this](const Json&, Call call) { follow_peers(std::move(call)); });
  control_->handle("Terminate", [this](const Json& parameters, Call call) {
    const auto number = u32_from(parameters.at("peer"));
    const bool known =
        number && engine_.terminate(ike::PeerNumber(*number), "the operator ended it", base::Clock::now());
    drain();
    if (!known) return call.fail(control::no_such_peer);
    call.reply(Json::object());
  });
  control_->handle("CheckReload", [this](const Json&, Call call) {
    const auto lines = broker_.check_reload();
    if (!lines) return call.fail(control::refused_by_ike, {{"why", lines.error().message}});
    call.reply({{"changes", *lines}});
  });
  control_->handle("Reload", [this](const Json&, Call call) {
    const auto lines = reload();
    if (!lines) return call.fail(control::refused_by_ike, {{"why", lines.error().message}});
    call.reply({{"changes", summary(*lines)}});
  });
}

void Daemon::tell_monitors(const ike::Event& event) {
  const auto word = event_word(event.kind);
  if (word.empty() || monitors_.empty()) return;
  const auto peer = engine_.peers().find(event.peer);
  // Who has just come up has carried nothing, and the privileged process need not be asked.
  const auto carried = [&](const ike::Peer& its) {
    return event.kind == ike::EventKind::peer_up ? std::vector<xfrm::SaStatistics>(counted_sas_of(its).size())
                                                 : counted(its);
  };
  const auto row = peer != engine_.peers().end()
                       ? row_of(peer->second, carried(peer->second))
                       : row_of_gone(event, engine_.numbering().alias_of(event.peer, event.remote.address));
  const Json reply = {{"event", word}, {"peer", to_json(row)}};
  std::erase_if(monitors_, [](const auto& m) { return !m->alive(); });
  for (const auto& monitor : monitors_) monitor->reply_and_continue(reply);
}

}  // namespace ikd
