#pragma once
// Threads for Diffie-Hellman: everything else of ikd runs in one thread.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "ike/effect.h"

namespace ikd {

class Workers {
 public:
  /// `most_waiting`: more requests than that are answered with an error at once.
  Workers(unsigned threads, std::size_t most_waiting);
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers();

  void submit(ike::ComputeDh request);
  /// Readable when results wait.
  int fd() const { return wake_.get(); }
  /// Hands over what is done, in this thread.
  void collect(const std::function<void(ike::DhDone)>& handle);
  std::size_t waiting() const;

 private:
  void work(const std::stop_token& stop);
  void finish(ike::DhDone done);

  std::size_t most_waiting_;
  base::Fd wake_;
  mutable std::mutex mutex_;
  std::condition_variable_any more_;
  std::deque<ike::ComputeDh> requests_;
  std::deque<ike::DhDone> results_;
  std::vector<std::jthread> threads_;
};

}  // namespace ikd
