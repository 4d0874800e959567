#include "ike/fragments.h"

#include <algorithm>

namespace ike {
namespace {

/// What a piece takes beside its bytes, so that many small ones are not free.
constexpr std::size_t bookkeeping = 64;

}  // namespace

bool Fragments::contradicts(const Unfinished& held, const v1::Fragment& piece) {
  if (held.id != piece.id) return true;
  const auto known = held.pieces.find(piece.number);
  if (known != held.pieces.end() && !base::equal(known->second, piece.data)) return true;
  if (held.last != 0 && (piece.number > held.last || piece.last != (piece.number == held.last))) return true;
  return piece.last && !held.pieces.empty() && held.pieces.rbegin()->first > piece.number;
}

Fragments::Unfinished& Fragments::begin(const Key& key, const v1::Fragment& piece, base::Time now) {
  drop(key);
  // Somebody who sends from everywhere does not get more of one SA: what has come least far gives way.
  std::size_t others = 0;
  auto least = unfinished_.end();
  for (auto it = unfinished_.lower_bound({key.first, base::Endpoint{}});
       it != unfinished_.end() && it->first.first == key.first; ++it, ++others) {
    if (least == unfinished_.end() || it->second.bytes < least->second.bytes) least = it;
  }
  if (others >= limits_.of_sa) drop(Key(least->first));
  auto& message = unfinished_[key];
  message.id = piece.id;
  auto& source = sources_[key.second.address];
  source.messages.push_back(key);
  weigh(key.second.address, source, source.bytes);
  deadlines_.set(key, now + limits_.patience);
  return message;
}

Fragments::Taken Fragments::take(SaNumber sa, const base::Endpoint& from, const v1::Fragment& piece,
                                 base::Time now) {
  const Key key(sa, from);
  if (piece.number > limits_.pieces || piece.data.size() > limits_.message)
    return tl::unexpected(Refusal::too_much);
  const auto known = unfinished_.find(key);
  auto* message = known == unfinished_.end() || contradicts(known->second, piece) ? &begin(key, piece, now)
                                                                                  : &known->second;
  if (message->pieces.contains(piece.number)) return std::nullopt;
  const auto size = piece.data.size() + bookkeeping;
  if (message->bytes - message->pieces.size() * bookkeeping + piece.data.size() > limits_.message) {
    drop(key);
    return tl::unexpected(Refusal::too_much);
  }
  make_room(key, size);
  message->pieces.emplace(piece.number, base::to_bytes(piece.data));
  message->bytes += size;
  auto& source = sources_.at(from.address);
  weigh(from.address, source, source.bytes + size);
  bytes_ += size;
  if (piece.last) message->last = piece.number;
  if (message->last == 0 || message->pieces.size() != message->last) return std::nullopt;
  auto out = whole(*message);
  drop(key);
  return out;
}

void Fragments::weigh(const base::Address& address, Source& source, std::size_t bytes) {
  by_weight_.erase({source.bytes, address});
  source.bytes = bytes;
  if (!source.messages.empty()) by_weight_.emplace(bytes, address);
}

/// Who holds most gives way, and of one address the oldest: a flood drowns its own messages.
void Fragments::make_room(const Key& key, std::size_t size) {
  const auto& own = key.second.address;
  const auto oldest_but_this = [&key](const Source& source) {
    return std::ranges::find_if(source.messages, [&key](const Key& k) { return k != key; });
  };
  while (sources_.at(own).bytes + size > limits_.source) {
    const auto victim = oldest_but_this(sources_.at(own));
    if (victim == sources_.at(own).messages.end()) return;
    drop(Key(*victim));
  }
  while (bytes_ + size > limits_.total) {
    const auto& heaviest = sources_.at(by_weight_.rbegin()->second);
    const auto victim = oldest_but_this(heaviest);
    if (victim == heaviest.messages.end()) return;
    drop(Key(*victim));
  }
}

base::Bytes Fragments::whole(const Unfinished& message) {
  base::Bytes out;
  for (const auto& [number, piece] : message.pieces) base::append(out, piece);
  return out;
}

void Fragments::drop(const Key& key) {
  const auto it = unfinished_.find(key);
  if (it == unfinished_.end()) return;
  const auto source = sources_.find(key.second.address);
  bytes_ -= it->second.bytes;
  std::erase(source->second.messages, key);
  weigh(source->first, source->second, source->second.bytes - it->second.bytes);
  if (source->second.messages.empty()) sources_.erase(source);
  deadlines_.cancel(key);
  unfinished_.erase(it);
}

void Fragments::forget(SaNumber sa) {
  for (auto it = unfinished_.lower_bound({sa, base::Endpoint{}});
       it != unfinished_.end() && it->first.first == sa; it = unfinished_.lower_bound({sa, base::Endpoint{}}))
    drop(Key(it->first));
}

void Fragments::timeout(base::Time now) {
  while (const auto key = deadlines_.pop_due(now)) drop(*key);
}

}  // namespace ike
