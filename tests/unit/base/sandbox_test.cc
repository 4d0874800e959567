// What a confined process cannot do any more, tried by a child; and what it still can.

#include "os/sandbox.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/channel.h"

namespace os {
namespace {

constexpr Unprivileged nobody{.user = 65534, .group = 65534};

/// Zero, or why not.
int error_of(long result) { return result < 0 ? errno : 0; }

/// Runs `inside` in a child that is confined already; what it answers.
template <class Answer>
Answer confined(const std::function<Answer()>& inside) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const base::Fd read_end(ends[0]), write_end(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    if (!confine(nobody)) ::_exit(1);
    const auto answer = inside();
    ::_exit(::write(write_end.get(), &answer, sizeof answer) == sizeof answer ? 0 : 2);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
  Answer answer{};
  if (status == 0) {
    EXPECT_EQ(::read(read_end.get(), &answer, sizeof answer), ssize_t{sizeof answer});
  }
  return answer;
}

int refusal_of(const std::function<long()>& attempt) {
  return confined<int>([&] { return error_of(attempt()); });
}

TEST(Sandbox, OpensNoFile) {
  EXPECT_EQ(refusal_of([] { return ::open("/dev/null", O_RDONLY); }), EPERM);
  EXPECT_EQ(refusal_of([] { return ::syscall(SYS_openat, AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR, 0600); }),
            EPERM);
  EXPECT_EQ(refusal_of([] { return ::memfd_create("x", 0); }), EPERM);
  EXPECT_EQ(refusal_of([] { return ::unlink("/nonexistent"); }), EPERM);
}

TEST(Sandbox, RunsNoProgramAndMakesNoProcessOrThread) {
  EXPECT_EQ(refusal_of([] { return ::execl("/bin/true", "true", nullptr); }), EPERM);
  EXPECT_EQ(refusal_of([] { return ::fork(); }), EPERM);
  EXPECT_EQ(refusal_of([] { return ::vfork(); }), EPERM);
  EXPECT_EQ(refusal_of([] { return ::syscall(SYS_clone3, nullptr, 0); }), EPERM);
}

TEST(Sandbox, MakesNoSocket) {
  EXPECT_EQ(refusal_of([] { return ::socket(AF_INET, SOCK_DGRAM, 0); }), EPERM);
  EXPECT_EQ(refusal_of([] { return ::socket(AF_NETLINK, SOCK_RAW, 0); }), EPERM);
  EXPECT_EQ(refusal_of([] {
              int pair[2];
              return ::socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
            }),
            EPERM);
}

TEST(Sandbox, SignalsNobodyButItself) {
  const pid_t parent = ::getpid();
  EXPECT_EQ(refusal_of([parent] { return ::kill(parent, 0); }), EPERM);
  EXPECT_EQ(refusal_of([parent] { return ::syscall(SYS_tgkill, parent, parent, 0); }), EPERM);
  EXPECT_EQ(refusal_of([] { return ::syscall(SYS_tgkill, ::getpid(), ::gettid(), 0); }), 0) << "abort() does";
}

TEST(Sandbox, MakesNoMemoryExecutable) {
  EXPECT_EQ(refusal_of([] {
              return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                             MAP_FAILED
                         ? -1
                         : 0;
            }),
            EPERM);
  EXPECT_EQ(refusal_of([] {
              auto* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return page == MAP_FAILED ? 0 : ::mprotect(page, 4096, PROT_READ | PROT_EXEC);
            }),
            EPERM);
}

TEST(Sandbox, DoesNotGetOut) {
  EXPECT_EQ(refusal_of([] { return ::prctl(PR_SET_PDEATHSIG, 0); }), EPERM);
  EXPECT_EQ(refusal_of([] { return ::prctl(PR_SET_DUMPABLE, 1); }), EPERM);
  EXPECT_EQ(refusal_of([] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }), EPERM);
  EXPECT_EQ(refusal_of([] { return ::syscall(SYS_setresuid, 0, 0, 0); }), EPERM);
  EXPECT_EQ(refusal_of([] { return ::syscall(SYS_unshare, CLONE_NEWUSER); }), EPERM);
}

TEST(Sandbox, StillWorksWithWhatIsOpenAndWithMemory) {
  auto pair = Channel::pair().value();
  auto &here = pair.first, &there = pair.second;
  const bool good = confined<bool>([&] {
    const base::Bytes much(1 << 24, 3);
    pollfd readable{.fd = there.fd(), .events = POLLIN, .revents = 0};
    return here.send(base::ByteView(much).first(1000)) && ::poll(&readable, 1, 1000) == 1 &&
           there.receive()->bytes.size() == 1000;
  });
  EXPECT_TRUE(good);
}

TEST(Sandbox, HoldsForThreadsThatWereThereBefore) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto pair = Channel::pair().value();
    int refused = 0;
    std::thread older([&] {
      (void)pair.first.receive();
      refused = error_of(::open("/dev/null", O_RDONLY));
    });
    if (!confine(nobody)) ::_exit(1);
    (void)pair.second.send(base::as_bytes("go"));
    older.join();
    ::_exit(refused == EPERM ? 0 : 2);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

/// A child that waits until the test is done with it.
class ConfinedChild {
 public:
  ConfinedChild() {
    auto [here, there] = Channel::pair().value();
    here_ = std::move(here);
    pid = ::fork();
    if (pid == 0) {
      here_ = {};
      if (!confine(nobody)) ::_exit(1);
      (void)there.send(base::as_bytes("confined"));
      (void)there.receive();
      ::_exit(0);
    }
    there = {};
    EXPECT_TRUE(here_.receive());
  }
  ~ConfinedChild() {
    here_ = {};
    ::waitpid(pid, nullptr, 0);
  }
  std::string line(const std::string& name) const {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
    }
    return {};
  }
  pid_t pid;

