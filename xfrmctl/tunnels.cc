#include "xfrmctl/tunnels.h"

#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "xfrmctl/json_text.h"
#include "xfrmctl/table.h"

namespace xfrmctl {
namespace {

using control::Json;
using control::Peer;
using control::Session;
using control::Tunnel;

class ByMark {
 public:
  explicit ByMark(const std::vector<Peer>& peers) {
    for (const auto& peer : peers) peers_[peer.mark] = &peer;
    peers_.erase(0);
  }
  const Peer* operator[](std::uint32_t mark) const {
    const auto it = peers_.find(mark);
    return it == peers_.end() ? nullptr : it->second;
  }

 private:
  std::map<std::uint32_t, const Peer*> peers_;
};

void sort_rows(std::vector<Tunnel>& rows) {
  std::ranges::sort(rows, {}, [](const Tunnel& t) { return std::tuple(t.mark, t.tunnel); });
}
void sort_rows(std::vector<Session>& rows) {
  std::ranges::sort(rows, {}, [](const Session& s) { return std::tuple(s.mark, s.tunnel, s.session); });
}

template <class Row>
std::string json(const char* member, std::vector<Row> rows, const std::vector<Peer>& peers) {
  sort_rows(rows);
  const ByMark by_mark(peers);
  Json out{{"version", 1}, {member, Json::array()}};
  for (const auto& row : rows) {
    const auto* peer = by_mark[row.mark];
    auto& shown = out[member].emplace_back(control::to_json(row));
    shown["peer"] = peer ? Json(peer->peer) : Json(nullptr);
    shown["peer_address"] = peer ? Json(peer->address) : Json(nullptr);
    shown["peer_port"] = peer ? Json(peer->port) : Json(nullptr);
  }
  return json_text(out);
}

std::string number_cell(const Peer* peer) { return peer ? fmt::format("{}", peer->peer) : std::string(); }

std::string place_cell(const Peer* peer) { return peer ? place(peer->address, peer->port) : std::string(); }

std::string mark_cell(std::uint32_t mark) { return mark == 0 ? "" : fmt::format("{:#x}", mark); }

constexpr Column tunnel_columns[] = {{"PEER", Align::right},
                                     {"MARK"},
                                     {"TUNNEL"},
                                     {"THEIRS"},
                                     {"HOST NAME", Align::left, true},
                                     {"PEER ADDRESS"},
                                     {"SEEN AS"},
                                     {"SERVED AT"},
                                     {"SESSIONS", Align::right},
                                     {"UP", Align::right}};

constexpr Column session_columns[] = {
    {"PEER", Align::right},      {"MARK"},        {"TUNNEL"},      {"SESSION"},   {"THEIRS"},
    {"USER", Align::left, true}, {"PPP ADDRESS"}, {"IPV6 PREFIX"}, {"INTERFACE"}, {"PEER ADDRESS"},
    {"UP", Align::right}};

}  // namespace

std::string tunnels_json(std::vector<Tunnel> tunnels, const std::vector<Peer>& peers) {
  return json("tunnels", std::move(tunnels), peers);
}

std::string sessions_json(std::vector<Session> sessions, const std::vector<Peer>& peers) {
  return json("sessions", std::move(sessions), peers);
}

std::string tunnels_table(std::vector<Tunnel> tunnels, const std::vector<Peer>& peers) {
  sort_rows(tunnels);
  const ByMark by_mark(peers);
  std::vector<std::vector<std::string>> lines;
  for (const auto& t : tunnels) {
    const auto* peer = by_mark[t.mark];
    lines.push_back({number_cell(peer), mark_cell(t.mark), fmt::format("{}", t.tunnel),
                     fmt::format("{}", t.peer_tunnel), t.host_name, place_cell(peer),
                     place(t.address, t.port), t.local_address, fmt::format("{}", t.sessions),
                     short_duration(t.since_seconds)});
  }
  return table(tunnel_columns, lines);
}

std::string sessions_table(std::vector<Session> sessions, const std::vector<Peer>& peers) {
  sort_rows(sessions);
  const ByMark by_mark(peers);
  std::vector<std::vector<std::string>> lines;
  for (const auto& s : sessions) {
    const auto* peer = by_mark[s.mark];
    lines.push_back({number_cell(peer), mark_cell(s.mark), fmt::format("{}", s.tunnel),
                     fmt::format("{}", s.session), fmt::format("{}", s.peer_session), s.user.value_or(""),
                     s.ppp_address.value_or(""), s.ipv6_prefix.value_or(""), s.ifname.value_or(""),
                     place_cell(peer), short_duration(s.since_seconds)});
  }
  return table(session_columns, lines);
}

}  // namespace xfrmctl
