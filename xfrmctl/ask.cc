#include "xfrmctl/ask.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "control/client.h"

namespace xfrmctl {
namespace {

using control::Json;

base::Result<control::Status> ask_status(const std::string& path, std::string_view method) {
  const auto answer = ask(path, method, Json::object());
  if (!answer) return tl::unexpected(answer.error());
  return control::status_from(*answer);
}

}  // namespace

base::Result<control::Status> ask_ikd_status(const std::string& run_dir) {
  return ask_status(run_dir + "/ikd", "sameroof.Ike.Status");
}
base::Result<control::Status> ask_l2tpd_status(const std::string& run_dir) {
  return ask_status(run_dir + "/l2tpd", "sameroof.L2tp.Status");
}
base::Result<std::vector<control::Peer>> ask_peers(const std::string& run_dir) {
  return ask_rows(run_dir + "/ikd", "sameroof.Ike.ListPeers", "peers", control::peer_from);
}
base::Result<std::vector<control::Session>> ask_sessions(const std::string& run_dir) {
  return ask_rows(run_dir + "/l2tpd", "sameroof.L2tp.ListSessions", "sessions", control::session_from);
}
base::Result<std::vector<control::Tunnel>> ask_tunnels(const std::string& run_dir) {
  return ask_rows(run_dir + "/l2tpd", "sameroof.L2tp.ListTunnels", "tunnels", control::tunnel_from);
}

tl::expected<control::Peer, control::CallError> ask_peer(const std::string& run_dir, std::string_view method,
                                                         const Json& parameters) {
  const auto answer = ask(run_dir + "/ikd", fmt::format("sameroof.Ike.{}", method), parameters);
  if (!answer) return tl::unexpected(answer.error());
  const auto row = answer->find("peer");
  auto peer = control::peer_from(row == answer->end() ? Json() : *row);
  if (!peer) return tl::unexpected(control::CallError{peer.error()});
  return std::move(*peer);
}

bool without_l2tpd(const base::Result<control::Status>& ikd) { return ikd && ikd->lns == "external"; }
bool without_ikd(const base::Result<control::Status>& l2tpd) { return l2tpd && l2tpd->cleartext == "only"; }

}  // namespace xfrmctl
