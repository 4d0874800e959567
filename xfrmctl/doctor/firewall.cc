#include "doctor/firewall.h"

#include <algorithm>

namespace doctor {
namespace {

constexpr int deepest = 32;  // nothing that the kernel takes jumps further

Truth judge(const Condition& condition, const Probe& probe) {
  const bool other_protocol =
      !condition.protocols.empty() &&
      std::ranges::find(condition.protocols, probe.protocol) == condition.protocols.end();
  const bool other_port =
      !condition.ports.empty() && std::ranges::none_of(condition.ports, [&](const auto& range) {
        return probe.port != 0 && range.first <= probe.port && probe.port <= range.second;
      });
  const auto truth = other_protocol || other_port ? Truth::no : condition.other;
  if (!condition.negated || truth == Truth::maybe) return truth;
  return truth == Truth::yes ? Truth::no : Truth::yes;
}

Truth judge(const Rule& rule, const Probe& probe) {
  auto out = Truth::yes;
  for (const auto& condition : rule.conditions) out = std::min(out, judge(condition, probe));
  return out;
}

/// Whoever writes a rule for this very port means IPsec, whatever else the rule asks for.
bool names(const Rule& rule, const Probe& probe) {
  return std::ranges::any_of(rule.conditions, [&](const Condition& c) {
    return !c.negated && !(probe.port != 0 ? c.ports.empty() : c.protocols.empty()) &&
           judge(c, probe) != Truth::no;
  });
}

enum class Fate { none, accepted, dropped };

class Walk {
 public:
  Walk(const Firewall& firewall, const Probe& probe) : firewall_(firewall), probe_(probe) {}

  /// `sure`: the probe comes to this chain in any case.
  Fate walk(const Chain& chain, bool sure, int depth) {
    for (const auto& rule : chain.rules) {
      const auto truth = judge(rule, probe_);
      if (truth == Truth::no) continue;
      const bool certain = sure && truth == Truth::yes;
      switch (rule.verdict) {
        case Verdict::none: break;
        case Verdict::accept:
          if (certain || names(rule, probe_)) return Fate::accepted;
          break;
        case Verdict::drop:
          if (truth == Truth::yes) return Fate::dropped;
          break;
        case Verdict::leave:
          if (truth == Truth::yes) return Fate::none;
          break;
        case Verdict::jump:
        case Verdict::go_to: {
          const auto* target = depth < deepest ? firewall_.chain(chain.table, rule.target) : nullptr;
          const auto fate = target ? walk(*target, certain, depth + 1) : Fate::none;
          if (fate == Fate::accepted || (fate == Fate::dropped && truth == Truth::yes)) return fate;
          if (rule.verdict == Verdict::go_to && truth == Truth::yes) return Fate::none;
        }
      }
    }
    return Fate::none;
  }

 private:
  const Firewall& firewall_;
  const Probe& probe_;
};

}  // namespace

const Chain* Firewall::chain(std::string_view table, std::string_view name) const {
  const auto it =
      std::ranges::find_if(chains, [&](const Chain& c) { return c.table == table && c.name == name; });
  return it == chains.end() ? nullptr : &*it;
}

Chain* Firewall::chain(std::string_view table, std::string_view name) {
  const auto it =
      std::ranges::find_if(chains, [&](const Chain& c) { return c.table == table && c.name == name; });
  return it == chains.end() ? nullptr : &*it;
}

std::optional<std::string> dropped_at(const Firewall& firewall, const Probe& probe) {
  for (const auto& chain : firewall.chains) {
    if (chain.hook != "prerouting" && chain.hook != "input") continue;
    const auto fate = Walk(firewall, probe).walk(chain, true, 0);
    if (fate == Fate::dropped || (fate == Fate::none && chain.drops))
      return "table " + chain.table + ", chain " + chain.name;
  }
  return std::nullopt;
}

}  // namespace doctor