 private:
  Channel here_;
};

TEST(Sandbox, LeavesRootNothingOfIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const ConfinedChild child;
  EXPECT_EQ(child.line("Uid"), "65534\t65534\t65534\t65534");
  EXPECT_EQ(child.line("Gid"), "65534\t65534\t65534\t65534");
  EXPECT_EQ(child.line("Groups"), " ");
  for (const auto* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"})
    EXPECT_EQ(child.line(set), "0000000000000000") << set;
  EXPECT_EQ(child.line("NoNewPrivs"), "1");
  EXPECT_EQ(child.line("Seccomp"), "2");
}

TEST(Sandbox, IsNoneForWhoKeepsCapabilitiesAsAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const pid_t child = ::fork();
  if (child == 0) {
    if (::prctl(PR_SET_KEEPCAPS, 1) != 0 || ::setresuid(nobody.user, nobody.user, nobody.user) != 0)
      ::_exit(1);
    ::_exit(confine(nobody) ? 2 : 0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Sandbox, EndsWithItsParent) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const base::Fd read_end(ends[0]);
  const pid_t parent = ::fork();
  if (parent == 0) {
    if (::fork() == 0) {
      // Tells that it is there, and holds the pipe open while it lives.
      if (!confine(nobody) || ::write(ends[1], "x", 1) != 1) ::_exit(1);
      while (true) ::poll(nullptr, 0, 1000);
    }
    ::close(ends[1]);
    char there = 0;
    ::_exit(::read(ends[0], &there, 1) == 1 ? 0 : 1);
  }
  ::close(ends[1]);
  int status = -1;
  ASSERT_EQ(::waitpid(parent, &status, 0), parent);
  ASSERT_EQ(status, 0);
  pollfd closed{.fd = read_end.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&closed, 1, 10'000), 1);
  char nothing = 0;
  EXPECT_EQ(::read(read_end.get(), &nothing, 1), 0);
}

}  // namespace
}  // namespace os
