#pragma once
// A server with a loop on a socket of its own, and a raw client that speaks octets.

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/interfaces.h"
#include "control/server.h"

namespace control {

class Served : public testing::Test {
 protected:
  Served() {
    char folder[] = "/tmp/control.XXXXXX";
    if (!::mkdtemp(folder)) std::abort();
    folder_ = folder;
    options_.path = folder_ + "/ikd";
    options_.product = "ikd";
    options_.version = "1";
    options_.privileged_uid = ::getuid();
    options_.rest = 0;  // whoever waits in these tests counts turns of the loop
  }
  ~Served() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  void serve() {
    auto server = Server::listen(loop_, options_, ike_interface);
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }
  void turn(int times = 20) {
    for (int i = 0; i < times; ++i) loop_.run_once(std::chrono::milliseconds(1));
  }

  base::Fd connect() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    options_.path.copy(address.sun_path, sizeof address.sun_path - 1);
    base::Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  static void say(const base::Fd& fd, const std::string& text) {
    const std::string framed = text + '\0';
    EXPECT_EQ(::send(fd.get(), framed.data(), framed.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(framed.size()));
  }
  /// Everything that came; frames end in '|'. A closed connection adds "EOF".
  std::string hear(const base::Fd& fd) {
    turn();
    std::string out;
    char buffer[65536];
    for (;;) {
      const auto n = ::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (n == 0) return out + "EOF";
      if (n < 0 && errno == ECONNRESET) return out + "EOF";
      if (n < 0) return out;
      for (const char c : std::string(buffer, static_cast<std::size_t>(n))) out += c == '\0' ? '|' : c;
    }
  }
  std::string ask(const std::string& text) {
    const auto fd = connect();
    say(fd, text);
    return hear(fd);
  }

  os::Loop loop_;
  std::string folder_;
  ServerOptions options_;
  std::unique_ptr<Server> server_;
};

}  // namespace control
