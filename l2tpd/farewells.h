#pragma once
// What an operator ends: Terminate and TerminateUser of the control socket.

#include <list>
#include <set>

#include "base/time.h"
#include "control/server.h"
#include "l2tpd/links.h"
#include "l2tpd/tunnels.h"
#include "os/loop.h"

namespace l2tpd {

class Farewells {
 public:
  /// `tunnels` and `links` outlive it.
  Farewells(os::Loop& loop, Tunnels& tunnels, Links& links);
  void serve(control::Server& control);
  /// After anything that may have ended tunnels: answers who waits for the end of theirs.
  void look();

 private:
  enum class Whose { peer, user };
  /// Ended, and the peers are yet to hear of it: after the answer their IPsec may go.
  struct Waiting {
    control::Call call;
    Whose whose;
    std::set<l2tp::TunnelId> tunnels;
    std::size_t sessions = 0;
    std::set<base::Mark> marks;
    base::Time until;
  };
  void end_peer(base::Mark mark, control::Call call);
  void end_user(const std::string& user, control::Call call);
  bool has_sessions(base::Mark mark) const;
  /// A call has begun since in a tunnel of a user's.
  bool goes_on(const Waiting& waiting, l2tp::TunnelId id) const;
  bool heard(const Waiting& waiting) const;
  void answer(Waiting& waiting) const;
  void answer_when_heard(Waiting waiting);

  Tunnels& tunnels_;
  Links& links_;
  std::list<Waiting> waiting_;
  os::Source timer_;
};

}  // namespace l2tpd
