#pragma once
// The rules of other tables as far as they matter to us: what they drop of IPsec, and which bits of the
// packet mark they write. From `nft --json list ruleset` and from iptables-save(8).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace doctor {

/// What a client sends to this host.
struct Probe {
  std::string name;  ///< "UDP 500"
  std::string protocol;
  std::uint16_t port = 0;  ///< 0: the protocol has none
};

/// What is known of a condition or of several, for a probe from anywhere in the world.
enum class Truth { no, maybe, yes };

/// One condition of a rule; the members that are empty say nothing.
struct Condition {
  std::vector<std::string> protocols;
  std::vector<std::pair<std::uint16_t, std::uint16_t>> ports;  ///< of the destination, from and to
  bool negated = false;
  Truth other = Truth::yes;  ///< of something else, whatever the probe is
};

enum class Verdict { none, accept, drop, jump, go_to, leave };

struct Rule {
  std::vector<Condition> conditions;
  Verdict verdict = Verdict::none;
  std::string target;             ///< of a jump
  std::uint32_t writes_mark = 0;  ///< the bits of the packet mark that it may change
};

struct Chain {
  std::string table, name;  ///< "inet filter", "input"
  std::string hook;         ///< empty: others jump there
  bool drops = false;       ///< its policy
  std::vector<Rule> rules;
};

struct Firewall {
  std::vector<Chain> chains;

  Chain* chain(std::string_view table, std::string_view name);
  const Chain* chain(std::string_view table, std::string_view name) const;
};

/// None for what is no such listing. Tables of iptables are left out: nft cannot tell what is in them.
std::optional<Firewall> firewall_of_nft(std::string_view json);
/// Adds what iptables-save prints.
void add_iptables(Firewall& firewall, std::string_view text);

/// Where a probe from anywhere is dropped: "table inet filter, chain input"; none where it may get through.
std::optional<std::string> dropped_at(const Firewall& firewall, const Probe& probe);

}  // namespace doctor
