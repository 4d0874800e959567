#include "ikd/workers.h"

#include <csignal>
#include <cstdint>
#include <stdexcept>
#include <utility>

#include <sys/eventfd.h>

namespace ikd {

Workers::Workers(unsigned threads, std::size_t most_waiting)
    : most_waiting_(most_waiting), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_) throw std::runtime_error("cannot create an eventfd");
  // Signals belong to the loop's thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (unsigned i = 0; i < threads; ++i)
    threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Workers::~Workers() {
  for (auto& thread : threads_) thread.request_stop();
  more_.notify_all();
}

void Workers::submit(ike::ComputeDh request) {
  {
    const std::lock_guard lock(mutex_);
    if (requests_.size() < most_waiting_) {
      requests_.push_back(std::move(request));
      more_.notify_one();
      return;
    }
  }
  finish({request.ticket, base::fail("too many key exchanges are waiting")});
}

void Workers::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    ike::ComputeDh request;
    {
      std::unique_lock lock(mutex_);
      if (!more_.wait(lock, stop, [this] { return !requests_.empty(); })) return;
      request = std::move(requests_.front());
      requests_.pop_front();
    }
    finish({request.ticket, crypto::respond(request.group, request.peer_public_value)});
  }
}

void Workers::finish(ike::DhDone done) {
  {
    const std::lock_guard lock(mutex_);
    results_.push_back(std::move(done));
  }
  eventfd_write(wake_.get(), 1);
}

void Workers::collect(const std::function<void(ike::DhDone)>& handle) {
  std::uint64_t count = 0;
  eventfd_read(wake_.get(), &count);
  std::deque<ike::DhDone> ready;
  {
    const std::lock_guard lock(mutex_);
    ready.swap(results_);
  }
  for (auto& done : ready) handle(std::move(done));
}

std::size_t Workers::waiting() const {
  const std::lock_guard lock(mutex_);
  return requests_.size();
}

}  // namespace ikd
