#pragma once
// One call of a tunnel (RFC 2661 §7.4.2), as its LNS sees it.

#include <optional>

#include "base/time.h"
#include "l2tp/effect.h"
#include "l2tp/message.h"
#include "l2tp/tables.h"

namespace l2tp {

class Session {
 public:
  /// For an ICRQ that has been accepted.
  Session(SessionName name, base::Time now, base::Time give_up)
      : name_(name), since_(now), give_up_(give_up) {}

  /// What the table says about `message`; accept_ICCN has already happened when it is returned.
  CallStep receive(const Message& message, base::Time now);

  const SessionName& name() const { return name_; }
  CallState state() const { return state_; }
  base::Time since() const { return since_; }
  bool sequencing() const { return sequencing_; }
  /// When to stop waiting for ICCN.
  std::optional<base::Time> give_up() const { return give_up_; }

 private:
  SessionName name_;
  CallState state_ = CallState::wait_connect;
  base::Time since_;
  std::optional<base::Time> give_up_;
  bool sequencing_ = false;
};

}  // namespace l2tp
