#include "xfrmctl/peers.h"

#include <algorithm>
#include <map>
#include <numeric>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "xfrmctl/json_text.h"
#include "xfrmctl/table.h"

namespace xfrmctl {
namespace {

using control::Json;

/// The newest row of each mark.
template <class Row>
std::map<std::uint32_t, const Row*> newest_by_mark(const std::vector<Row>& rows) {
  std::map<std::uint32_t, const Row*> out;
  for (const auto& row : rows) {
    const Row*& held = out[row.mark];
    if (!held || row.since_seconds < held->since_seconds) held = &row;
  }
  out.erase(0);
  return out;
}

std::uint64_t sum(const control::Peer& peer, std::uint64_t control::Sa::*member) {
  return std::accumulate(peer.sas.begin(), peer.sas.end(), std::uint64_t{0},
                         [member](std::uint64_t total, const control::Sa& sa) { return total + sa.*member; });
}

const control::Sa* active_sa(const control::Peer& peer) {
  const auto it = std::ranges::find(peer.sas, "active", &control::Sa::state);
  if (it != peer.sas.end()) return &*it;
  return peer.sas.empty() ? nullptr : &peer.sas.front();
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json row_json(const PeerRow& row) {
  Json out = control::to_json(row.peer);
  out.erase("sas");
  out.erase("ike");
  const auto* sa = active_sa(row.peer);
  out["spi_in"] = sa ? Json(sa->spi_in) : Json(nullptr);
  out["spi_out"] = sa ? Json(sa->spi_out) : Json(nullptr);
  out["transform"] = sa ? Json(sa->transform) : Json(nullptr);
  out["proposal"] = row.peer.ike ? Json(row.peer.ike->proposal) : Json(nullptr);
  out["sas"] = row.peer.sas.size();
  out["bytes_in"] = sum(row.peer, &control::Sa::bytes_in);
  out["bytes_out"] = sum(row.peer, &control::Sa::bytes_out);
  out["packets_in"] = sum(row.peer, &control::Sa::packets_in);
  out["packets_out"] = sum(row.peer, &control::Sa::packets_out);
  out["packets_lost"] = sum(row.peer, &control::Sa::packets_lost);
  out["tunnel"] = row.tunnel ? Json(row.tunnel->tunnel) : Json(nullptr);
  out["peer_tunnel"] = row.tunnel ? Json(row.tunnel->peer_tunnel) : Json(nullptr);
  const auto& session = row.session;
  out["session"] = session ? Json(session->session) : Json(nullptr);
  out["peer_session"] = session ? Json(session->peer_session) : Json(nullptr);
  out["user"] = session ? or_null(session->user) : Json(nullptr);
  out["ppp_address"] = session ? or_null(session->ppp_address) : Json(nullptr);
  out["ifname"] = session ? or_null(session->ifname) : Json(nullptr);
  return out;
}

std::string without_0x(std::string_view spi) {
  return std::string(spi.substr(spi.starts_with("0x") ? 2 : 0));
}

constexpr Column columns[] = {{"PEER", Align::right},
                              {"MARK"},
                              {"ADDRESS"},
                              {"IDENTITY", Align::left, true},
                              {"CLIENT"},
                              {"SPI IN/OUT"},
                              {"IN", Align::right},
                              {"OUT", Align::right},
                              {"L2TP"},
                              {"USER", Align::left, true},
                              {"PPP ADDRESS"}};

std::vector<std::string> table_line(const PeerRow& row) {
  const auto& peer = row.peer;
  const auto* sa = active_sa(peer);
  const auto& session = row.session;
  std::string l2tp;
  if (row.tunnel) {
    l2tp = session ? fmt::format("{}/{}", row.tunnel->tunnel, session->session)
                   : fmt::format("{}/-", row.tunnel->tunnel);
  }
  return {fmt::format("{}", peer.peer),
          fmt::format("{:#x}", peer.mark),
          place(peer.address, peer.port),
          peer.identity,
          peer.client,
          sa ? fmt::format("{}/{}", without_0x(sa->spi_in), without_0x(sa->spi_out)) : std::string(),
          short_count(sum(peer, &control::Sa::bytes_in)),
          short_count(sum(peer, &control::Sa::bytes_out)),
          l2tp,
          session ? session->user.value_or("") : "",
          session ? session->ppp_address.value_or("") : ""};
}

}  // namespace

std::vector<PeerRow> join(std::vector<control::Peer> peers, const std::vector<control::Tunnel>& tunnels,
                          const std::vector<control::Session>& sessions) {
  const auto tunnel_of = newest_by_mark(tunnels);
  std::map<std::pair<std::uint32_t, std::uint16_t>, const control::Tunnel*> tunnel_called;
  for (const auto& tunnel : tunnels) tunnel_called.emplace(std::pair(tunnel.mark, tunnel.tunnel), &tunnel);
  const auto session_of = newest_by_mark(sessions);
  std::ranges::sort(peers, {}, &control::Peer::peer);
  std::vector<PeerRow> rows;
  for (auto& peer : peers) {
    PeerRow row{.peer = std::move(peer), .tunnel = {}, .session = {}};
    if (const auto it = session_of.find(row.peer.mark); it != session_of.end()) row.session = *it->second;
    const auto of_session =
        row.session ? tunnel_called.find({row.peer.mark, row.session->tunnel}) : tunnel_called.end();
    if (of_session != tunnel_called.end()) {
      row.tunnel = *of_session->second;
    } else if (const auto newest = tunnel_of.find(row.peer.mark); newest != tunnel_of.end()) {
      row.tunnel = *newest->second;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string peers_json(const std::vector<PeerRow>& rows) {
  Json out{{"version", 1}, {"peers", Json::array()}};
  for (const auto& row : rows) out["peers"].push_back(row_json(row));
  return json_text(out);
}

std::string peers_table(const std::vector<PeerRow>& rows) {
  std::vector<std::vector<std::string>> lines;
  for (const auto& row : rows) lines.push_back(table_line(row));
  return table(columns, lines);
}

}  // namespace xfrmctl
