#pragma once
// Messages that arrive in pieces. The pieces are not authenticated, and memory is promised to those who
// only know two cookies: so all of it is bounded, per message, per source address and in all.

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/timer_queue.h"
#include "ike/peers.h"
#include "ike/v1/fragment.h"

namespace ike {

struct FragmentLimits {
  std::size_t message = 16384;  ///< bytes: a chain of four RSA certificates of 4096 bits is half of it
  std::uint8_t pieces = 64;     ///< of a message: Windows was seen to send 29
  std::size_t source = std::size_t{256} << 10;         ///< bytes held of one address: many may share it
  std::size_t total = std::size_t{4} << 20;            ///< bytes held of all
  std::size_t of_sa = 4;                               ///< messages to one ISAKMP SA, each from another place
  base::Duration patience = std::chrono::seconds(30);  ///< after the first piece; a client repeats sooner
};

/// Puts the pieces of each sender together.
class Fragments {
 public:
  explicit Fragments(FragmentLimits limits = {}) : limits_(limits) {}

  enum class Refusal : std::uint8_t { too_much };
  using Taken = base::Result<std::optional<base::Bytes>, Refusal>;
  /// The whole message once no piece is missing. The caller knows that `sa` is one of ours, and checks what
  /// comes out as if it had come in one datagram. A piece that contradicts what is held (another id, other
  /// bytes, another end) begins anew: it may be the next message, for all use the same id.
  Taken take(SaNumber sa, const base::Endpoint& from, const v1::Fragment& piece, base::Time now);

  void forget(SaNumber sa);
  void timeout(base::Time now);
  std::optional<base::Time> next_timeout() const { return deadlines_.earliest(); }

  std::size_t bytes() const { return bytes_; }
  std::size_t messages() const { return unfinished_.size(); }

 private:
  using Key = std::pair<SaNumber, base::Endpoint>;
  struct Unfinished {
    std::uint16_t id = 0;
    std::uint8_t last = 0;  ///< the number of the last piece, once it is in
    std::map<std::uint8_t, base::Bytes> pieces;
    std::size_t bytes = 0;
  };
  struct Source {
    std::size_t bytes = 0;
    std::deque<Key> messages;  ///< the oldest first
  };

  static bool contradicts(const Unfinished& held, const v1::Fragment& piece);
  Unfinished& begin(const Key& key, const v1::Fragment& piece, base::Time now);
  void weigh(const base::Address& address, Source& source, std::size_t bytes);
  void drop(const Key& key);
  void make_room(const Key& key, std::size_t size);
  static base::Bytes whole(const Unfinished& message);

  FragmentLimits limits_;
  std::map<Key, Unfinished> unfinished_;
  std::map<base::Address, Source> sources_;
  std::set<std::pair<std::size_t, base::Address>> by_weight_;  ///< the same, by the bytes that are held
  base::TimerQueue<Key> deadlines_;
  std::size_t bytes_ = 0;
};

}  // namespace ike
