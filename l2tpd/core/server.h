#pragma once
// The LNS: tunnels by (mark, local tunnel id). No I/O, no clock, no randomness of its own.

#include <bitset>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "base/timer_queue.h"
#include "l2tp/effect.h"
#include "l2tp/rate.h"
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
  /// The same for every peer that has a tunnel which began before.
  void peers_gone(base::Time before);
  /// StopCCN for one tunnel; false when there is no such tunnel.
  bool close(TunnelId tunnel, const Ending& ending, base::Time now);
  /// The same for one without calls.
  bool close_idle(TunnelId tunnel, const Ending& ending, base::Time now);
  /// StopCCN for every tunnel (shutting down), and no new ones. Then wait for quiet() a while, and
  /// abandon_all().
  void close_all(base::Time now);
  void abandon_all();
  /// No tunnel still waits for its peer to hear of its end.
  bool quiet() const;

  const std::map<TunnelId, Tunnel>& tunnels() const { return tunnels_; }
  /// Those that anything has happened to since the last call, whether they are still there or not.
  std::set<TunnelId> touched() { return std::exchange(touched_, {}); }
  const Counters& counters() const { return with_.counters; }
  /// How many tunnels were looked at so far for messages that name none, what a flood of SCCRQs costs, and
  /// for peers that have gone.
  std::uint64_t looked_at() const { return looked_at_; }

 private:
  /// Without SCCCN so far, the oldest first.
  using HalfOpen = std::set<std::pair<base::Time, TunnelId>>;

  std::vector<Tunnel*> tunnels_at(Mark mark, const Endpoint& remote);
  /// From whichever endpoint.
  std::vector<Tunnel*> tunnels_of(Mark mark);
  /// IPv4 has aliases; over IPv6 only their marks tell a peer's two tunnels apart, and the kernel's sockets
  /// have none: the newer would get what is the older's.
  bool would_mix_with_IPsec(const Datagram& datagram) const;
  HalfOpen& half_open_beside(Mark mark) { return mark.value == 0 ? half_open_clear_ : half_open_secure_; }

  void input_SCCRQ(const Datagram& datagram, const Header& header, base::Time now);
  Tunnel* made_by(const Datagram& datagram, const Header& header, const Message& sccrq, base::Time now);
  void stop_unanswered(const Datagram& datagram, const Message& message);
  std::optional<DropReason> refusal(const Datagram& datagram, base::Time now);
  /// An IPsec peer hears why. In clear text nobody hears anything: its address may be forged.
  void refuse(const Datagram& datagram, const Header& header, const Message& sccrq, DropReason reason,
              base::Time now);
  void make_room(const Datagram& datagram);
  void crowd_out(TunnelId id);
  /// SCCCN has come, and these are its effects.
  void stands(TunnelId id, std::size_t effects_before, base::Time now);
  TunnelId new_tunnel_id();
  bool is_free(TunnelId id) const;
  /// Who was told of a tunnel that stood may speak of it for a while.
  void rest(TunnelId id);
  /// After anything that touched the tunnel: its next deadline, or its end.
  void settle(TunnelId id);

  Surroundings with_;
  std::map<TunnelId, Tunnel> tunnels_;
  std::set<TunnelId> touched_;
  /// Without those that stood and only linger: nothing that a peer may gather at one endpoint.
  std::set<std::tuple<Mark, Endpoint, TunnelId>> by_endpoint_;
  std::set<std::pair<Mark, TunnelId>> by_mark_;
  std::deque<TunnelId> resting_;  ///< the ids of tunnels that stood, the oldest first
  std::bitset<0x10000> rests_;    ///< the same, by id
  /// With SCCCN, by peer. Those that are closing count too: each still has a socket, or lingers.
  std::map<Peer, std::size_t> standing_;
  HalfOpen half_open_secure_;  ///< two of them: clear text must not crowd out IPsec peers
  HalfOpen half_open_clear_;
  std::size_t clear_text_tunnels_ = 0;                        ///< with SCCCN
  std::set<std::pair<Endpoint, TunnelId>> secure_over_ipv6_;  ///< with SCCCN, that do not linger
  std::uint64_t looked_at_ = 0;
  Rate<Peer> openings_;
  base::TimerQueue<TunnelId> timers_;
  bool closing_ = false;
};

}  // namespace l2tp
