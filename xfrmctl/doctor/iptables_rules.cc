#include <array>
#include <charconv>
#include <iomanip>
#include <sstream>

#include "doctor/firewall.h"

namespace doctor {
namespace {

/// As the shell would split it: a comment may hold blanks.
std::vector<std::string> words(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> out;
  for (std::string word; in >> std::quoted(word);) out.push_back(word);
  return out;
}

std::vector<std::string> parts(const std::string& list) {
  std::istringstream in(list);
  std::vector<std::string> out;
  for (std::string part; std::getline(in, part, ',');) out.push_back(part);
  return out;
}

std::uint32_t number(std::string_view text, std::uint32_t otherwise) {
  const int base = text.starts_with("0x") ? 16 : 10;
  if (base == 16) text.remove_prefix(2);
  std::uint32_t out = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() ? out : otherwise;
}

Condition of_ports(const std::string& list) {
  Condition out;
  for (const auto& part : parts(list)) {
    const auto colon = part.find(':');
    const auto from = number(part.substr(0, colon), 0);
    const auto to = colon == std::string::npos ? from : number(part.substr(colon + 1), 0xffff);
    out.ports.emplace_back(static_cast<std::uint16_t>(from), static_cast<std::uint16_t>(to));
  }
  return out;
}

constexpr Condition unknown() {
  return {.protocols = {}, .ports = {}, .negated = false, .other = Truth::maybe};
}

bool says_nothing(const std::string& match) {
  return match == "udp" || match == "tcp" || match == "multiport" || match == "conntrack" ||
         match == "state" || match == "comment";
}

/// The option `name` with its value, before the target.
std::optional<Condition> condition(const std::string& name, const std::string& value) {
  if (name == "--comment" || (name == "-m" && says_nothing(value))) return std::nullopt;
  auto out = unknown();
  if (name == "-p") {
    out.other = Truth::yes;
    out.protocols.push_back(value == "50" ? "esp" : value);
  }
  if (name == "--dport" || name == "--dports" || name == "--ports") return of_ports(value);
  if (name == "-i" && value == "lo") out.other = Truth::no;
  if (name == "--ctstate" || name == "--state") {
    out.other = Truth::no;
    for (const auto& state : parts(value))
      if (state == "NEW" || state == "UNTRACKED") out.other = Truth::yes;
  }
  return out;
}

Verdict verdict_of(const std::string& target, bool go_to) {
  if (target == "ACCEPT") return Verdict::accept;
  if (target == "DROP" || target == "REJECT") return Verdict::drop;
  if (target == "RETURN") return Verdict::leave;
  return go_to ? Verdict::go_to : Verdict::jump;  // LOG and its like are chains that do not exist
}

/// Which bits of the mark the options of MARK or CONNMARK may change.
std::uint32_t bits_of(const std::string& option, const std::string& value) {
  if (option == "--set-xmark" || option == "--set-mark") {
    const auto slash = value.find('/');
    return slash == std::string::npos ? 0xffffffff : number(value.substr(slash + 1), 0xffffffff);
  }
  return option == "--nfmask" ? number(value, 0xffffffff) : 0;
}

/// Words after "-A CHAIN".
Rule rule_of(const std::vector<std::string>& words) {
  Rule out;
  bool negated = false;
  std::string target;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto& word = words[i];
    const auto next = i + 1 < words.size() ? words[i + 1] : std::string();
    if (word == "!") {
      negated = true;
    } else if (word == "-j" || word == "-g") {
      target = next;
      out.verdict = verdict_of(target, word == "-g");
      out.target = target;
      ++i;
    } else if (!target.empty()) {
      if (target == "MARK") out.writes_mark |= bits_of(word, next);
      if (target == "CONNMARK" && word == "--restore-mark") out.writes_mark = 0xffffffff;
      if (target == "CONNMARK" && word == "--nfmask" && out.writes_mark != 0)
        out.writes_mark = bits_of(word, next);
    } else if (word.starts_with('-')) {
      const bool has_value = !next.empty() && !next.starts_with('-') && next != "!";
      if (auto found = condition(word, has_value ? next : std::string())) {
        found->negated = negated;
        out.conditions.push_back(std::move(*found));
      }
      negated = false;
      i += has_value ? 1 : 0;
    }
  }
  return out;
}

std::string hook_of(const std::string& chain) {
  constexpr std::array<std::pair<const char*, const char*>, 3> hooks{
      {{"PREROUTING", "prerouting"}, {"INPUT", "input"}, {"OUTPUT", "output"}}};
  for (const auto& [name, hook] : hooks)
    if (chain == name) return hook;
  return "other";
}

}  // namespace

void add_iptables(Firewall& firewall, std::string_view text) {
  std::istringstream in{std::string(text)};
  std::string table;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('*')) table = "iptables " + line.substr(1);
    const auto w = words(line);
    if (w.size() >= 2 && w[0].starts_with(':')) {
      const auto name = w[0].substr(1);
      firewall.chains.push_back({.table = table,
                                 .name = name,
                                 .hook = w[1] == "-" ? std::string() : hook_of(name),
                                 .drops = w[1] == "DROP",
                                 .rules = {}});
    }
    if (w.size() < 2 || w[0] != "-A") continue;
    if (auto* chain = firewall.chain(table, w[1])) chain->rules.push_back(rule_of({w.begin() + 2, w.end()}));
  }
}

}  // namespace doctor
