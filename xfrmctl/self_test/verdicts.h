#pragma once
// What the self-test says of what it has seen: a sentence for each check, whether it holds or not.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "base/address.h"
#include "control/rows.h"

namespace self_test {

struct Verdict {
  std::string check;  ///< "kernel", "network", "daemons", "ike", "marks", "answers", "tunnels", "end"
  bool holds = false;
  std::string sentence;
  std::string remedy = {};  ///< empty where it holds
};

/// What was seen of a client, at its own end and at the gateway's.
struct Client {
  std::string name;  ///< "client 1"
  base::Address address;
  bool up = false;           ///< its SAs are there
  std::string failure = {};  ///< why not, where it knows
  bool connected = false;
  std::size_t strays = 0;
  std::optional<control::Peer> peer = {};      ///< as ikd lists it
  std::optional<control::Tunnel> tunnel = {};  ///< as l2tpd lists it
};

Verdict judge_ike(const Client& client);
/// Both are peers at `nat`, and nothing of one is the other's.
Verdict judge_marks(std::span<const Client> clients, const base::Address& nat);
/// `drops`: what the ruleset has dropped, by reason.
Verdict judge_answers(std::span<const Client> clients, const std::map<std::string, std::uint64_t>& drops);
Verdict judge_tunnels(std::span<const Client> clients);

}  // namespace self_test
