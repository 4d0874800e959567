#include "xfrmctl/disconnect.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "control/interfaces.h"
#include "xfrmctl/ask.h"
#include "xfrmctl/table.h"

namespace xfrmctl {
namespace {

using control::Json;

std::optional<std::uint32_t> peer_number(const Options& options) {
  const auto& text = options.subject;
  std::uint32_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (options.user || read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

/// 0, or how the end of its SAs failed.
int end_ipsec(const Options& options, const control::Peer& peer) {
  const auto ended = ask(options.run_dir + "/ikd", "sameroof.Ike.Terminate", {{"peer", peer.peer}});
  // It may have hung up by itself, having heard L2TP's goodbye.
  if (!ended && ended.error().name != control::no_such_peer) return complain(ended.error());
  fmt::print("peer {} ({}) is disconnected\n", peer.peer, printable(peer.identity));
  return good;
}

int disconnect_peer(const Options& options, std::uint32_t number) {
  const auto peer = ask_peer(options.run_dir, "PeerByNumber", {{"peer", number}});
  if (!peer && peer.error().name == control::no_such_peer)
    return complain(fmt::format("there is no peer {}", number), no_match);
  if (!peer) return complain(peer.error());
  const auto told = ask(options.run_dir + "/l2tpd", "sameroof.L2tp.Terminate", {{"mark", peer->mark}});
  if (!told && told.error().name == control::permission_denied) return complain(told.error());
  if (!told && !without_l2tpd(ask_ikd_status(options.run_dir)))
    complain("its L2TP ends without a word: " + told.error().message, good);
  return end_ipsec(options, *peer);
}

int disconnect_user(const Options& options) {
  const auto user = printable(options.subject);
  const auto told =
      ask(options.run_dir + "/l2tpd", "sameroof.L2tp.TerminateUser", {{"user", options.subject}});
  if (!told && told.error().name == control::no_such_user)
    return complain(fmt::format("no session is of a user '{}'", user), no_match);
  if (!told) return complain(told.error());
  const auto sessions = told->value("sessions", 0);
  if (sessions == 1)
    fmt::print("the session of user '{}' is disconnected\n", user);
  else
    fmt::print("{} sessions of user '{}' are disconnected\n", sessions, user);
  int status = good;
  for (const auto& mark : told->value("marks", Json::array())) {
    const auto peer = ask_peer(options.run_dir, "PeerByMark", {{"mark", mark}});
    if (!peer && peer.error().name == control::no_such_peer) continue;
    status = std::max(status, peer ? end_ipsec(options, *peer) : complain(peer.error()));
  }
  return status;
}

}  // namespace

int run_disconnect(const Options& options) {
  const auto number = peer_number(options);
  return number ? disconnect_peer(options, *number) : disconnect_user(options);
}

}  // namespace xfrmctl
