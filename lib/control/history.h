#pragma once
// The last attempts of clients to connect, each with what happened to it, failed ones kept for longest. Also
// tells each event to whoever follows the Events of a control socket.

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "control/rows.h"
#include "control/server.h"

namespace control {

class History {
 public:
  /// Names an attempt to its owner: the ISAKMP SA it began with, its tunnel. Zero: none.
  using Key = std::uint64_t;
  struct Kept {
    Attempt attempt;
    Key key = 0;
    bool closed = false;  ///< nothing more belongs to it
  };
  static constexpr std::size_t longest_text = 1000;  ///< octets of an event's sentence
  static constexpr std::size_t most_events = 48;     ///< of an attempt: its first ones, and the newest

  explicit History(std::size_t most = 256, std::size_t most_of_address = 16)
      : most_(most), most_of_address_(most_of_address) {}

  /// The newest one that fits.
  Kept* find(const std::function<bool(const Kept&)>& fits);
  /// Another one goes for it where there are too many: one that came to nothing before one that came up, that
  /// before one that failed, of those the oldest; no address has more than its share.
  Kept& begin(Key key, const Event& first);
  /// To the attempt, if there is one, and to all who follow.
  void note(Kept* kept, Event event);
  std::vector<Attempt> attempts() const;  ///< the oldest first

  std::size_t followers() const { return followers_.size(); }

  /// Events and Attempts; the history outlives the server.
  void serve(Server& server);

 private:
  void make_room(const std::string& address);
  void forget_gone_followers();
  std::list<Kept> kept_;  ///< the oldest first
  std::size_t most_, most_of_address_;
  std::uint64_t last_number_ = 0;
  std::vector<Call> followers_;
};

/// The time for Event::time_ms.
std::uint64_t unix_milliseconds();

}  // namespace control
