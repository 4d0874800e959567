#pragma once
// Which PPP logins a peer's IPsec connection allows (bind_user): ikd knows, by the peer's mark.

#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "config/config.h"
#include "control/rows.h"
#include "os/loop.h"

namespace l2tpd {

class Bindings {
 public:
  /// None where any login is fine.
  using Logins = std::optional<std::vector<std::string>>;
  using OnAnswer = std::function<void(base::Result<Logins>)>;
  /// PeersWatch::current().
  using PeerOf = std::function<const control::Peer*(base::Mark)>;

  /// `config` outlives it.
  Bindings(os::Loop& loop, const config::Config& config, PeerOf peer_of);
  Bindings(const Bindings&) = delete;
  Bindings& operator=(const Bindings&) = delete;

  /// Answers once: at once where nothing is bound, the peer came without IPsec or ikd has told of it, else
  /// when ikd does, and with an error when it does not: who is bound must not get in as somebody else
  /// meanwhile.
  void ask(base::Mark mark, OnAnswer on_answer);
  /// ikd has told of this peer, and not that it has gone.
  bool knows(base::Mark mark) const { return peer_of_(mark) != nullptr; }
  /// ikd has told of this peer.
  void heard(base::Mark mark);

 private:
  struct Question {
    base::Mark mark;
    OnAnswer on_answer;
    os::Source too_late;
  };
  bool any_bound() const;
  void finish(std::list<Question>::iterator question, base::Result<Logins> answer);

  os::Loop& loop_;
  const config::Config& config_;
  PeerOf peer_of_;
  std::list<Question> questions_;
};

}  // namespace l2tpd
