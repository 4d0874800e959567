#include "control/unix_socket.h"

#include <cerrno>
#include <chrono>
#include <cstring>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

namespace control {

namespace {

/// The error number of connect(); 0 when somebody answers.
base::Result<int> knock(const std::string& path, base::Fd& fd, base::Duration patience = {}) {
  const auto address = unix_address(path);
  if (!address) return tl::unexpected(address.error());
  const bool waits = patience > base::Duration(0);
  fd = base::Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (waits ? 0 : SOCK_NONBLOCK), 0));
  if (!fd) return base::fail_errno("cannot make a socket", errno);
  if (waits) {
    const auto whole = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
    const timeval longest{.tv_sec = whole / 1000, .tv_usec = whole % 1000 * 1000};
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof longest) < 0)
      return base::fail_errno("cannot make a socket", errno);
  }
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) < 0) return errno;
  return 0;
}

}  // namespace

base::Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return base::fail(fmt::format("{} is too long for the path of a socket", path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

base::Result<base::Fd> connect_unix(const std::string& path, base::Duration patience) {
  base::Fd fd;
  const auto outcome = knock(path, fd, patience);
  if (!outcome) return tl::unexpected(outcome.error());
  if (*outcome != 0) return base::fail_errno(fmt::format("cannot connect to {}", path), *outcome);
  return fd;
}

base::Result<void> remove_stale_socket(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) < 0) {
    if (errno == ENOENT) return {};
    return base::fail_errno(fmt::format("cannot look at {}", path), errno);
  }
  if (!S_ISSOCK(status.st_mode)) return base::fail(fmt::format("{} is there and is no socket", path));
  base::Fd fd;
  const auto outcome = knock(path, fd);
  if (!outcome) return tl::unexpected(outcome.error());
  // Only this says that nobody is there: a busy server's backlog may be full (EAGAIN).
  if (*outcome == 0 || *outcome == EAGAIN) return base::fail(fmt::format("somebody serves {} already", path));
  if (*outcome != ECONNREFUSED)
    return base::fail_errno(fmt::format("cannot tell whether somebody serves {}", path), *outcome);
  if (::unlink(path.c_str()) < 0)
    return base::fail_errno(fmt::format("cannot remove the old {}", path), errno);
  return {};
}

}  // namespace control
