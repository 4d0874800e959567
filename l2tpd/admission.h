#pragma once
// What the process that reads packets may ask for: what the core would, in an order in which the core would.
// It may be taken over by a packet; this is what it can then have.

#include <map>
#include <set>

#include "l2tpd/door.h"
#include "l2tpd/protocol.h"

namespace l2tpd {

class Admission {
 public:
  explicit Admission(Door door) : door_(door) {}

  /// What was admitted counts as done. False for what no core asks for.
  bool admits(const Request& request);
  /// PPP has ended by itself.
  void ended(l2tp::TunnelId tunnel, l2tp::SessionId session);
  const std::map<l2tp::TunnelId, base::Mark>& latched() const { return latched_; }

 private:
  struct Open {
    l2tp::TunnelName name;
    bool in_kernel = false;
    std::set<l2tp::SessionId> sessions;
  };

  bool is_of_somebody(const l2tp::TunnelName& name) const;
  /// Null unless it is this very one.
  Open* open(const l2tp::TunnelName& name);

  bool may(const l2tp::Send& request) const;
  bool may(const l2tp::OpenTunnelSocket& request);
  bool may(const l2tp::CloseTunnelSocket& request);
  bool may(const l2tp::AddLatch& request);
  bool may(const l2tp::RemoveLatch& request);
  bool may(const l2tp::KernelTunnelUp& request);
  bool may(const l2tp::StartSession& request);
  bool may(const l2tp::StopSession& request);
  bool may(const l2tp::TunnelDown& request) const;
  bool may(const l2tp::CallRefused& request) const;
  bool may(const Changed& request) const;
  bool may(const DigestWithSecret& request) const;
  template <class Harmless>
  bool may(const Harmless&) const {
    return true;
  }

  Door door_;
  std::map<l2tp::TunnelId, Open> open_;
  std::map<l2tp::TunnelId, base::Mark> latched_;
};

}  // namespace l2tpd
