#include "l2tpd/status.h"

#include <functional>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "control/interfaces.h"
#include "control/rows.h"
#include "control/server.h"
#include "l2tpd/daemon.h"
#include "l2tpd/hooks.h"
#include "l2tpd/ipv6_links.h"
#include "l2tpd/links.h"
#include "l2tpd/tunnels.h"

namespace l2tpd {
namespace {

using control::Json;

std::uint64_t seconds_since(base::Time then) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(base::Clock::now() - then).count());
}

control::Tunnel row_of(const Tunnels::Tunnel& tunnel) {
  const auto& name = tunnel.name;
  control::Tunnel row;
  row.mark = name.mark.value;
  row.tunnel = name.id.value;
  row.peer_tunnel = name.peer.value;
  row.host_name = tunnel.host_name;
  row.address = name.remote.address.to_string();
  row.port = name.remote.port;
  row.local_address = name.local.address.to_string();
  row.sessions = static_cast<std::uint32_t>(tunnel.sessions.size());
  row.since_seconds = seconds_since(tunnel.since);
  return row;
}

control::Session row_of(const Tunnels::Tunnel& tunnel, const Tunnels::Session& session, const Links& links) {
  control::Session row;
  row.mark = tunnel.name.mark.value;
  row.tunnel = tunnel.name.id.value;
  row.peer_tunnel = tunnel.name.peer.value;
  row.session = session.name.id.value;
  row.peer_session = session.name.peer.value;
  row.since_seconds = seconds_since(session.since);
  const auto link = links.status(tunnel.name.id, session.name.id);
  if (!link) return row;
  row.user = link->user;
  row.ifname = link->ifname;
  if (link->address) row.ppp_address = link->address->to_string();
  if (link->ipv6_prefix) row.ipv6_prefix = link->ipv6_prefix->to_string();
  return row;
}

/// Tunnel by tunnel, in the order of their ids.
void reply_list(control::Call call, const char* member, const Tunnels& tunnels,
                std::function<void(const Tunnels::Tunnel&, Json&)> put) {
  control::reply_list(std::move(call), member, control::too_many_tunnels,
                      [&tunnels, put = std::move(put), last = l2tp::TunnelId()](Json& rows) mutable {
                        const auto next = tunnels.all().upper_bound(last);
                        if (next == tunnels.all().end()) return false;
                        put(next->second, rows);
                        last = next->first;
                        return true;
                      });
}

const char* word_for(config::Cleartext cleartext) {
  switch (cleartext) {
    case config::Cleartext::off: return "off";
    case config::Cleartext::beside: return "beside";
    case config::Cleartext::only: break;
  }
  return "only";
}

control::Status status_of(const Tunnels& all, const Links& links, const RouterCounters& router,
                          const HookCounters& hooks, const DaemonCounters& counters,
                          config::Cleartext cleartext, base::Time started) {
  control::Status out;
  out.version = SAMEROOF_VERSION;
  out.pid = static_cast<std::uint32_t>(::getpid());
  out.uptime_seconds = seconds_since(started);
  out.cleartext = word_for(cleartext);
  std::uint64_t sessions = 0;
  std::uint64_t tunnels = 0;
  std::uint64_t half_open = 0;
  for (const auto& [id, tunnel] : all.all()) {
    sessions += tunnel.sessions.size();
    tunnels += tunnel.stands();
    half_open += !tunnel.established;
  }
  out.gauges = {{"tunnels", tunnels},
                {"half_open", half_open},
                {"sessions", sessions},
                {"pppd", links.size()},
                {"addresses_in_use", links.pool().in_use()},
                {"ipv6_prefixes_in_use", links.prefixes().in_use()}};
  out.counters = {{"tunnels_up", counters.tunnels},
                  {"calls_refused", counters.refused_calls},
                  {"send_failures", counters.send_failures + all.counts().send_failures},
                  {"dropped_clear_text", all.counts().clear_text},
                  {"dropped_marked", all.counts().marked},
                  {"dropped_astray", all.counts().astray},
                  {"hooks_started", hooks.started},
                  {"hooks_failed", hooks.failed},
                  {"hooks_timed_out", hooks.timed_out},
                  {"hooks_dropped", hooks.dropped},
                  {"pppd_started", links.counters().started},
                  {"logins", links.counters().logins},
                  {"logins_refused", links.counters().refused_logins},
                  {"bad_plugin_requests", links.counters().bad_requests},
                  {"router_advertisements", router.advertisements},
                  {"router_advertisement_failures", router.failures},
                  {"bad_router_solicitations", router.bad_solicitations}};
  for (const auto& [name, count] : links.counters().ended) out.counters.emplace("ended_" + name, count);
  for (std::size_t i = 0; i < l2tp::drop_reason_names.size(); ++i)
    out.counters.emplace(std::string("dropped_") + l2tp::drop_reason_names[i], all.counts().dropped[i]);
  return out;
}

}  // namespace

const control::Interface& control_interface() { return control::l2tp_interface; }

void serve_status(control::Server& control, const Tunnels& tunnels, const Links& links,
                  const RouterCounters& router, const HookCounters& hooks, const DaemonCounters& counters,
                  config::Cleartext cleartext, base::Time started) {
  control.handle("Status", [&tunnels, &links, &router, &hooks, &counters, cleartext, started](
                               const Json&, control::Call call) {
    call.reply(control::to_json(status_of(tunnels, links, router, hooks, counters, cleartext, started)));
  });
  control.handle("ListTunnels", [&tunnels](const Json&, control::Call call) {
    reply_list(std::move(call), "tunnels", tunnels, [](const Tunnels::Tunnel& tunnel, Json& rows) {
      if (tunnel.stands()) rows.push_back(control::to_json(row_of(tunnel)));
    });
  });
  control.handle("ListSessions", [&tunnels, &links](const Json&, control::Call call) {
    reply_list(std::move(call), "sessions", tunnels, [&links](const Tunnels::Tunnel& tunnel, Json& rows) {
      for (const auto& [id, session] : tunnel.sessions)
        rows.push_back(control::to_json(row_of(tunnel, session, links)));
    });
  });
}

}  // namespace l2tpd
