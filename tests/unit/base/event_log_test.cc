// What reaches the journal: a socket of our own in its place, in a mount namespace of a child's.

#include "base/event_log.h"

#include <cstdlib>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

namespace base {
namespace {

constexpr int cannot = 77;

/// In a child: /run is a fresh file system with a journal's socket in it, and standard error leads to a
/// journal.
Fd pretend_journal() {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", "/run", "tmpfs", 0, nullptr) != 0)
    ::_exit(cannot);
  ::mkdir("/run/systemd", 0755);
  ::mkdir("/run/systemd/journal", 0755);
  Fd journal(::socket(AF_UNIX, SOCK_DGRAM, 0));
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::string("/run/systemd/journal/socket").copy(at.sun_path, sizeof at.sun_path - 1);
  if (::bind(journal.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) ::_exit(cannot);
  struct stat info {};
  ::fstat(STDERR_FILENO, &info);
  ::setenv("JOURNAL_STREAM", fmt::format("{}:{}", info.st_dev, info.st_ino).c_str(), 1);
  return journal;
}

TEST(EventLog, TheJournalGetsTheSentenceItsPriorityAndTheFields) {
  const auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto journal = pretend_journal();
    log(Severity::debug, "nobody asked for this");
    log(Severity::notice, "peer 7 is up\nPRIORITY=0", {{"PEER", "7"}, {"USER", "al\nMESSAGE=ice"}});
    char buffer[4096];
    const auto n = ::recv(journal.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    const std::string got(buffer, n < 0 ? 0 : static_cast<std::size_t>(n));
    const auto has = [&got](const char* field) { return ("\n" + got).find(field) != std::string::npos; };
    const bool whole = has("\nMESSAGE=peer 7 is up?PRIORITY=0\n") && has("\nPRIORITY=5\n") &&
                       has("\nPEER=7\n") && has("\nUSER=al?MESSAGE=ice\n");
    const bool more = ::recv(journal.get(), buffer, sizeof buffer, MSG_DONTWAIT) >= 0;
    if (!whole) fmt::print("the journal got: {}\n", got);
    std::fflush(stdout);
    ::_exit(whole && !more ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == cannot) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(EventLog, WithoutAJournalASentenceIsOneLine) {
  ::testing::internal::CaptureStderr();
  log(Severity::info, "one\ntwo\x1b[2J", {{"PEER", "7"}});
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "one?two?[2J\n");
}

}  // namespace
}  // namespace base
