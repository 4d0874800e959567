#include "xfrmctl/watch.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <thread>

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace xfrmctl {
namespace {

constexpr const char* home_and_clear = "\x1b[H\x1b[2J";

/// Whether to go on.
bool run_once(bool terminal, const std::function<int()>& once) {
  const auto child = ::fork();
  if (child < 0) {
    fmt::print(stderr, "xfrmctl: cannot start another process: {}\n", std::strerror(errno));
    return false;
  }
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (terminal) std::fputs(home_and_clear, stdout);
    once();
    // What could not be written is why nobody reads.
    ::_exit(std::fflush(stdout) == 0 ? 0 : 1);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

int watch(std::chrono::seconds interval, const std::function<int()>& once) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  while (run_once(terminal, once)) std::this_thread::sleep_for(interval);
  return 1;
}

}  // namespace xfrmctl
