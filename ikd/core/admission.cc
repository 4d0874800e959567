#include "ike/admission.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace ike {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t amplification = 3;   // as RFC 9000 §8.1 has it
constexpr std::uint8_t most_answers = 24;  // three messages, each repeated as often as the most patient do
constexpr std::size_t least_share = 8;
/// After our message 4 an honest client has sent message 5 by then, its repetition included; who guesses or
/// only burns our Diffie-Hellman has not.
constexpr auto proven_keeps_its_place = 5s;
constexpr double refusals_a_second = 10, refusals_at_once = 50;
/// Of Diffie-Hellman for message 1 of Aggressive Mode; of one prefix's, for each of its peers one more at
/// once.
constexpr double unproven_a_second = 50, unproven_at_once = 100, unproven_of_prefix_a_second = 5;

base::Prefix prefix_of(const base::Address& address) {
  const std::size_t kept = address.is_v4() ? 3 : 6;
  base::Bytes bytes = base::to_bytes(address.bytes());
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(kept), bytes.end(), std::uint8_t{0});
  return {base::Address::from_bytes(bytes).value_or(base::Address{}), static_cast<std::uint8_t>(kept * 8)};
}

}  // namespace

bool AnswerBudget::take(std::size_t bytes) {
  if (lifted_) return true;
  if (answers_ == most_answers || sent_ + bytes > amplification * received_) return false;
  sent_ += bytes;
  ++answers_;
  return true;
}

std::size_t Admission::share() const { return std::max(capacity_ / 4, least_share); }

// The rates let the table turn over in two seconds, so that whoever is let in is still there when its
// message 3 comes. A prefix with peers has a rate of its own and competes with strangers only beyond it.
bool Admission::within_rate(const base::Prefix& prefix, base::Time now) {
  auto& place = places_[prefix];
  const auto known = place.peers > 0;
  const double own =
      known ? static_cast<double>(least_share + 2 * place.peers) : static_cast<double>(share());
  const bool within_own = place.bucket.take(own / 2, own, now);
  if (known && within_own) return true;
  const bool within = (known || within_own) && strangers_.take(static_cast<double>(capacity_) / 2,
                                                               static_cast<double>(capacity_), now);
  if (!within) forget_if_idle(prefix);
  return within;
}

bool Admission::may_go(SaNumber proven, base::Time now) const {
  const auto& computed = entries_.at(proven).computed;
  return computed && now - *computed >= proven_keeps_its_place;
}

std::optional<SaNumber> Admission::whoever_makes_room(base::Time now) const {
  const auto oldest_of_crowd = [this] { return *places_.at(crowds_.rbegin()->second).unproven.begin(); };
  if (!crowds_.empty() && crowds_.rbegin()->first > share()) return oldest_of_crowd();
  if (!unproven_strangers_.empty()) return *unproven_strangers_.begin();
  if (!proven_strangers_.empty() && may_go(*proven_strangers_.begin(), now))
    return *proven_strangers_.begin();
  if (crowds_.empty()) return std::nullopt;
  return oldest_of_crowd();
}

Admission::Decision Admission::may_begin(const base::Address& from, base::Time now) {
  if (entries_.size() < capacity_ / 2) return {.admitted = true};
  if (!within_rate(prefix_of(from), now)) return {};
  if (entries_.size() < capacity_) return {.admitted = true};
  const auto victim = whoever_makes_room(now);
  if (!victim) forget_if_idle(prefix_of(from));
  return {.admitted = victim.has_value(), .instead_of = victim};
}

void Admission::begin(SaNumber sa, const base::Address& from) {
  const auto prefix = prefix_of(from);
  entries_[sa] = {.address = from, .prefix = prefix};
  auto& place = places_[prefix];
  count_crowd(prefix, place, [&] { place.unproven.insert(sa); });
  if (place.peers == 0) unproven_strangers_.insert(sa);
}

template <class Change>
void Admission::count_crowd(const base::Prefix& prefix, const Place& place, Change change) {
  crowds_.erase({place.unproven.size(), prefix});
  change();
  if (!place.unproven.empty()) crowds_.insert({place.unproven.size(), prefix});
}

