#include "l2tpd/kernel.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_pppox.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace l2tpd {
namespace {

base::Result<base::Fd> open_pppox() {
  base::Fd fd(::socket(AF_PPPOX, SOCK_DGRAM | SOCK_CLOEXEC, PX_PROTO_OL2TP));
  if (!fd)
    return tl::unexpected(no_pppol2tp(errno, {"/etc/modprobe.d", "/run/modprobe.d", "/lib/modprobe.d"}));
  return fd;
}

/// sockaddr_pppol2tp or sockaddr_pppol2tpin6, written to `out`; its length, by which the kernel tells them
/// apart.
template <class Kernel>
socklen_t put_pppox_address(sockaddr_storage& out, int udp_socket, const l2tp::TunnelName& tunnel,
                            const l2tp::SessionName& session) {
  Kernel address{};
  address.sa_family = AF_PPPOX;
  address.sa_protocol = PX_PROTO_OL2TP;
  address.pppol2tp.fd = udp_socket;
  sockaddr_storage remote{};
  tunnel.remote.to_sockaddr(remote);
  std::memcpy(&address.pppol2tp.addr, &remote, sizeof address.pppol2tp.addr);
  address.pppol2tp.s_tunnel = tunnel.id.value;
  address.pppol2tp.d_tunnel = tunnel.peer.value;
  address.pppol2tp.s_session = session.id.value;
  address.pppol2tp.d_session = session.peer.value;
  std::memcpy(&out, &address, sizeof address);  // which is packed
  return sizeof address;
}

base::Result<base::Fd> connect_pppox(int udp_socket, const l2tp::TunnelName& tunnel,
                                     const l2tp::SessionName& session) {
  auto fd = open_pppox();
  if (!fd) return fd;
  sockaddr_storage address{};
  const auto length = tunnel.remote.address.is_v4()
                          ? put_pppox_address<sockaddr_pppol2tp>(address, udp_socket, tunnel, session)
                          : put_pppox_address<sockaddr_pppol2tpin6>(address, udp_socket, tunnel, session);
  if (::connect(fd->get(), reinterpret_cast<sockaddr*>(&address), length) != 0)
    return base::fail_errno(fmt::format("cannot make L2TP session {} of tunnel {} in the kernel",
                                        session.id.value, tunnel.id.value),
                            errno);
  return fd;
}

}  // namespace

base::Result<base::Fd> make_kernel_tunnel(int udp_socket, const l2tp::TunnelName& tunnel) {
  // if_pppol2tp.h: session 0 is the tunnel itself, its management socket.
  return connect_pppox(udp_socket, tunnel, {});
}

base::Result<base::Fd> make_kernel_session(int udp_socket, const l2tp::TunnelName& tunnel,
                                           const l2tp::SessionName& session, DataSequencing sequencing) {
  auto fd = connect_pppox(udp_socket, tunnel, session);
  if (!fd) return fd;
  const auto turn_on = [&](int option) {
    const int on = 1;
    return ::setsockopt(fd->get(), SOL_PPPOL2TP, option, &on, sizeof on) == 0;
  };
  // Else the kernel does as the peer does (RFC 2661 §5.4, LAC), until pppd says the same.
  const bool done =
      turn_on(PPPOL2TP_SO_LNSMODE) &&
      (sequencing == DataSequencing::none || (turn_on(PPPOL2TP_SO_SENDSEQ) && turn_on(PPPOL2TP_SO_RECVSEQ)));
  if (!done) return base::fail_errno("cannot say who decides on L2TP sequence numbers", errno);
  return fd;
}

base::Result<std::uint16_t> path_mtu(const base::Address& local, const base::Address& remote) {
  const auto what = [&] { return fmt::format("cannot find the way to {}", remote.to_string()); };
  const base::Fd fd(::socket(local.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return base::fail_errno(what(), errno);
  sockaddr_storage at{};
  auto length = base::Endpoint{local, 0}.to_sockaddr(at);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), length) != 0) return base::fail_errno(what(), errno);
  length = base::Endpoint{remote, 1701}.to_sockaddr(at);
  int mtu = 0;
  socklen_t size = sizeof mtu;
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&at), length) != 0 ||
      ::getsockopt(fd.get(), local.is_v4() ? IPPROTO_IP : IPPROTO_IPV6, local.is_v4() ? IP_MTU : IPV6_MTU,
                   &mtu, &size) != 0)
    return base::fail_errno(what(), errno);
  return static_cast<std::uint16_t>(std::clamp(mtu, 576, 65535));
}

base::Result<void> set_mtu(const std::string& ifname, std::uint16_t mtu) {
  const base::Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  ifname.copy(request.ifr_name, sizeof request.ifr_name - 1);
  request.ifr_mtu = mtu;
  if (!fd || ::ioctl(fd.get(), SIOCSIFMTU, &request) != 0)
    return base::fail_errno(fmt::format("cannot set the MTU of {}", ifname), errno);
  return {};
}

namespace {

constexpr std::array needed_modules{"l2tp_ppp", "l2tp_core", "l2tp_netlink", "pppox", "ppp_generic"};

/// Whether a line of modprobe.d(5) keeps a module that we need from being loaded; which.
std::optional<std::string_view> forbidden_by(const std::string& line) {
  std::istringstream words(line);
  std::string command, module, program;
  words >> command >> module >> program;
  std::ranges::replace(module, '-', '_');
  const bool stops = command == "blacklist" ||
                     (command == "install" && (program.ends_with("/false") || program.ends_with("/true")));
  const auto it = std::ranges::find(needed_modules, module);
  if (!stops || it == needed_modules.end()) return std::nullopt;
  return *it;
}

struct Prohibition {
  std::string_view module;
  std::string file;
};

std::optional<Prohibition> prohibition_in(const std::vector<std::string>& folders) {
  for (const auto& folder : folders) {
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
      if (entry.path().extension() != ".conf") continue;
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) {
        if (const auto module = forbidden_by(line)) return Prohibition{*module, entry.path().string()};
      }
    }
  }
  return std::nullopt;
}

}  // namespace

base::Error no_pppol2tp(int error_number, const std::vector<std::string>& folders) {
  if (error_number != EAFNOSUPPORT && error_number != EPROTONOSUPPORT)
    return base::fail_errno("cannot open a PPPoL2TP socket", error_number).value();
  const auto prohibition = prohibition_in(folders);
  if (!prohibition)
    return {
        "the kernel has no PPP over L2TP: modprobe l2tp_ppp says why (RHEL has the module in the package "
        "kernel-modules-extra)"};
  return {fmt::format("the kernel has no PPP over L2TP: {} forbids the module {}", prohibition->file,
                      prohibition->module)};
}

base::Result<void> check_ppp_device(const char* path) {
  const base::Fd device(::open(path, O_RDWR | O_CLOEXEC));
  if (device) return {};
  switch (errno) {
    case ENOENT:
      return base::fail(
          fmt::format("there is no {0}: modprobe ppp_generic makes it (in a container: mknod {0} "
                      "c 108 0, where the host allows it)",
                      path));
    case ENXIO:
    case ENODEV:
      return base::fail(fmt::format("{} is there, but the kernel has no PPP: modprobe ppp_generic", path));
    default: return base::fail_errno(fmt::format("cannot open {}", path), errno);
  }
}

base::Result<void> check_kernel() {
  if (const auto fd = open_pppox(); !fd) return tl::unexpected(fd.error());
  return check_ppp_device("/dev/ppp");
}

}  // namespace l2tpd
