#include "os/partner.h"

#include <cerrno>
#include <csignal>

#include <fmt/format.h>
#include <pwd.h>
#include <spawn.h>
#include <unistd.h>

namespace os {
namespace {

constexpr int first_free = 3;  // descriptor of the partner
constexpr unsigned nobody = 65534;

base::Result<Partner> spawn(const std::vector<std::string>& command) {
  auto pair = Channel::pair();
  if (!pair) return tl::unexpected(pair.error());
  auto arguments = command;
  arguments.push_back(fmt::format("--packets={}", first_free));
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pair->second.fd(), first_free);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  Partner out{.channel = std::move(pair->first)};
  const int error = ::posix_spawn(&out.child, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return base::fail_errno("cannot start " + command.front(), error);
  return out;
}

base::Result<Partner> called(const std::string& launcher) {
  auto connected = Channel::connect(launcher);
  if (!connected) return tl::unexpected(connected.error());
  return Partner{.channel = std::move(*connected)};
}

}  // namespace

base::Result<Partner> start_partner(const PartnerCommand& command, base::ByteView hello,
                                    std::span<const int> descriptors) {
  if (command.launcher.empty() && command.argv.empty()) return base::fail("there is no program to start");
  auto out = command.launcher.empty() ? spawn(command.argv) : called(command.launcher);
  if (!out) return out;
  if (!out->channel.send(hello, descriptors)) return base::fail_errno("cannot hand over the sockets", errno);
  return out;
}

Unprivileged identity_of(const char* user) {
  const auto* own = ::getpwnam(user);
  const auto* found = own != nullptr ? own : ::getpwnam("nobody");
  return found == nullptr ? Unprivileged{nobody, nobody} : Unprivileged{found->pw_uid, found->pw_gid};
}

}  // namespace os
