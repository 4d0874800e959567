#include "l2tpd/spawn.h"

#include <algorithm>
#include <csignal>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <unistd.h>

#include "base/fd.h"

namespace l2tpd {
namespace {

struct FileActions {
  posix_spawn_file_actions_t it;
  FileActions() { posix_spawn_file_actions_init(&it); }
  ~FileActions() { posix_spawn_file_actions_destroy(&it); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
};

struct Attributes {
  posix_spawnattr_t it;
  Attributes() {
    posix_spawnattr_init(&it);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&it, &none);
    posix_spawnattr_setsigdefault(&it, &all);
    posix_spawnattr_setflags(&it, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  }
  ~Attributes() { posix_spawnattr_destroy(&it); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
};

}  // namespace

base::Result<pid_t> spawn(const std::vector<std::string>& words,
                          const std::vector<std::pair<int, int>>& descriptors) {
  const auto what = [&words] { return fmt::format("cannot start {}", words.front()); };
  int beyond = STDERR_FILENO;
  for (const auto& [ours, theirs] : descriptors) beyond = std::max(beyond, theirs);
  FileActions files;
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO})
    posix_spawn_file_actions_addopen(&files.it, stream, "/dev/null", O_RDWR, 0);
  // Copies beyond the target numbers: no dup2 can then overwrite another's source.
  std::vector<base::Fd> copies;
  for (const auto& [ours, theirs] : descriptors) {
    const auto& copy = copies.emplace_back(::fcntl(ours, F_DUPFD_CLOEXEC, beyond + 1));
    if (!copy) return base::fail_errno(what(), errno);
    posix_spawn_file_actions_adddup2(&files.it, copy.get(), theirs);
  }
  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  char* environment[] = {path, nullptr};
  const Attributes attributes;
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, words.front().c_str(), &files.it, &attributes.it, argv.data(), environment);
  if (error != 0) return base::fail_errno(what(), error);
  return pid;
}

}  // namespace l2tpd
