#include "l2tp/channel.h"

#include <array>

namespace l2tp {
namespace {

using namespace std::chrono_literals;

// §5.8: doubled each time, capped at 8 s.
constexpr std::array<base::Duration, 6> waits{1s, 2s, 4s, 8s, 8s, 8s};
constexpr base::Duration later_wait = 30s;
/// A peer that asks for answers and acknowledges none must not fill our memory with them.
constexpr std::size_t most_queued = 64;

}  // namespace

void Channel::set_peer(TunnelId peer, std::uint16_t window) {
  peer_ = peer;
  peer_window_ = std::max<std::uint16_t>(window, 1);
  slow_start_threshold_ = peer_window_;
}

void Channel::send(SessionId to, Bytes body, base::Time now, base::Duration patience) {
  if (queue_.size() >= most_queued) failed_ = true;
  if (failed_) return;
  queue_.push_back({to, std::move(body), patience});
  pump(now);
}

void Channel::send_last(Bytes body, base::Time now) {
  queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(sent_), queue_.end());
  // Patience ends here: what the peer has not answered so far must not keep a closing tunnel for minutes.
  for (auto& message : queue_) message.patience = usual_patience;
  timeouts_ = 0;
  queue_.push_back({SessionId(), std::move(body), usual_patience});
  sent_ = in_flight_ = queue_.size();
  for (std::size_t i = 0; i < queue_.size(); ++i) transmit(i);
  wait(waits[0], now);
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
  ready_.erase(ready_.begin());
  return message;
}

void Channel::acknowledge() {
  if (!ack_owed_) return;
  ack_owed_ = false;
  // Android refuses a ZLB that is not exactly 12 bytes or whose Ns is not the next one.
  const SeqNo next_ns(static_cast<std::uint16_t>(first_.value() + sent_));
  outbox_.push_back(
      encode(Header{.tunnel = peer_, .session = {}, .ns = next_ns, .nr = expected_, .body = {}}));
}

void Channel::repeat() {
  for (std::size_t i = 0; i < in_flight_; ++i) transmit(i);
}

void Channel::timeout(base::Time now) {
  if (failed_ || !deadline_ || *deadline_ > now) return;
  ++timeouts_;
  if (timeouts_ >= waits.size() && now - waiting_since_ >= queue_.front().patience) {
    failed_ = true;
    deadline_.reset();
    return;
  }
  // Appendix A. What was on its way is taken for lost, and follows the first as that is acknowledged.
  slow_start_threshold_ = std::max<std::uint16_t>(congestion_window_ / 2, 1);
  congestion_window_ = 1;
  acknowledged_in_window_ = 0;
  in_flight_ = 1;
  transmit(0);
  wait(timeouts_ < waits.size() ? waits[timeouts_] : later_wait, now);
}

std::optional<Bytes> Channel::next_datagram() {
  if (outbox_.empty()) return std::nullopt;
  auto datagram = std::move(outbox_.front());
  outbox_.erase(outbox_.begin());
  return datagram;
}

bool Channel::take_ack(SeqNo nr, base::Time now) {
  const auto acknowledged = first_.distance_to(nr);
  if (nr.precedes(first_)) return true;  // an older message come late: it says nothing new
  if (acknowledged > sent_) return false;
  if (acknowledged == 0) return true;
  queue_.erase(queue_.begin(), queue_.begin() + acknowledged);
  first_ = nr;
  sent_ -= acknowledged;
  in_flight_ -= std::min<std::size_t>(in_flight_, acknowledged);
  timeouts_ = 0;
  widen(acknowledged);
  deadline_.reset();
  // What is still in flight starts to be waited for anew.
  if (in_flight_ > 0) wait(waits[0], now);
  pump(now);
  return true;
}

void Channel::widen(std::uint16_t acknowledged) {
  for (; acknowledged > 0 && congestion_window_ < peer_window_; --acknowledged) {
    if (congestion_window_ < slow_start_threshold_) {
      ++congestion_window_;
    } else if (++acknowledged_in_window_ >= congestion_window_) {
      acknowledged_in_window_ = 0;  // 1/CWND for each, in whole numbers
      ++congestion_window_;
    }
  }
}

void Channel::pump(base::Time now) {
  if (failed_) return;
  for (; in_flight_ < queue_.size() && in_flight_ < congestion_window_; ++in_flight_) {
    transmit(in_flight_);
    sent_ = std::max(sent_, in_flight_ + 1);
    if (!deadline_) wait(waits[0], now);
  }
}

void Channel::transmit(std::size_t index) {
  const auto& message = queue_[index];
  const SeqNo ns(static_cast<std::uint16_t>(first_.value() + index));
  outbox_.push_back(encode(
      Header{.tunnel = peer_, .session = message.to, .ns = ns, .nr = expected_, .body = message.body}));
  ack_owed_ = false;
}

void Channel::wait(base::Duration how_long, base::Time now) {
  if (timeouts_ == 0) waiting_since_ = now;
  deadline_ = now + how_long;
}

}  // namespace l2tp
