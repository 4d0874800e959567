#include "l2tpd/hooks.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/event_log.h"
#include "base/fd.h"
#include "l2tpd/spawn.h"

namespace l2tpd {
namespace {

using base::Severity;

constexpr std::size_t most_at_once = 16;
/// Beyond it new sessions are passed over, until half of it waits.
constexpr std::size_t most_waiting = 1000;

/// A file in memory: whatever the program reads of it or not, nobody waits.
base::Result<base::Fd> file_with(const std::string& content) {
  base::Fd fd(::memfd_create("session", MFD_CLOEXEC));
  if (!fd) return base::fail_errno("cannot make the record of a session", errno);
  if (::write(fd.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size()) ||
      ::lseek(fd.get(), 0, SEEK_SET) != 0)
    return base::fail_errno("cannot write the record of a session", errno);
  return fd;
}

}  // namespace

std::string_view name_of(SessionEvent event) {
  return event == SessionEvent::up ? "session-up" : "session-down";
}

Hooks::Hooks(os::Loop& loop, const config::Hooks& config) : loop_(loop), config_(config) {}

const std::string& Hooks::program_of(SessionEvent event) const {
  return event == SessionEvent::up ? config_.session_up : config_.session_down;
}

void Hooks::run(SessionEvent event, std::uint64_t session, std::string record) {
  const bool passed_over = event == SessionEvent::up ? passes_over(session) : passed_over_.erase(session) > 0;
  if (program_of(event).empty()) return;
  if (passed_over) {
    ++counters_.dropped;
    return;
  }
  waiting_.push_back({event, session, std::move(record)});
  start_what_may();
}

bool Hooks::passes_over(std::uint64_t session) {
  if (waiting_.size() >= most_waiting && !std::exchange(behind_, true))
    base::log(Severity::error,
              fmt::format("The hooks are {} events behind: they are not told of sessions that come up now.",
                          waiting_.size()));
  if (behind_) passed_over_.insert(session);
  return behind_;
}

void Hooks::start_what_may() {
  for (auto it = waiting_.begin(); it != waiting_.end() && running_.size() < most_at_once;) {
    const auto same = [it](const auto& other) { return other.session == it->session; };
    if (std::ranges::any_of(running_, same) || std::any_of(waiting_.begin(), it, same)) {
      ++it;
      continue;
    }
    const auto job = std::move(*it);
    it = waiting_.erase(it);
    start(job);
  }
  if (waiting_.size() <= most_waiting / 2) behind_ = false;
}

void Hooks::start(const Job& job) {
  const auto& program = program_of(job.event);
  if (program.empty()) return;  // by a configuration that came meanwhile
  ++counters_.started;
  const auto record = file_with(job.record);
  const auto pid = record ? spawn({program, std::string(name_of(job.event))}, {{record->get(), STDIN_FILENO}})
                          : tl::unexpected(record.error());
  if (!pid) {
    ++counters_.failed;
    base::log(Severity::error,
              fmt::format("The hook for {} does not run: {}.", name_of(job.event), pid.error().message));
    return;
  }
  const auto it = running_.emplace(running_.end());
  it->program = program;
  it->session = job.session;
  it->exit = loop_.on_child_exit(*pid, [this, it](int status) { ended(it, status); });
  it->too_late = loop_.on_time([it, pid = *pid] {
    it->late = true;
    ::kill(-pid, SIGKILL);  // and whatever it has started
  });
  it->too_late.set_time(base::Clock::now() + config_.timeout);
}

void Hooks::ended(std::list<Running>::iterator it, int status) {
  const auto gone = std::move(*it);
  running_.erase(it);
  if (gone.late) {
    ++counters_.timed_out;
    base::log(Severity::error, fmt::format("The hook {} was ended: it took too long.", gone.program));
  } else if (WIFSIGNALED(status)) {
    ++counters_.failed;
    base::log(Severity::error,
              fmt::format("The hook {} was ended by signal {}.", gone.program, WTERMSIG(status)));
  } else if (WEXITSTATUS(status) != 0) {
    ++counters_.failed;
    base::log(Severity::error,
              fmt::format("The hook {} ended with status {}.", gone.program, WEXITSTATUS(status)));
  } else {
    base::log(Severity::debug, fmt::format("The hook {} ended well.", gone.program));
  }
  start_what_may();
}

}  // namespace l2tpd
