#pragma once
// An administrator's programs, told of sessions as they come and go.

#include <cstdint>
#include <deque>
#include <list>
#include <set>
#include <string>

#include "base/time.h"
#include "config/config.h"
#include "os/loop.h"

namespace l2tpd {

enum class SessionEvent { up, down };
std::string_view name_of(SessionEvent event);  ///< "session-up"

struct HookCounters {
  std::uint64_t started = 0, failed = 0, timed_out = 0;
  std::uint64_t dropped = 0;  ///< events told to nobody
};

class Hooks {
 public:
  /// `config` outlives it, and is read anew for each event.
  Hooks(os::Loop& loop, const config::Hooks& config);
  Hooks(const Hooks&) = delete;
  Hooks& operator=(const Hooks&) = delete;

  /// Starts the event's program, if there is one, with its name as argument and `record` on its standard
  /// input. The events of one `session` (any number of its own) follow one another; so do all when there are
  /// very many. Where the programs cannot keep up, neither event of a session that is new is told to them:
  /// what waits are the events of sessions that are up, and some 1000 more.
  void run(SessionEvent event, std::uint64_t session, std::string record);
  /// None runs, and none waits.
  bool empty() const { return running_.empty() && waiting_.empty(); }

  const HookCounters& counters() const { return counters_; }

 private:
  struct Job {
    SessionEvent event;
    std::uint64_t session;
    std::string record;
  };
  struct Running {
    std::string program;
    std::uint64_t session = 0;
    bool late = false;
    os::Source exit;
    os::Source too_late;
  };
  const std::string& program_of(SessionEvent event) const;
  bool passes_over(std::uint64_t session);
  void start_what_may();
  void start(const Job& job);
  void ended(std::list<Running>::iterator it, int status);

  os::Loop& loop_;
  const config::Hooks& config_;
  std::deque<Job> waiting_;
  std::list<Running> running_;
  bool behind_ = false;
  std::set<std::uint64_t> passed_over_;  ///< sessions that are up, and whose end will not be told either
  HookCounters counters_;
};

}  // namespace l2tpd
