#pragma once
// The reliable delivery of control messages, RFC 2661 §5.8 and Appendix A.

#include <deque>
#include <map>
#include <optional>

#include "base/time.h"
#include "l2tp/message.h"

namespace l2tp {

/// How long an unanswered message is repeated.
enum class Patience {
  usual,   ///< six times within 31 s (1, 2, 4, 8, 8, 8)
  dozing,  ///< then every 30 s for five minutes in all: a phone asleep answers late (HELLO)
};

/// A message in its order; the body is owned.
struct Received {
  SessionId session;
  Bytes body;
};

enum class Arrival { in_window, duplicate, outside_window, bad_ack };

class Channel {
 public:
  /// `our_window`: how many messages we are ready to hold out of order; the Receive Window Size we announce.
  explicit Channel(std::uint16_t our_window) : our_window_(our_window) {}
  void set_peer(TunnelId peer, std::uint16_t window);

  void send(SessionId to, Bytes body, Patience patience, base::Time now);
  /// For StopCCN: what has not been sent yet is forgotten, and no window holds this one back.
  void send_last(Bytes body, base::Time now);
  Arrival receive(const Header& header, base::Time now);
  /// The next message in order, if it has come.
  std::optional<Received> next_message();
  /// A ZLB, unless something sent since has carried the acknowledgement. Call when the answers are given.
  void acknowledge();
  /// Sends what is not acknowledged once more: the peer has shown that it misses it.
  void repeat();

  void timeout(base::Time now);  ///< early or repeated calls do nothing
  std::optional<base::Time> next_timeout() const { return deadline_; }
  std::optional<Bytes> next_datagram();

  /// The peer has not acknowledged a message in its time, or far too few of many.
  bool failed() const { return failed_; }
  bool all_acknowledged() const { return queue_.empty(); }

 private:
  struct Outgoing {
    SessionId to;
    Bytes body;
    Patience patience = Patience::usual;
    unsigned times_sent = 0;
  };

  bool take_ack(SeqNo nr, base::Time now);
  void pump(base::Time now);
  void transmit(std::size_t index);
  std::optional<base::Duration> wait_after_front() const;

  TunnelId peer_;
  std::uint16_t our_window_;
  std::uint16_t peer_window_ = 4;        // §4.4.3: assumed where the AVP is absent
  std::uint16_t congestion_window_ = 1;  // Appendix A
  SeqNo first_;                          // Ns of queue_.front()
  SeqNo expected_;                       // our Nr
  bool ack_owed_ = false;
  bool failed_ = false;
  std::deque<Outgoing> queue_;              // sent and unacknowledged, then unsent
  std::map<std::uint16_t, Received> held_;  // by Ns
  std::deque<Received> ready_;
  std::deque<Bytes> outbox_;
  std::optional<base::Time> deadline_;
};

}  // namespace l2tp
