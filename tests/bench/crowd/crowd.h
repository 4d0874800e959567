#pragma once
// Many clients at once, served by one thread.

#include <deque>
#include <vector>

#include "base/timer_queue.h"
#include "crowd/client.h"

namespace crowd {

/// Where clients appear.
enum class Places : std::uint8_t {
  one_nat,  ///< all at one address, each from the next port
  own_nats  ///< each at the next address, all from one port
};

struct Setup {
  std::size_t count = 1;
  base::Endpoint first;  ///< of the outer endpoints
  Places places = Places::one_nat;
  std::size_t at_once = 32;
  base::Duration patience = std::chrono::minutes(5);  ///< for all together
};

/// What became of them.
struct Outcome {
  std::size_t up = 0, failed = 0;
  base::Duration all{0};                  ///< from the first message to the last SA
  std::vector<base::Duration> each = {};  ///< of those that are up, in order of arrival
  std::uint64_t sent = 0;                 ///< IKE datagrams
  std::string complaint = {};             ///< the first client's that has one
};

class Crowd {
 public:
  /// `like`: every client but for its address and seed.
  Crowd(harness::InitiatorSettings like, base::Address gateway);

  /// The socket or whatever else is refused is an error; clients that do not come up are part of the outcome.
  base::Result<Outcome> connect(const Setup& setup);
  /// L2TP of those of `count` clients from `first` on that are up, one after the other, each within
  /// `patience`: how many stand. The tunnel of client i has the id i + 1 at its end.
  std::size_t call(std::size_t first, std::size_t count, bool sessions, base::Duration patience);
  /// How many have been asked by the gateway, through their tunnel, whether they are there.
  std::size_t greeted() const;
  /// Those that are up keep asking from now on, one after the other.
  void keep_asking();
  /// They stop, and what is still on its way has so long to come.
  void stop_asking(base::Duration patience);
  /// Serves all for so long, or until `fd` can be read.
  void serve(base::Duration longest, int fd = -1);
  std::size_t size() const { return clients_.size(); }
  Client& operator[](std::size_t i) { return clients_[i]; }

 private:
  base::Result<void> add(const base::Endpoint& outside);
  /// What `i` waits for may have changed.
  void settle(std::size_t i);
  bool round(base::Duration longest, int fd);

  harness::InitiatorSettings like_;
  base::Fd epoll_;
  std::deque<Client> clients_;
  base::TimerQueue<std::size_t> timers_;
};

}  // namespace crowd
