// xl2tpd.conf, options of pppd, chap-secrets and pap-secrets.

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "migrate/words.h"

namespace migrate {
namespace {

template <std::size_t n>
bool is_one_of(std::string_view word, const std::array<std::string_view, n>& words) {
  return std::ranges::find(words, word) != words.end();
}

void add_ranges(std::string_view value, OldSetup& out) {
  for (const auto part : split(value, ",")) {
    const auto dash = part.find('-');
    const auto first = address_of(trim(part.substr(0, dash)));
    const auto last = dash == part.npos ? first : address_of(trim(part.substr(dash + 1)));
    if (first && last && *first <= *last)
      out.ranges.push_back({*first, *last});
    else
      out.lose(fmt::format("xl2tpd: the range {} is none", part));
  }
}

void add_unless_there(std::string_view value, std::vector<base::Address>& list, std::string_view where,
                      OldSetup& out) {
  const auto address = address_of(value);
  if (!address) return out.lose(fmt::format("{}: {} is no IPv4 address", where, value));
  if (std::ranges::find(list, *address) != list.end()) return;
  if (list.size() == 2) return out.lose(fmt::format("{}: a third server, {}", where, value));
  list.push_back(*address);
}

void take_global(std::string_view key, std::string_view value, OldSetup& out) {
  constexpr std::array<std::string_view, 11> nothing{
      "ipsec saref",  "auth file",   "access control", "force userspace", "debug avp",  "debug network",
      "debug packet", "debug state", "debug tunnel",   "saref refinfo",   "rand source"};
  if (key == "listen-addr")
    add_listen(value, out.l2tp_listen, out);
  else if (key == "port" && value != "1701")
    out.lose(fmt::format("xl2tpd: port = {}; L2TP is served on 1701", value));
  else if (key != "port" && !is_one_of(key, nothing))
    out.lose(fmt::format("xl2tpd: {} = {}", key, value));
}

/// The authentication that is asked for.
void add_auth(std::string_view word, OldSetup& out) {
  if (std::ranges::find(out.auth, word) == out.auth.end()) out.auth.emplace_back(word);
}

struct Lns {
  std::string options;
};

void take_lns(std::string_view key, std::string_view value, Lns& lns, OldSetup& out) {
  constexpr std::array<std::string_view, 13> nothing{"require chap",
                                                     "require authentication",
                                                     "refuse pap",
                                                     "refuse chap",
                                                     "unix authentication",
                                                     "ppp debug",
                                                     "length bit",
                                                     "hidden bit",
                                                     "tunnel rws",
                                                     "exclusive",
                                                     "flow bit",
                                                     "pass peer",
                                                     "hostname"};
  if (key == "ip range") {
    add_ranges(value, out);
  } else if (key == "local ip") {
    out.local_address = address_of(value);
    if (!out.local_address) out.lose(fmt::format("xl2tpd: local ip = {} is no IPv4 address", value));
  } else if (key == "pppoptfile") {
    lns.options = value;
  } else if (key == "name") {
    out.server_name = value;
  } else if (key == "require pap" && is_yes(value)) {
    add_auth("pap", out);
  } else if (key == "challenge" && is_yes(value)) {
    out.lose("xl2tpd: challenge = yes; put the tunnels' secret under [l2tp] in secrets.toml");
  } else if (key != "require pap" && key != "challenge" && !is_one_of(key, nothing)) {
    out.lose(fmt::format("xl2tpd: {} = {}", key, value));
  }
}

using Words = std::vector<std::string>;

Words words_of(std::string_view line) {
  Words out;
  while (const auto word = next_word(line)) out.emplace_back(text_of(*word));
  return out;
}

/// Options that have a value; whether this was one.
bool take_valued(const Words& words, std::size_t& at, std::string_view path, OldSetup& out) {
  const auto& key = words[at];
  constexpr std::array<std::string_view, 17> nothing{
      "lcp-echo-interval", "lcp-echo-failure", "connect-delay", "logfile", "asyncmap",     "linkname",
      "lcp-max-configure", "lcp-restart",      "mru",           "unit",    "kdebug",       "ipparam",
      "bsdcomp",           "deflate",          "vj-max-slots",  "maxfail", "persist-delay"};
  const std::string value = at + 1 < words.size() ? words[at + 1] : "";
  const auto number = number_of(value);
  if (key == "ms-dns") {
    add_unless_there(value, out.dns, path, out);
  } else if (key == "ms-wins") {
    add_unless_there(value, out.nbns, path, out);
  } else if (key == "mtu" && number) {
    out.mtu = within(*number, 576, 1500, "mtu", out);
  } else if (key == "idle" && number) {
    out.idle = within(*number, 0, 30 * 86400, "idle", out);
  } else if (key == "name") {
    out.server_name = value;
  } else if (key == "plugin") {
    out.lose(fmt::format("{}: plugin {}; for RADIUS see ppp.users and [radius]", path, value));
  } else if (!is_one_of(std::string_view(key), nothing)) {
    return false;
  }
  ++at;
  return true;
}

void take_flag(const std::string& key, std::string_view path, OldSetup& out) {
  constexpr std::array<std::string_view, 34> nothing{"auth",
                                                     "noauth",
                                                     "lock",
                                                     "nolock",
                                                     "crtscts",
                                                     "modem",
                                                     "local",
                                                     "debug",
                                                     "nodebug",
                                                     "hide-password",
                                                     "nodefaultroute",
                                                     "noccp",
                                                     "nobsdcomp",
                                                     "nodeflate",
                                                     "novj",
                                                     "novjccomp",
                                                     "nopcomp",
                                                     "noaccomp",
                                                     "noipx",
                                                     "noipv6",
                                                     "silent",
                                                     "passive",
                                                     "nodetach",
                                                     "nomppe",
                                                     "refuse-pap",
                                                     "refuse-chap",
                                                     "refuse-mschap",
                                                     "refuse-eap",
                                                     "ipcp-accept-local",
                                                     "ipcp-accept-remote",
                                                     "ipcp-accept-remote,",
                                                     "default-asyncmap",
                                                     "nopersist",
                                                     "noproxyarp"};
  if (key == "require-mschap-v2" || key == "+mschap-v2")
    add_auth("mschap-v2", out);
  else if (key == "require-chap")
    add_auth("chap", out);
  else if (key == "require-pap")
    add_auth("pap", out);
  else if (key == "proxyarp")
    out.proxy_arp = true;
  else if (key != "refuse-mschap-v2" && !is_one_of(std::string_view(key), nothing))
    out.lose(fmt::format("{}: {}", path, key));
}

void take_user(std::string_view line, std::string_view where, OldSetup& out) {
  const auto name = next_word(line), server = next_word(line);
  auto password = next_word(line);
  const auto address = next_word(line);
  if (!name) return;
  const std::string user(text_of(*name));
  const std::string shown = user.size() > 64 ? user.substr(0, 64) : user;
  if (!server || !password) return out.lose(fmt::format("{}: a line without a password", where));
  const auto of = text_of(*server);
  if (of != "*" && !out.server_name.empty() && of != out.server_name)
    return out.lose(fmt::format("{}: user {} is of the server {}, not of L2TP's ({})", where, shown, of,
                                out.server_name));
  const bool named =
      !user.empty() && user.size() <= 255 && user != "*" && is_text(name->view()) &&
      std::ranges::none_of(user, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (!named) return out.lose(fmt::format("{}: user '{}' has no name of his own", where, shown));
  if (!is_text(password->view()))
    return out.lose(
        fmt::format("{}: the password of {} is not in UTF-8, which secrets.toml needs", where, shown));
  if (text_of(*password).starts_with('@') || text_of(*password) == "*" || password->empty() ||
      password->size() > 255)
    return out.lose(
        fmt::format("{}: the password of {} is in another file, is missing or too long", where, shown));
  if (std::ranges::find(out.users, user, &User::name) != out.users.end())
    return out.lose(fmt::format("{}: {} is there twice; the first counts", where, shown));
  std::optional<base::Address> own;
  if (address && text_of(*address) != "*" && text_of(*address) != "-") {
    own = address_of(text_of(*address));
    const bool taken = own && (own == out.local_address ||
                               std::ranges::find(out.users, own, &User::address) != out.users.end());
    if (!own || taken) {
      out.lose(fmt::format("{}: the address of {}, {}", where, shown, text_of(*address)));
      own.reset();
    }
  }
  if (next_word(line)) out.lose(fmt::format("{}: more than one address of {}", where, shown));
  out.users.push_back({user, std::move(*password), own});
}

}  // namespace

void read_xl2tpd(const Files& files, std::string_view path, OldSetup& out) {
  const auto file = files.find(path);
  if (file == files.end()) return;
  out.sources.push_back(std::string(path));
  std::string section;
  Lns lns;
  for (auto line : lines_of(text_of(file->second))) {
    line = trim(line.substr(0, line.find(';')));
    line = trim(line.substr(0, line.find('#')));
    if (line.starts_with('[')) {
      section = trim(line.substr(1, line.find(']') - 1));
      if (section.starts_with("lac")) out.lose(fmt::format("xl2tpd: [{}]: Sameroof dials nobody", section));
    } else if (const auto equals = line.find('='); equals != line.npos) {
      const auto key = trim(line.substr(0, equals)), value = trim(line.substr(equals + 1));
      if (section == "global") take_global(key, value, out);
      if (section.starts_with("lns")) take_lns(key, value, lns, out);
    }
  }
  if (lns.options.empty()) return;
  if (files.contains(lns.options))
    read_ppp_options(files, lns.options, out);
  else
    out.lose(fmt::format("{} names {}, which is not there", path, lns.options));
}

void read_ppp_options(const Files& files, std::string_view path, OldSetup& out) {
  const auto file = files.find(path);
  if (file == files.end()) return;
  out.sources.push_back(std::string(path));
  for (const auto line : lines_of(text_of(file->second))) {
    const auto words = words_of(line);
    for (std::size_t at = 0; at < words.size(); ++at) {
      if (!take_valued(words, at, path, out)) take_flag(words[at], path, out);
    }
  }
}

void read_ppp_secrets(const Files& files, std::string_view path, OldSetup& out) {
  const auto file = files.find(path);
  if (file == files.end()) return;
  out.sources.push_back(std::string(path));
  const auto lines = lines_of(text_of(file->second));
  for (std::size_t i = 0; i < lines.size(); ++i) take_user(lines[i], fmt::format("{}:{}", path, i + 1), out);
}

}  // namespace migrate
