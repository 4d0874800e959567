#pragma once
// The keys and the range in a process of their own, asked as ikd asks its broker. The kernel agrees at once.

#include <atomic>
#include <optional>
#include <vector>

#include <sys/types.h>
#include <time.h>

#include "ikd/broker_client.h"
#include "ikd/keys.h"

namespace bench {

class BrokerBeside {
 public:
  BrokerBeside(const ikd::Keys& keys, unsigned threads);
  BrokerBeside(const BrokerBeside&) = delete;
  BrokerBeside& operator=(const BrokerBeside&) = delete;
  ~BrokerBeside();

  /// One for each thread.
  std::vector<ikd::KeyService> services();
  template <class Request>
  ike::DoneOrRefused install(Request request) {
    ++round_trips;
    return client_->install(std::move(request));
  }
  double cpu() const;
  std::atomic<std::uint64_t> round_trips = 0;

 private:
  pid_t child_ = -1;
  clockid_t clock_{};
  std::optional<ikd::BrokerClient> client_;
  std::vector<ikd::KeyService> services_;
};

/// Keys in this process, for each of `threads`.
std::vector<ikd::KeyService> keys_within(const ikd::Keys& keys, unsigned threads);

}  // namespace bench
