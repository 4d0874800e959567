#pragma once
// What was found on a host: values that the checks judge, and the pure functions that read them from what the
// kernel and the tools print.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace doctor {

struct Module {
  std::string name;
  bool present = false;    ///< loaded, or part of the kernel
  bool available = false;  ///< present, or there to be loaded
};

/// A line of modprobe.d that keeps a module from being loaded.
struct Ban {
  std::string module, file, line;
};

/// An unconnected UDP socket: what comes from anybody arrives there.
struct UdpSocket {
  base::Address address;
  std::uint16_t port = 0;
  std::uint64_t inode = 0;
  std::string program = {};  ///< empty: not known

  bool operator==(const UdpSocket&) const = default;
};

struct Route {
  base::Prefix to;
  std::string interface;

  bool operator==(const Route&) const = default;
};

struct Interface {
  std::string name;
  std::uint32_t mtu = 0;
  int rp_filter = 0;  ///< in effect: the stricter of its own and that of all
};

struct Certificate {
  std::string file;
  std::int64_t not_before = 0, not_after = 0;  ///< Unix time
  bool has_names = false;                      ///< alternative names
  bool serves_windows = false;                 ///< its extended key usage is one that Windows takes
};

/// A routing rule that looks at marks.
struct MarkRule {
  std::uint32_t priority = 0, value = 0, mask = 0;
};

struct Clock {
  std::int64_t now = 0;      ///< Unix time
  std::int64_t written = 0;  ///< when the configuration was written last
  bool synchronised = false;
};

struct HostFacts {
  std::string kernel;  ///< "6.1.0-18-amd64"
  std::vector<Module> modules;
  std::vector<Ban> bans;
  bool dev_ppp = false;
  std::string pppd;                    ///< what of it is missing, in words
  std::map<std::string, int> sysctls;  ///< "net.ipv4.ip_forward"; those that could be read
  std::vector<UdpSocket> sockets;
  std::vector<Route> routes;
  std::vector<Interface> interfaces;
  std::vector<Certificate> certificates;
  std::vector<std::string> unread;  ///< sentences about files of certificates that could not be read
  std::vector<MarkRule> mark_rules;
  Clock clock;
  std::optional<std::uint32_t> sessions;  ///< as l2tpd counts them, where it answers
};

/// "blacklist x" and "install x /bin/false" of a file of modprobe.d.
std::vector<Ban> bans_in(std::string_view text, const std::string& file);
/// /proc/net/udp or udp6.
std::vector<UdpSocket> sockets_in(std::string_view proc_net_udp);
/// /proc/net/route.
std::vector<Route> routes_in(std::string_view proc_net_route);
/// `ip -j rule`; empty for what is none.
std::vector<MarkRule> mark_rules_in(std::string_view json);

}  // namespace doctor
