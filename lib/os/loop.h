#pragma once
// The event loop of a daemon: sd-event with RAII sources. One thread only.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include <sys/types.h>

#include "base/result.h"
#include "base/time.h"

struct sd_event;
struct sd_event_source;

namespace os {

/// Something the loop watches; destroying it ends the watch. Safe to destroy from its own callback.
class Source {
 public:
  struct Watch;

  Source();
  explicit Source(std::unique_ptr<Watch> watch);
  Source(Source&&) noexcept;
  Source& operator=(Source&&) noexcept;
  ~Source();
  explicit operator bool() const { return watch_ != nullptr; }
  /// For readable/io sources: which of EPOLLIN, EPOLLOUT to wait for.
  void set_io_events(std::uint32_t epoll_events);
  /// For timers: the next wake-up, none switches it off.
  void set_time(std::optional<base::Time> when);

 private:
  friend class Loop;
  std::unique_ptr<Watch> watch_;
};

/// Start-up failures throw std::runtime_error; callbacks must not throw.
class Loop {
 public:
  Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  /// Runs until stop(). Signals given to on_signal are blocked from the first such call on.
  void run();
  void stop();
  /// One round: handles what is ready, waiting at most `longest`. For tests.
  void run_once(base::Duration longest);

  [[nodiscard]] Source on_io(int fd, std::uint32_t epoll_events, std::function<void(std::uint32_t)> ready);
  [[nodiscard]] Source on_readable(int fd, std::function<void()> ready);
  /// Switched off until Source::set_time.
  [[nodiscard]] Source on_time(std::function<void()> due);
  [[nodiscard]] Source on_signal(int signal_number, std::function<void()> raised);
  /// `status` as in waitpid(2); the child has been reaped.
  [[nodiscard]] Source on_child_exit(pid_t child, std::function<void(int status)> ended);
  /// Called before the loop sleeps, after everything that was ready has been handled.
  [[nodiscard]] Source before_sleep(std::function<void()> prepare);

  /// READY=1, STATUS=… for the service manager (sd_notify(3)); does nothing without one.
  static void notify(const char* state);
  /// How long the service manager waits for WATCHDOG=1; zero: for ever.
  static std::uint64_t watchdog_microseconds();

 private:
  struct Unref {
    void operator()(sd_event* e) const;
  };
  std::unique_ptr<sd_event, Unref> event_;
};

}  // namespace os
