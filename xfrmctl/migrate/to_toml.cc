#include "migrate/to_toml.h"

#include <algorithm>
#include <bit>
#include <set>

#include <fmt/format.h>

#include "config/config.h"
#include "migrate/words.h"

namespace migrate {
namespace {

constexpr std::string_view example_local = "10.99.0.1", example_pool = "10.99.1.0/24";

/// A TOML basic string.
std::string quoted(std::string_view text) {
  std::string out;
  out.reserve(6 * text.size() + 2);  // never grows: no copy of a secret is left behind
  out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      out += c;
  }
  out += '"';
  return out;
}

std::string list_of(const auto& items, auto text) {
  const bool in_lines = items.size() > 8;
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "" : in_lines ? ",\n  " : ", ") + quoted(text(item));
  return "[" + out + "]";
}
std::string addresses(const std::vector<base::Address>& list) {
  return list_of(list, [](const base::Address& a) { return a.to_string(); });
}
std::string words(const std::vector<std::string>& list) {
  return list_of(list, [](const std::string& s) { return s; });
}

/// The smallest network that holds a range.
base::Prefix around(const Range& range) {
  const auto first = range.first.v4_value(), last = range.last.v4_value();
  const auto length = static_cast<std::uint8_t>(std::countl_zero(first ^ last));
  const std::uint32_t mask = length == 0 ? 0 : ~std::uint32_t{0} << (32 - length);
  return {base::Address::v4(first & mask), length};
}

/// The largest network within a range.
base::Prefix inside(const Range& range) {
  const std::uint64_t first = range.first.v4_value(), last = range.last.v4_value();
  for (std::uint8_t length = around(range).length;; ++length) {
    const std::uint64_t size = std::uint64_t{1} << (32 - length);
    const auto from = (first + size - 1) / size * size;
    if (from + size - 1 <= last) return {base::Address::v4(static_cast<std::uint32_t>(from)), length};
  }
}

base::Prefix pool_of(OldSetup& setup) {
  if (setup.ranges.empty()) {
    setup.lose("no range of addresses for clients was found: ppp.pool is an example");
    return *base::Prefix::parse(example_pool);
  }
  for (std::size_t i = 1; i < setup.ranges.size(); ++i)
    setup.lose(fmt::format("the range {} to {}: ppp.pool is one network", setup.ranges[i].first.to_string(),
                           setup.ranges[i].last.to_string()));
  const auto& range = setup.ranges.front();
  const auto pool = setup.proxy_arp ? inside(range) : around(range);
  const bool nobodys = setup.local_address && pool == base::host(*setup.local_address);
  if (nobodys || pool.contains(config::Marks{}.alias.network)) {
    setup.lose(
        fmt::format("clients had {} to {}, of which no one network can be made: ppp.pool is an example",
                    range.first.to_string(), range.last.to_string()));
    return *base::Prefix::parse(example_pool);
  }
  if (pool.network != range.first ||
      pool.size() != std::uint64_t{range.last.v4_value()} - range.first.v4_value() + 1)
    setup.lose(fmt::format("clients had {} to {}; ppp.pool is a network, and {} is the {} one",
                           range.first.to_string(), range.last.to_string(), pool.to_string(),
                           setup.proxy_arp ? "largest within" : "smallest around"));
  return pool;
}

std::string name_of(std::size_t key) { return key == 0 ? "imported" : fmt::format("imported-{}", key + 1); }

void line(std::string& out, std::string_view key, std::string_view value) {
  out += fmt::format("{} = {}\n", key, value);
}

void put_ike(const OldSetup& setup, std::string& out) {
  out += "\n[ike]\n";
  if (!setup.ike_listen.empty()) line(out, "listen", addresses(setup.ike_listen));
  if (!setup.proposals.empty()) line(out, "proposals", words(setup.proposals));
  if (!setup.esp_proposals.empty()) line(out, "esp_proposals", words(setup.esp_proposals));
  if (setup.lifetime) line(out, "lifetime_seconds", std::to_string(*setup.lifetime));
  if (setup.esp_lifetime) line(out, "esp_lifetime_seconds", std::to_string(*setup.esp_lifetime));
  if (setup.dpd) line(out, "dpd_seconds", std::to_string(*setup.dpd));
  if (setup.dpd_timeout) line(out, "dpd_timeout_seconds", std::to_string(*setup.dpd_timeout));
  for (std::size_t i = 0; i < setup.keys.size(); ++i) {
    out += "\n[[ike.psk]]\n";
    line(out, "name", quoted(name_of(i)));
    if (setup.keys[i].peer) line(out, "peer", quoted(setup.keys[i].peer->to_string()));
  }
}

