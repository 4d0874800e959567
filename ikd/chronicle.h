#pragma once
// What happened to whom: ikd's events, sorted into the attempts that they belong to.

#include "control/history.h"
#include "ike/effect.h"

namespace ikd {

class Chronicle {
 public:
  void note(const ike::Event& event, std::uint64_t now_ms);
  control::History& history() { return history_; }

 private:
  control::History::Kept* attempt_of(const ike::Event& event, const control::Event& row);
  control::History history_;
};

/// "peer_up", as `xfrmctl monitor` shows it.
std::string_view name_of(ike::EventKind kind);

}  // namespace ikd
