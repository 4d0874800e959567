#include "os/loop.h"

#include <chrono>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include <sys/epoll.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

namespace os {
namespace {

[[noreturn]] void refuse(const char* what, int negative_errno) {
  throw std::runtime_error(std::string(what) + ": " + std::strerror(-negative_errno));
}

void check(const char* what, int result) {
  if (result < 0) refuse(what, result);
}

std::uint64_t microseconds(base::Duration d) {
  const auto us = std::chrono::ceil<std::chrono::microseconds>(d).count();
  return us < 0 ? 0 : static_cast<std::uint64_t>(us);
}

}  // namespace

struct Source::Watch {
  sd_event_source* source = nullptr;
  std::function<void(std::uint32_t)> on_events;
  std::function<void()> on_plain;
  std::function<void(int)> on_status;

  Watch() = default;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { sd_event_source_disable_unref(source); }

  // Each callback is copied before the call: it may destroy its own Source.
  static int io(sd_event_source*, int, std::uint32_t events, void* self) {
    const auto call = static_cast<Watch*>(self)->on_events;
    call(events);
    return 0;
  }
  static int time(sd_event_source*, std::uint64_t, void* self) { return plain(nullptr, self); }
  static int signal(sd_event_source*, const signalfd_siginfo*, void* self) { return plain(nullptr, self); }
  static int plain(sd_event_source*, void* self) {
    const auto call = static_cast<Watch*>(self)->on_plain;
    call();
    return 0;
  }
  static int child(sd_event_source*, const siginfo_t* info, void* self) {
    const auto call = static_cast<Watch*>(self)->on_status;
    const bool exited = info->si_code == CLD_EXITED;
    call(exited ? W_EXITCODE(info->si_status, 0) : W_EXITCODE(0, info->si_status));
    return 0;
  }
};

Source::Source() = default;
Source::Source(std::unique_ptr<Watch> watch) : watch_(std::move(watch)) {}
Source::Source(Source&&) noexcept = default;
Source& Source::operator=(Source&&) noexcept = default;
Source::~Source() = default;

void Source::set_io_events(std::uint32_t epoll_events) {
  sd_event_source_set_io_events(watch_->source, epoll_events);
}

void Source::set_time(std::optional<base::Time> when) {
  if (!when) {
    sd_event_source_set_enabled(watch_->source, SD_EVENT_OFF);
    return;
  }
  // CLOCK_MONOTONIC is what steady_clock counts on Linux.
  sd_event_source_set_time(watch_->source, microseconds(when->time_since_epoch()));
  sd_event_source_set_enabled(watch_->source, SD_EVENT_ONESHOT);
}

void Loop::Unref::operator()(sd_event* e) const { sd_event_unref(e); }

Loop::Loop() {
  sd_event* event = nullptr;
  check("cannot create the event loop", sd_event_new(&event));
  event_.reset(event);
}
Loop::~Loop() = default;

void Loop::run() { check("the event loop failed", sd_event_loop(event_.get())); }
void Loop::stop() { sd_event_exit(event_.get(), 0); }
void Loop::run_once(base::Duration longest) {
  check("the event loop failed", sd_event_run(event_.get(), microseconds(longest)));
}

Source Loop::on_io(int fd, std::uint32_t epoll_events, std::function<void(std::uint32_t)> ready) {
  auto watch = std::make_unique<Source::Watch>();
  watch->on_events = std::move(ready);
  check("cannot watch a descriptor",
        sd_event_add_io(event_.get(), &watch->source, fd, epoll_events, Source::Watch::io, watch.get()));
  return Source(std::move(watch));
}

Source Loop::on_readable(int fd, std::function<void()> ready) {
  return on_io(fd, EPOLLIN, [call = std::move(ready)](std::uint32_t) { call(); });
}

Source Loop::on_time(std::function<void()> due) {
  auto watch = std::make_unique<Source::Watch>();
  watch->on_plain = std::move(due);
  check("cannot set a timer", sd_event_add_time(event_.get(), &watch->source, CLOCK_MONOTONIC, 0, 1000,
                                                Source::Watch::time, watch.get()));
  Source out(std::move(watch));
  out.set_time(std::nullopt);
  return out;
}

Source Loop::on_signal(int signal_number, std::function<void()> raised) {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal_number);
  sigprocmask(SIG_BLOCK, &one, nullptr);
  auto watch = std::make_unique<Source::Watch>();
  watch->on_plain = std::move(raised);
  check("cannot watch a signal",
        sd_event_add_signal(event_.get(), &watch->source, signal_number, Source::Watch::signal, watch.get()));
  return Source(std::move(watch));
}

Source Loop::on_child_exit(pid_t child, std::function<void(int)> ended) {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGCHLD);
  sigprocmask(SIG_BLOCK, &one, nullptr);
  auto watch = std::make_unique<Source::Watch>();
  watch->on_status = std::move(ended);
  check("cannot watch a child process",
        sd_event_add_child(event_.get(), &watch->source, child, WEXITED, Source::Watch::child, watch.get()));
  return Source(std::move(watch));
}

Source Loop::before_sleep(std::function<void()> prepare) {
  auto watch = std::make_unique<Source::Watch>();
  watch->on_plain = std::move(prepare);
  check("cannot add a post source",
        sd_event_add_post(event_.get(), &watch->source, Source::Watch::plain, watch.get()));
  return Source(std::move(watch));
}

void Loop::notify(const char* state) { sd_notify(0, state); }
std::uint64_t Loop::watchdog_microseconds() {
  std::uint64_t out = 0;
  return sd_watchdog_enabled(0, &out) > 0 ? out : 0;
}

}  // namespace os
