#include "doctor/gather.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <filesystem>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/utsname.h>

#include "config/pppd_files.h"
#include "doctor/checks.h"
#include "doctor/program.h"
#include "nft/ruleset.h"

namespace doctor {
namespace {

namespace fs = std::filesystem;

constexpr const char* sysctls[] = {"net.ipv4.ip_forward", "net.ipv4.conf.all.send_redirects",
                                   "net.ipv4.conf.default.send_redirects", "net.ipv4.tcp_fwmark_accept"};

std::optional<int> number_in(const std::string& path) {
  const auto text = text_of_file(path);
  int out = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
  return read.ec == std::errc() ? std::optional(out) : std::nullopt;
}

/// "/proc/17/fd/5" → "socket:[4711]" holds inode 4711.
void name_programs(std::vector<UdpSocket>& sockets) {
  std::error_code ignored;
  for (const auto& process : fs::directory_iterator("/proc", ignored)) {
    const auto pid = process.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    for (const auto& fd : fs::directory_iterator(process.path() / "fd", ignored)) {
      const auto target = fs::read_symlink(fd, ignored).string();
      if (!target.starts_with("socket:[")) continue;
      for (auto& socket : sockets) {
        if (target != fmt::format("socket:[{}]", socket.inode) || !socket.program.empty()) continue;
        auto name = text_of_file(process.path() / "comm");
        socket.program = name.substr(0, name.find('\n'));
      }
    }
  }
}

std::vector<UdpSocket> look_at_sockets() {
  std::vector<UdpSocket> out;
  for (const char* file : {"/proc/self/net/udp", "/proc/self/net/udp6"})
    for (auto& socket : sockets_in(text_of_file(file)))
      if (socket.port == 500 || socket.port == 4500 || socket.port == 1701) out.push_back(std::move(socket));
  name_programs(out);
  return out;
}

std::vector<Interface> look_at_interfaces(const std::vector<Route>& routes) {
  std::vector<Interface> out;
  for (const auto& route : routes) {
    if (std::ranges::find(out, route.interface, &Interface::name) != out.end()) continue;
    const auto strictness = [](const std::string& which) {
      return number_in(fmt::format("/proc/sys/net/ipv4/conf/{}/rp_filter", which)).value_or(0);
    };
    out.push_back({.name = route.interface,
                   .mtu = static_cast<std::uint32_t>(
                       number_in(fmt::format("/sys/class/net/{}/mtu", route.interface)).value_or(1500)),
                   // The kernel takes the larger, of which 2 is loose and 1 strict.
                   .rp_filter = std::max(strictness("all"), strictness(route.interface))});
  }
  return out;
}

Clock look_at_clock(const std::string& config_path) {
  Clock out{.now = std::time(nullptr)};
  struct stat status {};
  if (::stat(config_path.c_str(), &status) == 0) out.written = status.st_mtime;
  timex state{};
  out.synchronised = ::adjtimex(&state) != TIME_ERROR;
  return out;
}

bool is_there(const std::string& listing) { return listing.find("\"table\"") != std::string::npos; }

}  // namespace

HostFacts look_at_host(const config::Config& config, const std::string& config_path) {
  HostFacts out;
  utsname system{};
  ::uname(&system);
  out.kernel = system.release;
  out.modules = look_for_modules(out.kernel, modules_needed(config));
  out.bans = look_for_bans();
  std::error_code ignored;
  out.dev_ppp = fs::is_character_file("/dev/ppp", ignored);
  if (const auto whole = config::PppdFiles().check(config.ppp); !whole) out.pppd = whole.error().message;
  for (const std::string name : sysctls) {
    auto path = "/proc/sys/" + name;
    std::ranges::replace(path, '.', '/');
    if (const auto value = number_in(path)) out.sysctls[name] = *value;
  }
  out.sockets = look_at_sockets();
  out.routes = routes_in(text_of_file("/proc/self/net/route"));
  out.interfaces = look_at_interfaces(out.routes);
  look_at_certificates(config, out);
  if (const auto rules = output_of({"ip", "-4", "-json", "rule"})) out.mark_rules = mark_rules_in(*rules);
  out.clock = look_at_clock(config_path);
  return out;
}

base::Result<Tables> look_at_tables(const config::Config& config) {
  const std::string list = "nft --json --stateless --terse list table inet sameroof";
  Tables out;
  const auto all = output_of({"nft", "--json", "--terse", "list", "ruleset"});
  if (!all) return tl::unexpected(all.error());
  if (const auto ours = output_of({"/bin/sh", "-c", list}); ours && is_there(*ours)) out.ours = *ours;
  // As nft itself writes what it has read: in a network of nobody.
  auto shipped = output_of({"/bin/sh", "-c", "nft -f - && " + list}, nft::ruleset(config), Network::empty);
  if (!shipped) return tl::unexpected(shipped.error());
  out.shipped = std::move(*shipped);
  auto others = firewall_of_nft(*all);
  if (!others) return base::fail("nft --json lists no ruleset: it was built without JSON");
  std::erase_if(others->chains, [](const Chain& chain) { return chain.table == "inet sameroof"; });
  if (const auto rules = output_of({"iptables-nft-save"})) add_iptables(*others, *rules);
  // Asking the other kind where nobody uses it would load its modules.
  if (!text_of_file("/proc/self/net/ip_tables_names").empty())
    if (const auto rules = output_of({"iptables-legacy-save"})) add_iptables(*others, *rules);
  out.others = std::move(*others);
  return out;
}

}  // namespace doctor
