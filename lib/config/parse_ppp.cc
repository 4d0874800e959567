// [ppp], [hooks] and [[user]].

#include <algorithm>

#include "config/sections.h"

namespace config {
namespace {

constexpr std::int64_t longest_session = 365 * one_day;

void read_auth(const Entry& e, std::vector<PppAuth>& out) {
  out.clear();
  for (const auto& element : e.elements()) {
    auto auth = PppAuth::mschap_v2;
    element.choice<PppAuth>(
        auth, {{"mschap-v2", PppAuth::mschap_v2}, {"chap", PppAuth::chap}, {"pap", PppAuth::pap}});
    if (std::ranges::find(out, auth) != out.end()) element.refuse("is listed twice");
    out.push_back(auth);
  }
}

void read_servers(const Entry& e, std::vector<base::Address>& out) {
  for (const auto& element : e.elements()) {
    std::optional<base::Address> server;
    element.address(server);
    if (server) out.push_back(*server);
  }
  if (out.size() > 2) e.refuse("PPP can name two servers (RFC 1877)");
}

void read_ipv6_prefix(const Entry& e, std::optional<base::Prefix>& out) {
  const auto text = e.text();
  if (!text) return;
  const auto prefix = base::Prefix::parse(*text);
  if (!prefix || prefix->network.is_v4() || prefix->length < 20 || prefix->length > 64)
    return e.refuse(
        "must be an IPv6 network of /20 to /64 such as \"2001:db8:7:100::/56\", without host bits");
  // RFC 4291 §2.4, RFC 4193: the others are no addresses of hosts that speak to each other.
  for (const auto* range : {"2000::/3", "fc00::/7"}) {
    if (base::Prefix::parse(range)->contains(prefix->network)) out = prefix;
  }
  if (!out) e.refuse("must lie in 2000::/3 or fc00::/7");
}

void read_ipv6_dns(const Entry& e, std::vector<base::Address>& out) {
  for (const auto& element : e.elements()) {
    const auto text = element.text();
    if (!text) continue;
    const auto server = base::Address::parse(*text);
    if (!server || server->is_v4() || server->is_unspecified()) {
      element.refuse("must be an IPv6 address of a host");
      continue;
    }
    out.push_back(*server);
  }
  if (out.size() > 3) e.refuse("must have at most three servers");
}

void read_mtu(const Entry& e, std::optional<std::uint16_t>& out) {
  if (const auto* word = e.node().as_string()) {
    if (word->get() != "auto") e.refuse("must be \"auto\" or a number");
    return;
  }
  if (const auto value = e.integer(576, 1500)) out = static_cast<std::uint16_t>(*value);
}

/// "inet firewall office": family, table, set.
void read_nft_sets(const Entry& e, std::vector<NftSet>& out) {
  for (const auto& element : e.elements()) {
    const auto text = element.text();
    if (!text) continue;
    std::vector<std::string> words;
    for (std::size_t from = 0; from <= text->size();) {
      const auto to = std::min(text->find(' ', from), text->size());
      words.push_back(text->substr(from, to - from));
      from = to + 1;
    }
    // 255: NFT_NAME_MAXLEN without its end.
    const bool good = words.size() == 3 && (words[0] == "inet" || words[0] == "ip" || words[0] == "ip6") &&
                      std::ranges::all_of(words, [](const auto& w) { return !w.empty() && w.size() <= 255; });
    if (!good) {
      element.refuse("must be family (\"inet\", \"ip\" or \"ip6\"), table and set: \"inet firewall office\"");
      continue;
    }
    out.push_back({words[0], words[1], words[2]});
  }
}

/// Whether `key` is one of those that [ppp] and [[user]] share.
bool read_limit(std::string_view key, const Entry& e, Limits& out) {
  if (key == "sessions")
    e.number(out.sessions, 0, 1000);
  else if (key == "when_full")
    e.choice<WhenFull>(out.when_full, {{"replace", WhenFull::replace}, {"refuse", WhenFull::refuse}});
  else if (key == "session_seconds")
    e.seconds(out.session, 0, longest_session);
  else if (key == "idle_seconds")
    e.seconds(out.idle, 0, 30 * one_day);
  else
    return false;
  return true;
}

}  // namespace

void read_ppp(const Entry& section, Ppp& out) {
  out.line = section.line();
  std::optional<base::Address> local;
  std::optional<base::Prefix> pool;
  for (const auto& [key, e] : section.keys()) {
    if (key == "local_address")
      e.address(local);
    else if (key == "pool")
      e.prefix(pool.emplace());
    else if (key == "dns")
      read_servers(e, out.dns);
    else if (key == "nbns")
      read_servers(e, out.nbns);
    else if (key == "users")
      e.choice<UserSource>(out.users, {{"secrets", UserSource::secrets}, {"radius", UserSource::radius}});
    else if (key == "auth")
      read_auth(e, out.auth);
    else if (key == "ipv6_prefix")
      read_ipv6_prefix(e, out.ipv6_prefix);
    else if (key == "ipv6_dns")
      read_ipv6_dns(e, out.ipv6_dns);
    else if (key == "mtu")
      read_mtu(e, out.mtu);
    else if (key == "path_mtu")
      e.number(out.path_mtu, 700, 9000);
    else if (key == "plugin")
      e.absolute_path(out.plugin);
    else if (!read_limit(key, e, out.limits))
      e.refuse("unknown key");
  }
  section.require("local_address");
  section.require("pool");
  out.local_address = local.value_or(base::Address{});
  out.pool = pool.value_or(base::Prefix{});
  if (const auto* table = section.node().as_table();
      table && table->contains("ipv6_dns") && !table->contains("ipv6_prefix"))
    section.refuse("ipv6_dns needs ipv6_prefix");
  if (pool && pool->length == 32 && pool->contains(out.local_address)) {
    section.refuse("the pool holds nothing but local_address");
  }
}

void read_hooks(const Entry& section, Hooks& out) {
  for (const auto& [key, e] : section.keys()) {
    if (key == "session_up")
      e.absolute_path(out.session_up);
    else if (key == "session_down")
      e.absolute_path(out.session_down);
    else if (key == "timeout_seconds")
      e.seconds(out.timeout, 1, 600);
    else
      e.refuse("unknown key");
  }
}

void read_user(const Entry& table, const Limits& defaults, std::vector<User>& out) {
  User user{.name = {}, .address = {}, .limits = defaults, .nft_sets = {}, .line = table.line()};
  const auto* node = table.node().as_table();
  const bool says_sessions = node && node->contains("sessions");
  for (const auto& [key, e] : table.keys()) {
    if (key == "name")
      e.name(user.name);
    else if (key == "address")
      e.address(user.address);
    else if (key == "nft_sets")
      read_nft_sets(e, user.nft_sets);
    else if (!read_limit(key, e, user.limits))
      e.refuse("unknown key");
  }
  table.require("name");
  if (user.address) {
    if (says_sessions && user.limits.sessions != 1)
      table.refuse("an address of the user's own serves one session");
    user.limits.sessions = 1;
  }
  out.push_back(std::move(user));
}

}  // namespace config
