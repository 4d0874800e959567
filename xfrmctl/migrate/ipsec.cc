// ipsec.conf and ipsec.secrets of Libreswan and of strongSwan's starter.

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "migrate/words.h"

namespace migrate {
namespace {

constexpr int deepest = 8;  // includes, and also= within also=

using Settings = std::map<std::string, std::string, std::less<>>;
struct Sections {
  std::map<std::string, Settings, std::less<>> conns;
  std::vector<std::string> order;
};

void read_sections(const Files& files, std::string_view path, int depth, Sections& sections, OldSetup& out) {
  const auto file = files.find(path);
  if (file == files.end() || depth > deepest || !out.opens(path)) return;
  Settings* current = nullptr;
  for (auto line : lines_of(text_of(file->second))) {
    const bool indented = line.starts_with(' ') || line.starts_with('\t');
    line = trim(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    const auto words = split(line, " \t");
    if (!indented && words[0] == "include" && words.size() == 2) {
      for (const auto& name : included(files, path, words[1]))
        read_sections(files, name, depth + 1, sections, out);
    } else if (!indented) {
      current = nullptr;
      if (words[0] != "conn" || words.size() != 2) continue;
      const std::string name(words[1]);
      if (!sections.conns.contains(name)) sections.order.push_back(name);
      current = &sections.conns[name];
    } else if (const auto equals = line.find('='); current != nullptr && equals != line.npos) {
      auto value = trim(line.substr(equals + 1));
      if (value.size() > 1 && value.starts_with('"') && value.ends_with('"'))
        value = value.substr(1, value.size() - 2);
      auto& known = (*current)[std::string(trim(line.substr(0, equals)))];
      known = known.empty() || trim(line.substr(0, equals)) != "also" ? std::string(value)
                                                                      : known + " " + std::string(value);
    }
  }
}

std::string value_of(const Settings& settings, std::initializer_list<std::string_view> names) {
  for (const auto name : names) {
    if (const auto found = settings.find(name); found != settings.end()) return found->second;
  }
  return {};
}

/// What was said first stands, so nothing is taken twice, however often it is named.
void inherit(const Sections& sections, std::string_view name, int depth, std::set<std::string_view>& taken,
             Settings& out) {
  const auto conn = sections.conns.find(name);
  if (conn == sections.conns.end() || depth > deepest || !taken.insert(conn->first).second) return;
  out.insert(conn->second.begin(), conn->second.end());
  const auto also = value_of(conn->second, {"also"});
  for (const auto other : split(also, " ")) inherit(sections, other, depth + 1, taken, out);
}

/// A conn with what it inherits; its own words first.
Settings whole(const Sections& sections, const std::string& name) {
  Settings out;
  std::set<std::string_view> taken;
  inherit(sections, name, 0, taken, out);
  inherit(sections, "%default", 0, taken, out);
  return out;
}

bool is_l2tp(const Settings& conn) {
  if (value_of(conn, {"type"}) != "transport") return false;
  const auto port = value_of(conn, {"leftprotoport"}) + " " + value_of(conn, {"rightprotoport"});
  return port.find("1701") != port.npos || port.find("l2tp") != port.npos || port == " ";
}

/// What has no counterpart because nothing is to be said, or is said by being there.
bool needs_no_counterpart(std::string_view key) {
  constexpr std::array known{"also",          "type",
                             "left",          "right",
                             "leftprotoport", "rightprotoport",
                             "authby",        "auto",
                             "keyexchange",   "ikev2",
                             "pfs",           "rekey",
                             "keyingtries",   "ike",
                             "esp",           "phase2alg",
                             "phase2",        "ikelifetime",
                             "keylife",       "salifetime",
                             "lifetime",      "dpddelay",
                             "dpdtimeout",    "dpdaction",
                             "encapsulation", "forceencaps",
                             "rightsubnet",   "rightsubnetwithin",
                             "leftnexthop",   "rightnexthop",
                             "sha2-truncbug", "leftauth",
                             "rightauth",     "rekeymargin",
                             "margintime",    "rekeyfuzz",
                             "fragmentation", "ike_frag",
                             "compress",      "nat-ikev1-method",
                             "overlapip",     "sareftrack",
                             "leftfirewall",  "mark",
                             "ikepad",        "reauth",
                             "uniqueids"};
  return std::ranges::find(known, key) != known.end();
}

void lifetimes(const Settings& conn, OldSetup& out) {
  constexpr std::int64_t week = 7 * 86400;
  if (const auto life = seconds_of(value_of(conn, {"ikelifetime"})))
    out.lifetime = within(*life, 300, week, "ikelifetime", out);
  if (const auto life = seconds_of(value_of(conn, {"salifetime", "keylife", "lifetime"})))
    out.esp_lifetime = within(*life, 120, week, "the lifetime of ESP", out);
  if (const auto delay = seconds_of(value_of(conn, {"dpddelay"})))
    out.dpd = within(*delay, 0, 86400, "dpddelay", out);
  if (const auto timeout = seconds_of(value_of(conn, {"dpdtimeout"})))
    out.dpd_timeout = within(*timeout, 10, 86400, "dpdtimeout", out);
}

void take_conn(const std::string& name, const Settings& conn, OldSetup& out) {
  const auto where = "conn " + name;
  add_listen(value_of(conn, {"left"}), out.ike_listen, out);
  add_proposals(value_of(conn, {"ike"}), where, false, out);
  add_proposals(value_of(conn, {"esp", "phase2alg"}), where, true, out);
  lifetimes(conn, out);
  if (is_yes(value_of(conn, {"forceencaps"})) || is_yes(value_of(conn, {"encapsulation"})))
    out.lose(
        where +
        ": forced UDP encapsulation; behind a NAT of its own the gateway wants ike.nat_detection = \"echo\"");
  const auto authby = value_of(conn, {"authby", "leftauth"});
  if (!authby.empty() && authby != "secret" && authby != "psk")
    out.lose(where + ": certificates; see [[ike.own_certificate]], ike.trust and [[ike.certificate]]");
  if (is_yes(value_of(conn, {"aggressive", "aggrmode"})))
    out.lose(where + ": Aggressive Mode; see aggressive and identity of [[ike.psk]]");
  for (const auto& [key, value] : conn) {
    if (!needs_no_counterpart(key) && key != "aggressive" && key != "aggrmode")
      out.lose(fmt::format("{}: {}={}", where, key, value));
  }
}

/// The peer that a line of ipsec.secrets is for: the only address in it that is not ours.
std::optional<base::Prefix> peer_of(const std::vector<std::string>& ids, std::string_view where,
                                    OldSetup& out) {
  std::vector<base::Address> others;
  for (const auto& id : ids) {
    if (id == "%any" || id == "0.0.0.0" || id == "%any6") continue;
    const auto address = base::Address::parse(id);
    if (!address || !address->is_v4()) {
      out.lose(fmt::format("{}: a key for {}; Main Mode tries every key and asks for no name", where, id));
    } else if (std::ranges::find(out.ike_listen, *address) == out.ike_listen.end()) {
      others.push_back(*address);
    }
  }
  // One address alone is mostly the gateway's own.
  if (others.empty() || ids.size() < 2) return std::nullopt;
  if (others.size() > 1 || ids.size() > 2)
    out.lose(fmt::format("{}: a key for several addresses; it is now for all", where));
  else if (ids.front() == others.front().to_string() && ids.back() == "%any")
    return std::nullopt;  // ours, and anybody
  else
    return base::Prefix{others.front(), 32};
  return std::nullopt;
}

/// One entry: a line, and those after it that are indented.
void take_secret(std::string_view entry, std::string_view where, OldSetup& out) {
  std::vector<std::string> ids;
  bool after_colon = false;
  while (auto word = next_word(entry)) {
    const std::string text(text_of(*word));
    if (text == ":") {
      after_colon = true;
    } else if (text.starts_with(':') && !after_colon) {
      after_colon = true;
      if (text != ":PSK") return out.lose(fmt::format("{}: a secret of kind {}", where, text.substr(1)));
      break;
    } else if (!after_colon) {
      ids.push_back(text);
    } else if (text == "PSK" || text == "psk") {
      break;
    } else {
      return out.lose(fmt::format("{}: a secret of kind {}", where, text));
    }
  }
  const auto secret = next_word(entry);
  if (!after_colon || !secret) return out.lose(fmt::format("{}: a line that is no secret", where));
  add_key(secret->view(), peer_of(ids, where, out), where, out);
}

void read_secrets(const Files& files, std::string_view path, int depth, OldSetup& out) {
  const auto file = files.find(path);
  if (file == files.end() || depth > deepest || !out.opens(path)) return;
  const auto lines = lines_of(text_of(file->second));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto line = trim(lines[i]);
    if (line.empty() || line.starts_with('#')) continue;
    if (line.starts_with("include ")) {
      for (const auto& name : included(files, path, trim(line.substr(8))))
        read_secrets(files, name, depth + 1, out);
      continue;
    }
    take_secret(line, fmt::format("{}:{}", path, i + 1), out);
  }
}

}  // namespace

void read_ipsec_conf(const Files& files, std::string_view path, OldSetup& out) {
  Sections sections;
  read_sections(files, path, 0, sections, out);
  bool any = false;
  for (const auto& name : sections.order) {
    if (name == "%default") continue;
    const auto conn = whole(sections, name);
    const auto start = value_of(conn, {"auto"});
    if (!is_l2tp(conn)) {
      if (!start.empty() && start != "ignore") out.lose(fmt::format("conn {} is not for L2TP", name));
      continue;
    }
    if (start == "ignore" || start.empty()) continue;  // a template, or switched off
    if (any && !value_of(conn, {"ike", "esp", "phase2alg"}).empty())
      out.lose(fmt::format("conn {} beside others: one set of proposals and lifetimes serves all", name));
    any = true;
    take_conn(name, conn, out);
  }
}

void read_ipsec_secrets(const Files& files, std::string_view path, OldSetup& out) {
  read_secrets(files, path, 0, out);
}

}  // namespace migrate