void put_ppp(OldSetup& setup, std::string& out) {
  const auto pool = pool_of(setup);
  if (!setup.local_address)
    setup.lose("no address of this end of PPP links was found: ppp.local_address is an example");
  out += "\n[ppp]\n";
  line(out, "local_address",
       quoted(setup.local_address ? setup.local_address->to_string() : std::string(example_local)));
  line(out, "pool", quoted(pool.to_string()));
  if (!setup.dns.empty()) line(out, "dns", addresses(setup.dns));
  if (!setup.nbns.empty()) line(out, "nbns", addresses(setup.nbns));
  if (!setup.auth.empty()) line(out, "auth", words(setup.auth));
  if (setup.mtu) line(out, "mtu", std::to_string(*setup.mtu));
  if (setup.idle) line(out, "idle_seconds", std::to_string(*setup.idle));
}

/// What the parser wants of two times.
void settle_dpd(OldSetup& setup) {
  constexpr std::int64_t usual_delay = 60, usual_timeout = 300;
  const auto delay = setup.dpd.value_or(usual_delay), timeout = setup.dpd_timeout.value_or(usual_timeout);
  if (delay == 0 || timeout > delay) return;
  setup.dpd_timeout = std::min<std::int64_t>(delay * 5, 86400);
  if (*setup.dpd_timeout <= delay) setup.dpd = usual_delay, setup.dpd_timeout = usual_timeout;
  setup.lose(fmt::format("dead peers were given up after {} s, asked after {} s: it is {} s now", timeout,
                         delay, *setup.dpd_timeout));
}

}  // namespace

std::string to_toml(OldSetup& setup) {
  settle_dpd(setup);
  if (setup.keys.empty()) setup.lose("no pre-shared key was found: ikd needs one, or certificates");
  if (setup.proxy_arp) setup.lose("proxyarp: clients' addresses need a route to this host in that network");
  std::string body;
  put_ike(setup, body);
  if (!setup.l2tp_listen.empty()) {
    body += "\n[l2tp]\n";
    line(body, "listen", addresses(setup.l2tp_listen));
  }
  put_ppp(setup, body);
  for (const auto& user : setup.users) {
    body += "\n[[user]]\n";
    line(body, "name", quoted(user.name));
    if (user.address) line(body, "address", quoted(user.address->to_string()));
  }
  std::string out = "# /etc/sameroof/sameroof.toml, by xfrmctl import from\n";
  for (const auto& source : std::set(setup.sources.begin(), setup.sources.end()))
    out += "#   " + in_comment(source) + "\n";
  if (!setup.lost.empty()) out += "#\n# What could not be carried over:\n";
  for (const auto& sentence : setup.lost) out += "#   " + sentence + "\n";
  return out + body;
}

base::Secret to_secrets(const OldSetup& setup) {
  std::string out;
  std::size_t size = 256;
  for (const auto& key : setup.keys) size += 6 * key.secret.size() + 64;
  for (const auto& user : setup.users) size += 6 * (user.name.size() + user.password.size()) + 64;
  out.reserve(size);  // see quoted()
  const auto put = [&](std::string_view name, const base::Secret& secret) {
    auto value = quoted(text_of(secret));
    out += quoted(name);
    out += " = ";
    out += value;
    out += '\n';
    OPENSSL_cleanse(value.data(), value.size());
  };
  out += "# /etc/sameroof/secrets.toml: mode 0600, or it is refused.\n\n[psk]\n";
  for (std::size_t i = 0; i < setup.keys.size(); ++i) put(name_of(i), setup.keys[i].secret);
  out += "\n[user]\n";
  for (const auto& user : setup.users) put(user.name, user.password);
  auto secret = base::Secret::copy_of(base::as_bytes(out));
  OPENSSL_cleanse(out.data(), out.size());
  return secret;
}

}  // namespace migrate
