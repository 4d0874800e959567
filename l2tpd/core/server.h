#pragma once
// The LNS: tunnels by (mark, local tunnel id). No I/O, no clock, no randomness of its own.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/timer_queue.h"
#include "l2tp/effect.h"
#include "l2tp/tunnel.h"

namespace l2tp {

class Server {
 public:
  Server(Settings settings, Random random);
  Server(const Server&) = delete;  // its tunnels know where it lives
  Server& operator=(const Server&) = delete;

  void input(const Datagram& datagram, base::Time now);
  void timeout(base::Time now);  ///< early or repeated calls do nothing
  void completed(const Completion& completion, base::Time now);
  std::optional<base::Time> next_timeout() const { return timers_.earliest(); }
  /// To be carried out in this order.
  std::optional<Effect> next_effect();

  /// The peer's security associations are gone: its tunnels end at once, without a word.
  void peer_gone(Mark mark);
  /// StopCCN for one tunnel; false when there is no such tunnel.
  bool close(TunnelId tunnel, const Ending& ending, base::Time now);
  /// StopCCN for every tunnel (shutting down), and no new ones. Then wait for quiet() a while, and
  /// abandon_all().
  void close_all(base::Time now);
  void abandon_all();
  /// No tunnel still waits for its peer to hear of its end.
  bool quiet() const;

  const std::map<TunnelId, Tunnel>& tunnels() const { return tunnels_; }
  const Counters& counters() const { return with_.counters; }

 private:
  using PeerKey = std::pair<Mark, Endpoint>;

  void input_SCCRQ(const Datagram& datagram, const Header& header, base::Time now);
  bool is_repetition(const Tunnel& tunnel, const Message& sccrq, base::Time now) const;
  void stop_unanswered(const Datagram& datagram, const Message& message);
  std::optional<DropReason> refusal(const Datagram& datagram) const;
  std::optional<TunnelId> new_tunnel_id();
  /// After anything that touched the tunnel: its next deadline, or its end.
  void settle(TunnelId id);

  Surroundings with_;
  std::map<TunnelId, Tunnel> tunnels_;
  std::map<PeerKey, TunnelId> by_peer_;  ///< every tunnel: a peer has one per port of its own
  std::set<TunnelId> half_open_;
  base::TimerQueue<TunnelId> timers_;
  bool closing_ = false;
};

}  // namespace l2tp
