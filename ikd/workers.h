#pragma once
// Threads for what is slow: Diffie-Hellman, pre-shared keys, certificates. Everything else of ikd runs in one
// thread.

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>
#include <vector>

#include "base/fd.h"
#include "ikd/keys.h"
#include "ike/effect.h"
#include "pki/verifier.h"

namespace ikd {

using Job = std::variant<ike::MakeKeyPair, ike::ComputeDh, ike::DeriveSkeyids, ike::TryCandidates,
                         ike::VerifyCertificate, ike::Sign>;

class Workers {
 public:
  /// A thread for each of `keys`. `most_waiting`: with so many key exchanges in the queue another stranger's
  /// is answered with an error at once; of the other jobs a negotiation has one at a time.
  Workers(std::vector<KeyService> keys, std::size_t most_waiting,
          std::shared_ptr<const pki::Verifier> verifier);
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers();

  void submit(Job job);
  /// For jobs that are begun from now on.
  void replace(std::shared_ptr<const pki::Verifier> verifier);
  /// Readable when results wait.
  int fd() const { return wake_.get(); }
  /// Hands over what is done, in this thread.
  void collect(const std::function<void(ike::Completion)>& handle);
  std::size_t waiting() const;

 private:
  void work(const std::stop_token& stop, const KeyService& keys);
  static ike::Completion perform(Job& job, const KeyService& keys, const pki::Verifier& verifier);
  void finish(ike::Completion done);

  const std::vector<KeyService> keys_;
  std::shared_ptr<const pki::Verifier> verifier_;
  std::size_t most_waiting_;
  base::Fd wake_;
  mutable std::mutex mutex_;
  std::condition_variable_any more_;
  /// What ends a negotiation goes before what begins one.
  std::deque<Job> proofs_, exchanges_;
  std::deque<ike::Completion> results_;
  std::vector<std::jthread> threads_;
};

}  // namespace ikd
