#pragma once
// Follows ikd's peers: a peer whose SAs are gone takes its tunnels along.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/id.h"
#include "control/async_client.h"
#include "control/rows.h"
#include "os/loop.h"

namespace l2tpd {

class PeersWatch {
 public:
  struct Calls {
    std::function<void(base::Mark)> gone;
    /// Another ikd answers now, which counts its peers from one again: a mark that was given out before
    /// this time means nobody, or somebody else. Comes before `only`.
    std::function<void(base::Time)> replaced;
    /// After every (re)connection: only peers with these marks are left.
    std::function<void(const std::set<base::Mark>&)> only;
    /// peer() may say something else of it than before: other SAs, another place.
    std::function<void(base::Mark)> changed = [](base::Mark) {};
  };
  /// `socket_path`: ikd's. Tries again each second for as long as nobody answers there.
  PeersWatch(os::Loop& loop, std::string socket_path, Calls calls);
  PeersWatch(const PeersWatch&) = delete;
  PeersWatch& operator=(const PeersWatch&) = delete;

  bool connected() const { return client_ != nullptr; }
  /// As ikd last told it; nothing for a mark that it did not speak of.
  const control::Peer* peer(base::Mark mark) const;
  /// The same, and nothing while the ikd that is there may have given the mark to somebody else: what it has
  /// not told itself.
  const control::Peer* current(base::Mark mark) const;

 private:
  void connect();
  void take(const control::Answer& answer);
  void lost();

  os::Loop& loop_;
  std::string path_;
  Calls calls_;
  std::map<base::Mark, control::Peer> peers_;
  std::set<base::Mark> present_;  ///< named so far, until "settled"
  bool settled_ = false;
  pid_t served_by_ = 0;  ///< the ikd that answered last; 0: none so far
  base::Time lost_at_;   ///< when it no longer did
  bool told_ = false;    ///< the log knows that ikd is not there
  os::Source retry_;
  std::unique_ptr<control::AsyncClient> client_;
};

}  // namespace l2tpd
