#pragma once
// Who may begin a Main Mode when more want to than there is room for, and how much a stranger is told.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/address.h"
#include "base/time.h"
#include "ike/peers.h"
#include "ike/token_bucket.h"

namespace ike {

/// What one exchange's stranger may be sent before it has authenticated itself: message 1 may bear a forged
/// address, and whoever lives there must get little of what its sender started.
class AnswerBudget {
 public:
  void received(std::size_t bytes) { received_ += bytes; }
  /// Counts the answer when it may leave: no more than three times what came, and no more than a few.
  bool take(std::size_t bytes);
  /// It is no stranger any more.
  void lift() { lifted_ = true; }

 private:
  std::size_t received_ = 0, sent_ = 0;
  std::uint8_t answers_ = 0;
  bool lifted_ = false;
};

/// The negotiations that have not proved who they are: the half-open. Where there is room everybody may
/// begin. Where half of it is taken, a prefix (IPv4 /24, IPv6 /48) gets what its peers speak for: one with
/// established peers has a rate of its own that grows with them, and its negotiations go last; strangers
/// share what is left, no prefix more than a quarter. So neither a flood of forged addresses nor a crowd of
/// real ones keeps out the new clients of a NAT whose others are connected.
///
/// Message 1 is free and may bear any address, so an entry without message 3 makes room for another: an
/// honest client's message 3 comes within a round trip, and the rate leaves each two seconds. Message 3
/// proves its address and costs us Diffie-Hellman: an address holds at most a quarter of those, a prefix
/// half, and one more for each of its peers. It may be made to leave when it has not answered our message 4
/// in a few seconds; never while it waits for us, however long our queue is: what has been begun is finished
/// before more is.
class Admission {
 public:
  /// `capacity`: so many at once.
  explicit Admission(std::size_t capacity) : capacity_(capacity) {}
  /// Whoever has begun may go on.
  void resize(std::size_t capacity) { capacity_ = capacity; }

  struct Decision {
    bool admitted = false;
    std::optional<SaNumber> instead_of = {};  ///< forget this one first
  };
  /// Message 1 of a new negotiation. When admitted, begin() follows.
  Decision may_begin(const base::Address& from, base::Time now);
  void begin(SaNumber sa, const base::Address& from);
  /// Message 3 of a half-open one that has begun: whether its Diffie-Hellman is computed. When admitted it
  /// counts as proven from here on.
  Decision may_compute(SaNumber sa, const base::Address& from, base::Time now);
  /// Its Diffie-Hellman is done, one way or the other: the next word is the peer's.
  void computed(SaNumber sa, base::Time now);
  /// It was not done, and may be asked for again.
  void put_off(SaNumber sa, base::Time now);
  /// However it ended. Does nothing for one that is not half-open.
  void end(SaNumber sa);

  /// Message 1 of Aggressive Mode, which costs us Diffie-Hellman before it has proved an address. Whoever
  /// floods us with them keeps out strangers. Prefixes with peers share a rate of their own, of which a flood
  /// that forges one's addresses gets a tenth.
  bool may_compute_unproven(const base::Address& from, base::Time now);

  /// Whether a message 1 that offers nothing we take is answered, or told of.
  bool may_refuse(base::Time now);

  /// This peer's IPsec SA came up at that address, or it has moved there.
  void established(PeerNumber peer, const base::Address& address);
  void gone(PeerNumber peer);

  std::size_t half_open() const { return entries_.size(); }

 private:
  struct Entry {
    base::Address address;
    base::Prefix prefix;
    bool proven = false;
    std::optional<base::Time> computed = {};
    bool put_off = false;
  };
  /// A prefix for as long as it has entries or peers.
  struct Place {
    std::set<SaNumber> unproven, proven;  ///< the oldest first
    std::size_t peers = 0;
    TokenBucket bucket, unproven_bucket;
    bool idle() const { return unproven.empty() && proven.empty() && peers == 0; }
  };

  std::size_t share() const;
  bool within_rate(const base::Prefix& prefix, base::Time now);
  std::optional<SaNumber> whoever_makes_room(base::Time now) const;
  bool may_go(SaNumber proven, base::Time now) const;
  template <class Change>
  void count_crowd(const base::Prefix& prefix, const Place& place, Change change);
  void take_out(SaNumber sa, const Entry& entry);
  void change_peers(const base::Prefix& prefix, int by);
  void forget_if_idle(const base::Prefix& prefix);

  std::size_t capacity_;
  std::map<SaNumber, Entry> entries_;
  std::map<base::Prefix, Place> places_;
  std::set<std::pair<std::size_t, base::Prefix>> crowds_;  ///< how many unproven ones, where there are any
  std::map<base::Address, std::set<SaNumber>> proven_;     ///< the oldest first
  /// Of prefixes without peers, the oldest first.
  std::set<SaNumber> unproven_strangers_, proven_strangers_;
  std::map<PeerNumber, base::Prefix> peers_;
  TokenBucket strangers_, refusals_, unproven_by_strangers_, unproven_by_known_;
};

}  // namespace ike
