#pragma once
// What happened to whom: what l2tpd sees of each tunnel and its sessions.

#include "control/history.h"
#include "l2tp/effect.h"
#include "l2tpd/refusal.h"

namespace l2tpd {

enum class Happening { tunnel_up, tunnel_down, session_begun, refused, user_up, user_down };

class Chronicle {
 public:
  struct Note {
    Happening what;
    std::string text;
    std::optional<std::string> user = {};
    Refusal refusal = Refusal::none;
  };
  void note(const l2tp::TunnelName& tunnel, Note note, std::uint64_t now_ms);
  control::History& history() { return history_; }

 private:
  control::History history_;
};

}  // namespace l2tpd
