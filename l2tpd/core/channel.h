#pragma once
// The reliable delivery of control messages, RFC 2661 §5.8 and Appendix A.

#include <map>
#include <optional>
#include <vector>

#include "base/time.h"
#include "l2tp/message.h"

namespace l2tp {

/// How long an unanswered message is repeated: it is sent six times within 31 s (1, 2, 4, 8, 8, 8), and where
/// that is not patience enough, every 30 s after that.
inline constexpr base::Duration usual_patience = std::chrono::seconds(31);

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

  /// Given up when `patience` has passed without an answer, and not before usual_patience.
  void send(SessionId to, Bytes body, base::Time now, base::Duration patience = usual_patience);
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
  /// How many messages may be on their way at once (Appendix A).
  std::uint16_t congestion_window() const { return congestion_window_; }

 private:
  struct Outgoing {
    SessionId to;
    Bytes body;
    base::Duration patience = usual_patience;
  };

  bool take_ack(SeqNo nr, base::Time now);
  void widen(std::uint16_t acknowledged);
  void pump(base::Time now);
  void transmit(std::size_t index);
  void wait(base::Duration how_long, base::Time now);

  TunnelId peer_;
  std::uint16_t our_window_;
  std::uint16_t peer_window_ = 4;           // §4.4.3: assumed where the AVP is absent
  std::uint16_t congestion_window_ = 1;     // Appendix A: CWND, SSTHRESH, and the acknowledgements
  std::uint16_t slow_start_threshold_ = 4;  // since CWND last grew by one in congestion avoidance
  std::uint16_t acknowledged_in_window_ = 0;
  SeqNo first_;     // Ns of queue_.front()
  SeqNo expected_;  // our Nr
  bool ack_owed_ = false;
  bool failed_ = false;
  // Never long, and mostly empty: a deque holds half a KiB even then.
  std::vector<Outgoing> queue_;  // sent and unacknowledged, then unsent
  std::size_t sent_ = 0;         // of queue_: sent at least once
  std::size_t in_flight_ = 0;    // of these: sent since the last timeout
  std::size_t timeouts_ = 0;     // since the peer last acknowledged anything
  base::Time waiting_since_;
  std::map<std::uint16_t, Received> held_;  // by Ns
  std::vector<Received> ready_;
  std::vector<Bytes> outbox_;
  std::optional<base::Time> deadline_;
};

}  // namespace l2tp
