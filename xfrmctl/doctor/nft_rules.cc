#include <nlohmann/json.hpp>

#include "doctor/firewall.h"

namespace doctor {
namespace {

using Json = nlohmann::json;

/// The member of an object that has this name, or null.
const Json& member(const Json& object, const char* name) {
  static const Json null = nullptr;
  if (!object.is_object()) return null;
  const auto it = object.find(name);
  return it != object.end() ? *it : null;
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::optional<std::uint16_t> port_of(const Json& value) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > 0xffff) return std::nullopt;
  return value.get<std::uint16_t>();
}

/// One value, or each of an anonymous set; none where that cannot be told.
std::vector<Json> values(const Json& right) {
  if (right.is_array()) return right.get<std::vector<Json>>();
  const auto& set = member(right, "set");
  if (set.is_array()) return set.get<std::vector<Json>>();
  return {right};
}

Condition of_protocols(const Json& right) {
  Condition out;
  for (const auto& value : values(right)) {
    const auto name = text_of(value);
    if (name.empty() || name.starts_with('@')) return {.protocols = {}, .ports = {}, .other = Truth::maybe};
    out.protocols.push_back(name);
  }
  return out;
}

Condition of_ports(const std::string& protocol, const Json& right) {
  Condition out;
  if (protocol != "th") out.protocols.push_back(protocol);
  for (const auto& value : values(right)) {
    const auto& range = member(value, "range");
    const auto from = port_of(range.is_array() && range.size() == 2 ? range[0] : value);
    const auto to = port_of(range.is_array() && range.size() == 2 ? range[1] : value);
    if (!from || !to) {  // a set by name
      out.ports.clear();
      out.other = Truth::maybe;
      return out;
    }
    out.ports.emplace_back(*from, *to);
  }
  return out;
}

bool holds(const Json& right, std::string_view wanted) {
  for (const auto& value : values(right))
    if (text_of(value) == wanted) return true;
  return false;
}

Truth truth(bool holds) { return holds ? Truth::yes : Truth::no; }

/// The first packet of a client that nobody knows: new to connection tracking, over IPv4, from outside, for
/// this very host.
Condition of_key(const Json& left, const Json& right) {
  Condition out{.protocols = {}, .ports = {}, .other = Truth::maybe};
  const auto meta = text_of(member(member(left, "meta"), "key"));
  if (meta == "l4proto") return of_protocols(right);
  if ((meta == "iifname" || meta == "iif") && holds(right, "lo")) out.other = Truth::no;
  if (meta == "nfproto") out.other = truth(holds(right, "ipv4"));
  if (meta == "protocol") out.other = truth(holds(right, "ip"));
  const auto ct = text_of(member(member(left, "ct"), "key"));
  if (ct == "state") out.other = truth(holds(right, "new") || holds(right, "untracked"));
  const auto& payload = member(left, "payload");
  const auto protocol = text_of(member(payload, "protocol")), field = text_of(member(payload, "field"));
  if (protocol == "ip" && field == "protocol") return of_protocols(right);
  if (field == "dport") return of_ports(protocol, right);
  if (protocol == "ip6" || protocol == "icmpv6" || protocol == "arp") out.other = Truth::no;
  if (protocol == "tcp" || protocol == "icmp") out.protocols.push_back(protocol);
  return out;
}

Condition of_match(const Json& match) {
  auto out = of_key(member(match, "left"), member(match, "right"));
  if (text_of(member(match, "op")) == "!=") out.negated = true;
  return out;
}

/// Which bits of the mark `value` may change.
std::uint32_t changed_bits(const Json& value) {
  if (text_of(member(member(value, "meta"), "key")) == "mark") return 0;
  for (const char* op : {"|", "&", "^"}) {
    const auto& sides = member(value, op);
    if (!sides.is_array() || sides.size() != 2 || !sides[1].is_number_unsigned()) continue;
    const auto constant = sides[1].get<std::uint32_t>();
    return changed_bits(sides[0]) | (*op == '&' ? ~constant : constant);
  }
  return 0xffffffff;
}

void take_verdict(Rule& rule, const Json& expression) {
  if (expression.contains("accept")) rule.verdict = Verdict::accept;
  if (expression.contains("drop") || expression.contains("reject")) rule.verdict = Verdict::drop;
  if (expression.contains("return")) rule.verdict = Verdict::leave;
  for (const auto& [word, verdict] : {std::pair("jump", Verdict::jump), std::pair("goto", Verdict::go_to)}) {
    if (!expression.contains(word)) continue;
    rule.verdict = verdict;
    rule.target = text_of(member(expression[word], "target"));
  }
}

/// A verdict map is as many rules as it has elements.
std::vector<Rule> rules_of_map(const Rule& before, const Json& vmap) {
  std::vector<Rule> out;
  const auto& set = member(member(vmap, "data"), "set");
  if (!set.is_array()) return out;
  for (const auto& element : set) {
    if (!element.is_array() || element.size() != 2 || !element[1].is_object()) continue;
    auto rule = before;
    rule.conditions.push_back(of_key(member(vmap, "key"), element[0]));
    take_verdict(rule, element[1]);
    out.push_back(std::move(rule));
  }
  return out;
}

std::vector<Rule> rules_of(const Json& expressions) {
  Rule rule;
  if (!expressions.is_array()) return {};
  for (const auto& expression : expressions) {
    if (!expression.is_object()) continue;
    if (expression.contains("match")) rule.conditions.push_back(of_match(expression["match"]));
    if (expression.contains("limit") || expression.contains("xt") || expression.contains("ct count"))
      rule.conditions.push_back({.protocols = {}, .ports = {}, .other = Truth::maybe});
    if (expression.contains("vmap")) return rules_of_map(rule, expression["vmap"]);
    const auto& mangle = member(expression, "mangle");
    if (text_of(member(member(member(mangle, "key"), "meta"), "key")) == "mark")
      rule.writes_mark |= changed_bits(member(mangle, "value"));
    take_verdict(rule, expression);
  }
  return {rule};
}

/// Kept by iptables, in expressions that nft cannot show.
bool is_of_iptables(const std::string& table) {
  return table == "filter" || table == "mangle" || table == "nat" || table == "raw" || table == "security";
}

}  // namespace

std::optional<Firewall> firewall_of_nft(std::string_view json) {
  const auto listing = Json::parse(json, nullptr, false);
  const auto& entries = member(listing, "nftables");
  if (!entries.is_array()) return std::nullopt;
  Firewall out;
  for (const auto& entry : entries) {
    const bool is_rule = entry.is_object() && entry.contains("rule");
    const auto& body = member(entry, is_rule ? "rule" : "chain");
    const auto family = text_of(member(body, "family")), table = text_of(member(body, "table"));
    if ((family != "ip" && family != "inet") || (family == "ip" && is_of_iptables(table))) continue;
    const auto full_name = family + " " + table;
    if (!is_rule) {
      out.chains.push_back({.table = full_name,
                            .name = text_of(member(body, "name")),
                            .hook = text_of(member(body, "hook")),
                            .drops = text_of(member(body, "policy")) == "drop",
                            .rules = {}});
      continue;
    }
    auto* chain = out.chain(full_name, text_of(member(body, "chain")));
    if (chain == nullptr) continue;
    for (auto& rule : rules_of(member(body, "expr"))) chain->rules.push_back(std::move(rule));
  }
  return out;
}

}  // namespace doctor
