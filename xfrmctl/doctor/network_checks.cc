#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "doctor/checks.h"

namespace doctor {
namespace {

using Json = nlohmann::json;

/// What differs between two kernels or moments and is no rule: handles, counts, elements.
void strip(Json& value) {
  if (value.is_array())
    for (auto& part : value) strip(part);
  if (!value.is_object()) return;
  for (const char* name : {"handle", "packets", "bytes", "elem", "metainfo"}) value.erase(name);
  for (auto& [name, part] : value.items()) strip(part);
}

/// Each part of a table by its kind and name, as text; the rules of a chain are one part, in their order.
std::map<std::string, std::string> parts_of(std::string_view listing) {
  std::map<std::string, std::string> out;
  const auto json = Json::parse(listing, nullptr, false);
  if (!json.is_object() || !json.contains("nftables") || !json["nftables"].is_array()) return out;
  for (auto entry : json["nftables"]) {
    strip(entry);
    if (!entry.is_object() || entry.empty() || !entry.begin()->is_object()) continue;
    const auto& body = *entry.begin();
    const auto kind = entry.begin().key();
    const auto name =
        kind == "rule" ? "chain " + body.value("chain", "") : kind + " " + body.value("name", "");
    out[name] += entry.dump() + "\n";
  }
  return out;
}

constexpr const char* load_table = "load the ruleset: systemctl reload-or-restart sameroof-nft";
// Loading it again over another version's would leave that one's chains.
constexpr const char* replace_table =
    "load the ruleset anew, which disturbs nobody for long: systemctl restart sameroof-nft";

bool wants_ipsec(const config::Config& config) { return config.l2tp.cleartext != config::Cleartext::only; }

}  // namespace

Findings check_table(std::string_view installed, std::string_view shipped) {
  if (installed.empty())
    return {{"table", Severity::error,
             "the nftables table inet sameroof is not there: no client gets through", load_table}};
  const auto there = parts_of(installed), wanted = parts_of(shipped);
  std::vector<std::string> differing;
  for (const auto& [name, text] : wanted) {
    const auto it = there.find(name);
    if (it == there.end() || it->second != text) differing.push_back(name);
  }
  for (const auto& [name, text] : there)
    if (!wanted.contains(name)) differing.push_back(name);
  if (differing.empty()) return {};
  return {{"table", Severity::error,
           fmt::format(
               "the nftables table inet sameroof is not as this version and its configuration want it: {} "
               "is different",
               fmt::join(differing, ", ")),
           replace_table}};
}

Findings check_firewall(const Firewall& others, const config::Config& config) {
  std::vector<Probe> probes;
  if (wants_ipsec(config)) probes = {{"UDP 500", "udp", 500}, {"UDP 4500", "udp", 4500}, {"ESP", "esp", 0}};
  if (config.l2tp.cleartext != config::Cleartext::off) probes.push_back({"UDP 1701", "udp", 1701});
  Findings out;
  for (const auto& probe : probes) {
    const auto place = dropped_at(others, probe);
    if (!place) continue;
    // Whom a NAT hides comes in UDP, and hardly anybody is hidden by none.
    const auto severity = probe.port == 0 ? Severity::warning : Severity::error;
    const auto rule = probe.port == 0 ? std::string("meta l4proto esp accept")
                                      : fmt::format("udp dport {} accept", probe.port);
    out.push_back({"firewall", severity, fmt::format("{} drops {} from clients", *place, probe.name),
                   fmt::format("let it in there: {}", rule)});
  }
  // With IPsec, L2TP passes the firewall a second time, decrypted and from the alias.
  const auto decrypted = dropped_at(others, {"L2TP", "udp", 1701});
  if (decrypted && config.l2tp.cleartext == config::Cleartext::off)
    out.push_back({"firewall", Severity::error,
                   fmt::format("{} drops L2TP after it is decrypted", *decrypted),
                   fmt::format("let it in there: ip saddr {} udp dport 1701 meta ipsec exists accept",
                               config.marks.alias.to_string())});
  return out;
}

Findings check_marks(const Firewall& others, const std::vector<MarkRule>& rules,
                     const config::Config& config) {
  Findings out;
  const auto mask = config.marks.mask;
  const auto remedy = fmt::format(
      "give it a mask outside of {:#010x}, or give us other bits with [marks] mask in sameroof.toml", mask);
  for (const auto& chain : others.chains) {
    // Elsewhere nobody asks any more whose packet it is.
    if (!chain.hook.empty() && chain.hook != "prerouting" && chain.hook != "input" && chain.hook != "output")
      continue;
    std::uint32_t bits = 0;
    for (const auto& rule : chain.rules) bits |= rule.writes_mark & mask;
    if (bits != 0)
      out.push_back(
          {"marks", Severity::error,
           fmt::format("table {}, chain {} writes bits {:#010x} of the packet mark, which tell our peers "
                       "apart",
                       chain.table, chain.name, bits),
           remedy});
  }
  for (const auto& rule : rules) {
    // A rule of a full mask takes one peer only, one of its own mask all peers or some.
    const auto ours = rule.mask == 0xffffffff ? rule.value & mask : rule.mask & mask;
    if (ours != 0)
      out.push_back(
          {"marks", Severity::warning,
           fmt::format(
               "routing rule {} looks at bits {:#010x} of the packet mark, which tell our peers apart",
               rule.priority, ours),
           remedy});
  }
  return out;
}

}  // namespace doctor
