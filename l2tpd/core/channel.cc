#include "l2tp/channel.h"

#include <array>

namespace l2tp {
namespace {

using namespace std::chrono_literals;

// §5.8: doubled each time, capped at 8 s.
constexpr std::array<base::Duration, 6> waits{1s, 2s, 4s, 8s, 8s, 8s};
constexpr base::Duration dozing_wait = 30s;
constexpr unsigned dozing_sends = 15;  // 31 s and nine times 30 s more: five minutes
/// A peer that asks for answers and acknowledges none must not fill our memory with them.
constexpr std::size_t most_queued = 64;

}  // namespace

void Channel::set_peer(TunnelId peer, std::uint16_t window) {
  peer_ = peer;
  peer_window_ = std::max<std::uint16_t>(window, 1);
}

void Channel::send(SessionId to, Bytes body, Patience patience, base::Time now) {
  if (queue_.size() >= most_queued) failed_ = true;
  if (failed_) return;
  queue_.push_back({to, std::move(body), patience, 0});
  pump(now);
}

void Channel::send_last(Bytes body, base::Time now) {
  while (!queue_.empty() && queue_.back().times_sent == 0) queue_.pop_back();
  // Patience ends here: what the peer has not answered so far must not keep a closing tunnel for minutes.
  for (auto& message : queue_) {
    message.patience = Patience::usual;
    message.times_sent = 0;
  }
  queue_.push_back({SessionId(), std::move(body), Patience::usual, 0});
  for (std::size_t i = 0; i < queue_.size(); ++i) transmit(i);
  deadline_ = now + waits[0];
}

Arrival Channel::receive(const Header& header, base::Time now) {
  if (!take_ack(header.nr, now)) return Arrival::bad_ack;
  if (header.body.empty()) return Arrival::in_window;  // §5.8: a ZLB takes no place in the sequence
  if (header.ns.precedes(expected_)) {
    ack_owed_ = true;
    return Arrival::duplicate;
  }
  if (expected_.distance_to(header.ns) >= our_window_) return Arrival::outside_window;
  const auto [it, fresh] =
      held_.try_emplace(header.ns.value(), Received{header.session, base::to_bytes(header.body)});
  if (!fresh) return Arrival::duplicate;
  for (auto next = held_.find(expected_.value()); next != held_.end(); next = held_.find(expected_.value())) {
    ready_.push_back(std::move(next->second));
    held_.erase(next);
    expected_ = expected_.next();
    ack_owed_ = true;
  }
  return Arrival::in_window;
}

std::optional<Received> Channel::next_message() {
  if (ready_.empty()) return std::nullopt;
  auto message = std::move(ready_.front());
  ready_.pop_front();
  return message;
}

void Channel::acknowledge() {
  if (!ack_owed_) return;
  ack_owed_ = false;
  // Android refuses a ZLB that is not exactly 12 bytes or whose Ns is not the next one.
  std::uint16_t sent = 0;
  for (const auto& message : queue_) sent = static_cast<std::uint16_t>(sent + (message.times_sent > 0));
  const SeqNo next_ns(static_cast<std::uint16_t>(first_.value() + sent));
  outbox_.push_back(
      encode(Header{.tunnel = peer_, .session = {}, .ns = next_ns, .nr = expected_, .body = {}}));
}

void Channel::repeat() {
  for (std::size_t i = 0; i < queue_.size() && queue_[i].times_sent > 0; ++i) {
    const auto counted = queue_[i].times_sent;
    transmit(i);
    queue_[i].times_sent = counted;  // the peer's haste must not shorten our patience
  }
}

void Channel::timeout(base::Time now) {
  if (failed_ || !deadline_ || *deadline_ > now) return;
  const auto& front = queue_.front();
  if (front.times_sent >= (front.patience == Patience::dozing ? dozing_sends : waits.size())) {
    failed_ = true;
    deadline_.reset();
    return;
  }
  congestion_window_ = 1;
  transmit(0);
  deadline_ = now + *wait_after_front();
}

std::optional<Bytes> Channel::next_datagram() {
  if (outbox_.empty()) return std::nullopt;
  auto datagram = std::move(outbox_.front());
  outbox_.pop_front();
  return datagram;
}

bool Channel::take_ack(SeqNo nr, base::Time now) {
  std::uint16_t in_flight = 0;
  while (in_flight < queue_.size() && queue_[in_flight].times_sent > 0) ++in_flight;
  const auto acknowledged = first_.distance_to(nr);
  if (nr.precedes(first_)) return true;  // an older message come late: it says nothing new
  if (acknowledged > in_flight) return false;
  if (acknowledged == 0) return true;
  queue_.erase(queue_.begin(), queue_.begin() + acknowledged);
  first_ = nr;
  congestion_window_ = static_cast<std::uint16_t>(
      std::min<unsigned>(peer_window_, congestion_window_ + unsigned{acknowledged}));
  deadline_.reset();
  // What is still in flight starts to be waited for anew.
  if (acknowledged < in_flight) deadline_ = now + waits[0];
  pump(now);
  return true;
}

void Channel::pump(base::Time now) {
  if (failed_) return;
  for (std::size_t i = 0; i < queue_.size() && i < congestion_window_; ++i) {
    if (queue_[i].times_sent > 0) continue;
    transmit(i);
    if (!deadline_) deadline_ = now + *wait_after_front();
  }
}

void Channel::transmit(std::size_t index) {
  auto& message = queue_[index];
  ++message.times_sent;
  const SeqNo ns(static_cast<std::uint16_t>(first_.value() + index));
  outbox_.push_back(encode(
      Header{.tunnel = peer_, .session = message.to, .ns = ns, .nr = expected_, .body = message.body}));
  ack_owed_ = false;
}

std::optional<base::Duration> Channel::wait_after_front() const {
  if (queue_.empty() || queue_.front().times_sent == 0) return std::nullopt;
  const auto sent = queue_.front().times_sent;
  return sent <= waits.size() ? waits[sent - 1] : dozing_wait;
}

}  // namespace l2tp
