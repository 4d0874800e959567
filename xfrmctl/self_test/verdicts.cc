#include "self_test/verdicts.h"

#include <fmt/format.h>

namespace self_test {
namespace {

std::string reasons(const std::map<std::string, std::uint64_t>& drops) {
  std::string out;
  for (const auto& [reason, packets] : drops)
    out += fmt::format("{}{} {}", out.empty() ? "; the ruleset dropped: " : ", ", reason, packets);
  return out;
}

constexpr const char* look_at_host =
    "see what xfrmctl doctor says of this host, and what else on it writes packet marks";

}  // namespace

Verdict judge_ike(const Client& client) {
  if (client.up)
    return {"ike", true,
            fmt::format("{} ({}) has authenticated through the NAT, and the kernel took its SAs", client.name,
                        client.address.to_string())};
  return {"ike", false,
          fmt::format("{} ({}) got no IPsec SAs: {}", client.name, client.address.to_string(),
                      client.failure.empty() ? "ikd did not answer in time" : client.failure),
          "see that the kernel has AES-CBC and HMAC-SHA2-256 for ESP, and ESP in UDP"};
}

Verdict judge_marks(std::span<const Client> clients, const base::Address& nat) {
  const auto& a = clients[0];
  const auto& b = clients[1];
  for (const auto& client : clients)
    if (!client.peer)
      return {"marks", false, fmt::format("ikd does not list {} as a peer", client.name), look_at_host};
  const auto outside = nat.to_string();
  if (a.peer->address != outside || b.peer->address != outside)
    return {"marks", false,
            fmt::format("the clients are not behind one NAT: ikd sees them at {} and {}", a.peer->address,
                        b.peer->address),
            "see that nftables can masquerade on this kernel"};
  if (a.peer->mark == b.peer->mark || a.peer->alias == b.peer->alias)
    return {"marks", false,
            fmt::format("both clients of {} have the mark {:#x} and the alias {}", outside, a.peer->mark,
                        a.peer->alias),
            look_at_host};
  return {"marks", true,
          fmt::format("the two clients of {} have marks and aliases of their own: {:#x} is {}, {:#x} is {}",
                      outside, a.peer->mark, a.peer->alias, b.peer->mark, b.peer->alias)};
}

Verdict judge_answers(std::span<const Client> clients, const std::map<std::string, std::uint64_t>& drops) {
  for (const auto& client : clients) {
    if (client.strays > 0)
      return {"answers", false,
              fmt::format("{} got an answer that was another's{}", client.name, reasons(drops)),
              look_at_host};
    if (!client.connected)
      return {"answers", false,
              fmt::format("{} got no answer to its L2TP, though its SAs are there{}", client.name,
                          reasons(drops)),
              look_at_host};
  }
  return {"answers", true,
          "both speak L2TP from port 1701 to port 1701, and each got the answers to itself and no others"};
}

Verdict judge_tunnels(std::span<const Client> clients) {
  for (const auto& client : clients) {
    if (!client.tunnel)
      return {"tunnels", false, fmt::format("l2tpd does not list a tunnel of {}", client.name), look_at_host};
    if (client.tunnel->mark != client.peer->mark)
      return {"tunnels", false,
              fmt::format("l2tpd has the tunnel of {} under the mark {:#x}, which is not its own",
                          client.name, client.tunnel->mark),
              look_at_host};
  }
  return {"tunnels", true, "l2tpd has a tunnel of each under its own mark"};
}

}  // namespace self_test