Admission::Decision Admission::may_compute(SaNumber sa, const base::Address& from, base::Time now) {
  const auto entry = entries_.find(sa);
  if (entry == entries_.end()) return {};
  if (entry->second.proven) {
    if (!std::exchange(entry->second.put_off, false)) return {};
    entry->second.computed.reset();
    return {.admitted = true};
  }
  const auto prefix = prefix_of(from);
  Decision out{.admitted = true};
  const auto full = [&](const std::set<SaNumber>& proven, std::size_t limit) {
    if (proven.size() < limit) return false;
    if (may_go(*proven.begin(), now)) out.instead_of = *proven.begin();
    return !out.instead_of;
  };
  const auto place_of = places_.find(prefix);
  const auto peers = place_of == places_.end() ? 0 : place_of->second.peers;
  if (const auto held = proven_.find(from); held != proven_.end() && full(held->second, share() + peers))
    return {};
  if (!out.instead_of && place_of != places_.end() && full(place_of->second.proven, 2 * share() + peers))
    return {};
  // Message 1 may have come from elsewhere; the place that counts is the one that was proved.
  take_out(sa, entry->second);
  entry->second = {.address = from, .prefix = prefix, .proven = true};
  proven_[from].insert(sa);
  auto& place = places_[prefix];
  place.proven.insert(sa);
  if (place.peers == 0) proven_strangers_.insert(sa);
  return out;
}

void Admission::computed(SaNumber sa, base::Time now) {
  if (const auto entry = entries_.find(sa); entry != entries_.end()) entry->second.computed = now;
}

void Admission::put_off(SaNumber sa, base::Time now) {
  computed(sa, now);
  if (const auto entry = entries_.find(sa); entry != entries_.end()) entry->second.put_off = true;
}

void Admission::take_out(SaNumber sa, const Entry& entry) {
  auto& place = places_[entry.prefix];
  count_crowd(entry.prefix, place, [&] { place.unproven.erase(sa); });
  place.proven.erase(sa);
  unproven_strangers_.erase(sa);
  proven_strangers_.erase(sa);
  if (const auto held = proven_.find(entry.address); held != proven_.end()) {
    held->second.erase(sa);
    if (held->second.empty()) proven_.erase(held);
  }
  forget_if_idle(entry.prefix);
}

void Admission::end(SaNumber sa) {
  const auto entry = entries_.find(sa);
  if (entry == entries_.end()) return;
  take_out(sa, entry->second);
  entries_.erase(entry);
}

bool Admission::may_compute_unproven(const base::Address& from, base::Time now) {
  const auto place = places_.find(prefix_of(from));
  if (place == places_.end() || place->second.peers == 0)
    return unproven_by_strangers_.take(unproven_a_second, unproven_at_once, now);
  const auto at_once = static_cast<double>(least_share + place->second.peers);
  return place->second.unproven_bucket.take(unproven_of_prefix_a_second, at_once, now) &&
         unproven_by_known_.take(unproven_a_second, unproven_at_once, now);
}

bool Admission::may_refuse(base::Time now) {
  return refusals_.take(refusals_a_second, refusals_at_once, now);
}

void Admission::established(PeerNumber peer, const base::Address& address) {
  const auto prefix = prefix_of(address);
  const auto [known, fresh] = peers_.try_emplace(peer, prefix);
  if (!fresh && known->second == prefix) return;
  change_peers(prefix, 1);
  if (!fresh) change_peers(std::exchange(known->second, prefix), -1);
}

void Admission::gone(PeerNumber peer) {
  const auto known = peers_.find(peer);
  if (known == peers_.end()) return;
  change_peers(known->second, -1);
  peers_.erase(known);
}

void Admission::change_peers(const base::Prefix& prefix, int by) {
  auto& place = places_[prefix];
  const bool was_known = place.peers > 0;
  place.peers = by > 0 ? place.peers + 1 : place.peers - 1;
  const bool known = place.peers > 0;
  if (known && !was_known) {
    for (const auto sa : place.unproven) unproven_strangers_.erase(sa);
    for (const auto sa : place.proven) proven_strangers_.erase(sa);
  } else if (!known && was_known) {
    unproven_strangers_.insert(place.unproven.begin(), place.unproven.end());
    proven_strangers_.insert(place.proven.begin(), place.proven.end());
  }
  forget_if_idle(prefix);
}

void Admission::forget_if_idle(const base::Prefix& prefix) {
  const auto place = places_.find(prefix);
  if (place != places_.end() && place->second.idle()) places_.erase(place);
}

}  // namespace ike
