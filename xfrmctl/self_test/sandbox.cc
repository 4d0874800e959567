#include "self_test/sandbox.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace self_test {
namespace {

constexpr int not_made = 125;

bool cover(const char* folder) {
  return ::mount("self-test", folder, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") == 0;
}

/// The daemons read and write where they always do, which AppArmor's profiles expect of them; but here these
/// are folders in memory.
bool cover_folders() {
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 || !cover("/run")) return false;
  if (::access("/etc/sameroof", F_OK) == 0 && !cover("/etc/sameroof")) return false;
  return ::mkdir(run_directory, 0755) == 0;
}

/// `parent` hangs up when the parent has ended.
[[noreturn]] void live_in_sandbox(int parent, int complaints, const std::function<int()>& inside) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  pollfd alive{.fd = parent, .events = POLLIN, .revents = 0};
  if (::poll(&alive, 1, 0) != 0) ::_exit(not_made);  // it ended before that
  for (const char* of_systemd : {"NOTIFY_SOCKET", "JOURNAL_STREAM", "WATCHDOG_USEC", "WATCHDOG_PID"})
    ::unsetenv(of_systemd);
  if (!cover_folders()) {
    const int why = errno;
    [[maybe_unused]] const auto written = ::write(complaints, &why, sizeof why);
    ::_exit(not_made);
  }
  const int status = inside();
  std::fflush(nullptr);
  ::_exit(status);
}

}  // namespace

base::Result<int> in_sandbox(const std::function<int()>& inside) {
  int life[2], complaints[2];
  if (::pipe2(life, O_CLOEXEC) != 0 || ::pipe2(complaints, O_CLOEXEC | O_NONBLOCK) != 0)
    return base::fail_errno("cannot make a pipe", errno);
  const base::Fd there(life[0]), heard(complaints[0]), said(complaints[1]);
  base::Fd here(life[1]);
  std::fflush(nullptr);
  // As fork(2), which has no flags.
  const auto child = static_cast<pid_t>(::syscall(
      SYS_clone, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | SIGCHLD, nullptr, nullptr, nullptr, 0));
  if (child < 0) return base::fail_errno("cannot make namespaces", errno);
  if (child == 0) {
    here.reset();
    live_in_sandbox(there.get(), said.get(), inside);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return base::fail_errno("cannot wait for the self-test", errno);
  int why = 0;
  if (::read(heard.get(), &why, sizeof why) == sizeof why)
    return base::fail_errno("cannot make folders in memory", why);
  if (!WIFEXITED(status)) return base::fail("the self-test was killed");
  return WEXITSTATUS(status);
}

base::Result<Daemon> Daemon::start(const std::vector<std::string>& words) {
  base::Fd log(::memfd_create("log", MFD_CLOEXEC));
  if (!log) return base::fail_errno("cannot keep a log", errno);
  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const auto pid = ::fork();
  if (pid < 0) return base::fail_errno("cannot start " + words[0], errno);
  if (pid == 0) {
    if (::dup2(log.get(), STDOUT_FILENO) >= 0 && ::dup2(log.get(), STDERR_FILENO) >= 0)
      ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  return Daemon(pid, std::move(log));
}

Daemon::Daemon(Daemon&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), status_(other.status_), log_(std::move(other.log_)) {}

Daemon::~Daemon() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool Daemon::ended() {
  if (pid_ != 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = 0;
  return pid_ == 0;
}

bool Daemon::ended_well() const { return pid_ == 0 && WIFEXITED(status_) && WEXITSTATUS(status_) == 0; }

void Daemon::ask_to_end() {
  if (!ended()) ::kill(pid_, SIGTERM);
}

std::string Daemon::said_last() const {
  struct stat info {};
  if (::fstat(log_.get(), &info) != 0 || info.st_size == 0) return "it said nothing";
  std::string text(static_cast<std::size_t>(info.st_size), '\0');
  const auto n = ::pread(log_.get(), text.data(), text.size(), 0);
  text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

std::string path_of(const std::string& program) {
  const char* const set = std::getenv("PATH");
  const std::string folders = std::string(set == nullptr ? "/usr/bin" : set) + ":/usr/sbin:/sbin";
  for (std::size_t from = 0; from < folders.size();) {
    const auto to = std::min(folders.find(':', from), folders.size());
    auto path = folders.substr(from, to - from) + "/" + program;
    if (path[0] == '/' && ::access(path.c_str(), X_OK) == 0) return path;
    from = to + 1;
  }
  return {};
}

}  // namespace self_test
