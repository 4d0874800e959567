#pragma once
// What the process that reads packets has told of its tunnels, and what it is to be told.

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "l2tpd/door.h"
#include "l2tpd/protocol.h"

namespace l2tpd {

class Tunnels {
 public:
  struct Session {
    l2tp::SessionName name;
    bool sequencing = false;
    base::Time since;  ///< when it was first heard of
  };
  struct Tunnel {
    l2tp::TunnelName name;
    std::string host_name;
    bool established = false;  ///< SCCCN has come
    bool lingering = false;
    std::map<l2tp::SessionId, Session> sessions;
    base::Time since;

    bool stands() const { return established && !lingering; }
  };

  /// `poke` says that there are orders, and is called again only after all have been taken.
  explicit Tunnels(std::function<void()> poke) : poke_(std::move(poke)) {}

  const std::map<l2tp::TunnelId, Tunnel>& all() const { return tunnels_; }
  /// Null where there is none.
  const Tunnel* find(l2tp::TunnelId id) const;
  const Session* find(l2tp::TunnelId tunnel, l2tp::SessionId session) const;
  const Counts& counts() const { return counts_; }
  /// None still waits for its peer to hear of its end.
  bool quiet() const;

  // What it tells.

  void changed(const Changed& changed, base::Time now);
  void counted(const Counts& counts) { counts_ = counts; }

  // What it is told.

  void failed(l2tp::TunnelId tunnel, std::string why) { order(l2tp::TunnelFailed{tunnel, std::move(why)}); }
  /// Not among the sessions from now on.
  void ended(l2tp::TunnelId tunnel, l2tp::SessionId session, l2tp::Ending ending);
  void peer_gone(base::Mark mark) { order(PeerGone{mark}); }
  /// All tunnels with a mark that began before.
  void peers_gone(base::Time before) { order(PeersGone{nanoseconds(before)}); }
  void judge(Solicitation solicitation) { order(std::move(solicitation)); }
  void close(l2tp::TunnelId tunnel, l2tp::Ending ending) { order(CloseTunnel{tunnel, std::move(ending)}); }
  void close_idle(l2tp::TunnelId tunnel, l2tp::Ending ending) {
    order(CloseIdleTunnel{tunnel, std::move(ending)});
  }
  void close_all() { order(CloseAll{}); }
  void abandon_all() { order(AbandonAll{}); }
  /// The next ones.
  std::vector<Order> take_orders();
  /// More than all tunnels could be the reason for: it does not take them.
  bool overwhelmed() const { return orders_.size() > most_orders; }

 private:
  static constexpr std::size_t most_orders = 0x40000;
  void order(Order order);

  std::function<void()> poke_;
  std::map<l2tp::TunnelId, Tunnel> tunnels_;
  /// Sessions whose end it has yet to hear of.
  std::set<std::pair<l2tp::TunnelId, l2tp::SessionId>> ended_;
  Counts counts_;
  std::deque<Order> orders_;
  bool poked_ = false;
};

}  // namespace l2tpd
