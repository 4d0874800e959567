#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "doctor/checks.h"

namespace doctor {
namespace {

constexpr std::int64_t one_day = 86400;

bool wants_ipsec(const config::Config& config) { return config.l2tp.cleartext != config::Cleartext::only; }
bool serves_ppp(const config::Config& config) { return config.l2tp.lns == config::Lns::l2tpd; }

/// "6.1.0-18-amd64" is {6, 1}.
std::pair<int, int> version_of(std::string_view release) {
  std::pair<int, int> out{0, 0};
  const auto* const end = release.data() + release.size();
  const auto read = std::from_chars(release.data(), end, out.first);
  if (read.ec == std::errc() && read.ptr != end) std::from_chars(read.ptr + 1, end, out.second);
  return out;
}

int sysctl(const HostFacts& facts, const std::string& name, int otherwise) {
  const auto it = facts.sysctls.find(name);
  return it == facts.sysctls.end() ? otherwise : it->second;
}

/// The interface of the longest prefix.
std::string way_to(const HostFacts& facts, const base::Address& address) {
  const Route* best = nullptr;
  for (const auto& route : facts.routes)
    if (route.to.contains(address) && (best == nullptr || route.to.length > best->to.length)) best = &route;
  return best ? best->interface : std::string();
}

/// Interfaces that clients may come from.
std::vector<const Interface*> uplinks(const HostFacts& facts) {
  std::vector<const Interface*> out;
  for (const auto& interface : facts.interfaces)
    if (std::ranges::any_of(
            facts.routes, [&](const Route& r) { return r.to.length == 0 && r.interface == interface.name; }))
      out.push_back(&interface);
  return out;
}

struct Service {
  std::uint16_t port;
  const std::string program;  ///< empty: whoever it is
  const std::vector<base::Address>& listen;
};

bool meet(const base::Address& socket, const std::vector<base::Address>& listen) {
  return socket.is_unspecified() || std::ranges::any_of(listen, [&](const base::Address& a) {
           return a.is_unspecified() || a == socket;
         });
}

Findings check_port(const HostFacts& facts, const Service& service) {
  bool served = false;
  std::vector<std::string> others;
  for (const auto& socket : facts.sockets) {
    if (socket.port != service.port || !meet(socket.address, service.listen)) continue;
    if (service.program.empty() || socket.program == service.program)
      served = true;
    else if (const auto name = socket.program.empty() ? "a program that is not known" : socket.program;
             std::ranges::find(others, name) == others.end())
      others.push_back(name);
  }
  Findings out;
  for (const auto& other : others)
    out.push_back(
        {"ports", Severity::error,
         fmt::format("UDP {} is taken by {}, and belongs to {}", service.port, other, service.program),
         fmt::format("stop {} and keep it from starting: systemctl disable --now its unit", other)});
  if (!served && others.empty())
    out.push_back(
        {"ports", Severity::error, fmt::format("nobody listens on UDP {}", service.port),
         service.program.empty()
             ? std::string("start the daemon that serves L2TP")
             : fmt::format("start {0}, or see why it has ended: journalctl -u '{0}*'", service.program)});
  return out;
}

std::string days(std::int64_t seconds) {
  return seconds < 2 * one_day ? fmt::format("{} hours", seconds / 3600)
                               : fmt::format("{} days", seconds / one_day);
}

void append(Findings& to, Findings&& more) {
  for (auto& finding : more) to.push_back(std::move(finding));
}

}  // namespace

std::vector<std::string> modules_needed(const config::Config& config) {
  std::vector<std::string> out{"esp4", "xfrm_user", "nf_tables", "nft_fib_inet", "ppp_generic", "l2tp_ppp"};
  const auto is_v6 = [](const base::Address& address) { return !address.is_v4(); };
  if (std::ranges::any_of(config.ike.listen, is_v6)) out.insert(out.begin() + 1, "esp6");
  return out;
}

Findings check_kernel(const HostFacts& facts) {
  Findings out;
  if (version_of(facts.kernel) < std::pair(5, 19))
    out.push_back(
        {"kernel", Severity::error,
         fmt::format("the kernel is {}, which does not tell a socket the marks of its packets", facts.kernel),
         "run Linux 5.19 or later; 6.1 and 6.12 are tested"});
  for (const auto& module : facts.modules) {
    const auto ban = std::ranges::find(facts.bans, module.name, &Ban::module);
    if (ban != facts.bans.end()) {
      out.push_back({"modules", module.present ? Severity::warning : Severity::error,
                     fmt::format("{} keeps the kernel module {} from being loaded: \"{}\"", ban->file,
                                 module.name, ban->line),
                     fmt::format("take that line away, then: modprobe {}", module.name)});
    } else if (!module.available) {
      out.push_back(
          {"modules", Severity::error,
           fmt::format("there is no kernel module {} for {}", module.name, facts.kernel),
           "install the kernel's package with all modules (linux-modules-extra, kernel-modules-extra), and "
           "start the kernel whose modules are installed"});
    } else if (!module.present) {
      out.push_back(
          {"modules", Severity::warning, fmt::format("the kernel module {} is not loaded", module.name),
           fmt::format("modprobe {}; at every start modules-load.d/sameroof.conf does it", module.name)});
    }
  }
  if (!facts.dev_ppp)
    out.push_back({"dev-ppp", Severity::error, "/dev/ppp is missing, which pppd needs",
                   "modprobe ppp_generic; in a container, hand the device /dev/ppp to it"});
  return out;
}

Findings check_pppd(const HostFacts& facts, const config::Config& config) {
  if (!serves_ppp(config) || facts.pppd.empty()) return {};
  return {{"pppd", Severity::error, "no session can come up: " + facts.pppd,
           "install pppd with its plugins (the package ppp), and all of ours"}};
}

Findings check_sysctls(const HostFacts& facts, const config::Config& config) {
  Findings out;
  if (sysctl(facts, "net.ipv4.ip_forward", 1) == 0)
    out.push_back({"sysctls", Severity::error,
                   "net.ipv4.ip_forward is 0: clients reach this host and nothing behind it",
                   "sysctl -w net.ipv4.ip_forward=1, and the same in /etc/sysctl.d"});
  for (const std::string which : {"all", "default"}) {
    const auto name = fmt::format("net.ipv4.conf.{}.send_redirects", which);
    if (sysctl(facts, name, 0) != 0)
      out.push_back({"sysctls", Severity::warning,
                     fmt::format("{} is not 0: clients may be told of ways that go round IPsec", name),
                     fmt::format("sysctl -w {}=0, and the same in /etc/sysctl.d", name)});
  }
  const bool tcp = std::ranges::any_of(
      config.services, [](const auto& s) { return s.protocol == config::Service::Protocol::tcp; });
  if (tcp && sysctl(facts, "net.ipv4.tcp_fwmark_accept", 1) == 0)
    out.push_back({"sysctls", Severity::error,
                   "net.ipv4.tcp_fwmark_accept is 0: no answer of a [[service]] over TCP reaches its client",
                   "sysctl -w net.ipv4.tcp_fwmark_accept=1, and the same in /etc/sysctl.d"});
  return out;
}

Findings check_ports(const HostFacts& facts, const config::Config& config) {
  Findings out;
  if (wants_ipsec(config))
    for (const auto port : {std::uint16_t{500}, std::uint16_t{4500}})
      append(out, check_port(facts, {port, "ikd", config.ike.listen}));
  append(out, check_port(facts, {1701, serves_ppp(config) ? "l2tpd" : "", config.l2tp.listen}));
  return out;
}

Findings check_routes(const HostFacts& facts, const config::Config& config) {
  if (!wants_ipsec(config)) return {};
  Findings out;
  const auto alias = config.marks.alias.to_string();
  const auto way = way_to(facts, config.marks.alias.network);
  if (way.empty())
    out.push_back({"routes", Severity::error,
                   fmt::format("no route leads to {}, where peers appear: nothing is sent to them", alias),
                   fmt::format("set a default route, or: ip route add {} dev UPLINK", alias)});
  for (const auto* uplink : uplinks(facts)) {
    if (uplink->rp_filter != 1 || way.empty() || uplink->name == way) continue;
    out.push_back(
        {"sysctls", Severity::error,
         fmt::format("net.ipv4.conf.{0}.rp_filter is strict and the route to {1} leaves by {2}: what peers "
                     "send through {0} is dropped",
                     uplink->name, alias, way),
         fmt::format("sysctl -w net.ipv4.conf.{}.rp_filter=2, and the same in /etc/sysctl.d", uplink->name)});
  }
  return out;
}

Findings check_certificates(const HostFacts& facts) {
  Findings out;
  const auto found = [&](Severity severity, std::string sentence, std::string remedy) {
    out.push_back({"certificates", severity, std::move(sentence), std::move(remedy)});
  };
  const auto now = facts.clock.now;
  for (const auto& why : facts.unread)
    found(Severity::error, why, "name a file in sameroof.toml that is there and whole");
  for (const auto& c : facts.certificates) {
    const auto renew = "renew it, then: xfrmctl reload";
    if (c.not_after <= now)
      found(Severity::error, c.file + " has expired: clients refuse it", renew);
    else if (c.not_before > now)
      found(Severity::error, c.file + " is not valid yet", "set the clock, or wait");
    else if (c.not_after - now < 30 * one_day)
      found(Severity::warning, fmt::format("{} expires in {}", c.file, days(c.not_after - now)), renew);
    if (!c.serves_windows)
      found(Severity::warning,
            c.file +
                " has neither serverAuth nor the IKE intermediate in its extended key usage: Windows refuses "
                "it",
            "have one issued with extendedKeyUsage = serverAuth");
    if (!c.has_names)
      found(Severity::warning,
            c.file + " has no alternative name: Windows wants the name that it dials among them",
            "have one issued with subjectAltName = DNS:the name that clients dial");
  }
  return out;
}

Findings check_clock(const HostFacts& facts, const config::Config& config) {
  Findings out;
  const auto& clock = facts.clock;
  if (clock.now + one_day < clock.written)
    out.push_back({"clock", Severity::error,
                   "the clock is wrong: the configuration was written in its future",
                   "set the clock: timedatectl set-ntp true"});
  else if (!clock.synchronised && !config.ike.certificates.empty())
    out.push_back({"clock", Severity::warning, "nothing sets the clock, and certificates are judged by it",
                   "timedatectl set-ntp true"});
  return out;
}

Findings check_pool(const HostFacts& facts, const config::Config& config) {
  if (!serves_ppp(config)) return {};
  Findings out;
  const auto& pool = config.ppp.pool;
  const auto owned = std::ranges::count_if(
      config.users, [&](const config::User& u) { return u.address && pool.contains(*u.address); });
  const auto kept = 2 + owned + (pool.contains(config.ppp.local_address) ? 1 : 0);
  const auto left = static_cast<std::int64_t>(pool.size()) - kept;
  const auto wanting = std::ranges::count_if(config.users, [](const config::User& u) { return !u.address; });
  const auto widen = "widen [ppp] pool in sameroof.toml, then: xfrmctl reload";
  if (left < wanting)
    out.push_back({"pool", Severity::warning,
                   fmt::format("the pool {} has {} addresses to give, and {} users have none of their own",
                               pool.to_string(), std::max<std::int64_t>(left, 0), wanting),
                   widen});
  // Some of them have addresses that are not the pool's: this may come too early, and never too late.
  if (facts.sessions && *facts.sessions > 0 && static_cast<std::int64_t>(*facts.sessions) * 10 >= left * 9)
    out.push_back({"pool", Severity::warning,
                   fmt::format("there are {} sessions, and the pool {} has {} addresses to give",
                               *facts.sessions, pool.to_string(), left),
                   widen});
  if (wants_ipsec(config) && config.marks.capacity() < left)
    out.push_back({"pool", Severity::warning,
                   fmt::format("[marks] has room for {} peers, fewer than the pool {} has addresses",
                               config.marks.capacity(), pool.to_string()),
                   "give [marks] more bits in mask and a wider alias, then restart both daemons"});
  return out;
}

Findings check_mtu(const HostFacts& facts, const config::Config& config) {
  if (!serves_ppp(config)) return {};
  // What ESP in UDP, L2TP and PPP add at most (kernel.md §6), and what Apple's and IPv6 want inside.
  constexpr std::uint32_t overhead = 98, least = 1280;
  Findings out;
  for (const auto* uplink : uplinks(facts)) {
    const auto path = std::min<std::uint32_t>(uplink->mtu, config.ppp.path_mtu);
    if (path < least + overhead)
      out.push_back(
          {"mtu", Severity::warning,
           fmt::format(
               "packets of {} octets at most go through {}: {} are left inside, and clients count on {}",
               path, uplink->name, path > overhead ? path - overhead : 0, least),
           fmt::format("raise the MTU of {} or [ppp] path_mtu to {} where the way allows it", uplink->name,
                       least + overhead)});
    else if (config.ppp.mtu && *config.ppp.mtu > path - overhead)
      out.push_back(
          {"mtu", Severity::warning,
           fmt::format("[ppp] mtu is {}, and {} fit through {}: links get less than they were meant to have",
                       *config.ppp.mtu, path - overhead, uplink->name),
           "leave out [ppp] mtu, or make it smaller"});
  }
  return out;
}

Findings check_host(const HostFacts& facts, const config::Config& config) {
  auto out = check_clock(facts, config);
  append(out, check_kernel(facts));
  append(out, check_pppd(facts, config));
  append(out, check_ports(facts, config));
  append(out, check_routes(facts, config));
  append(out, check_sysctls(facts, config));
  append(out, check_certificates(facts));
  append(out, check_pool(facts, config));
  append(out, check_mtu(facts, config));
  return out;
}

}  // namespace doctor
