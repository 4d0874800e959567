#pragma once
// A daemon's process that reads packets, once it has been taken over: the test speaks in its place.

#include <cstdlib>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>

#include "os/channel.h"

class Puppet {
 public:
  /// `path`: for a socket of its own.
  explicit Puppet(const std::string& path)
      : path_(path), door_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::bind(door_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(door_.get(), 1) != 0)
      std::abort();
  }
  /// For os::PartnerCommand.
  std::vector<std::string> command() const { return {PUPPET, path_}; }
  /// Once it has been started: what it was started with. It has no copy of it.
  os::Channel channel() {
    strings_ = os::Channel(base::Fd(::accept4(door_.get(), nullptr, nullptr, SOCK_CLOEXEC)));
    auto greeting = strings_.receive();
    if (!greeting || greeting->descriptors.size() != 1) return {};
    return os::Channel(std::move(greeting->descriptors.front()));
  }
  bool end_with(std::uint8_t status) { return strings_.send({&status, 1}); }
  void let_go() { strings_ = {}; }

 private:
  std::string path_;
  base::Fd door_;
  os::Channel strings_;
};
