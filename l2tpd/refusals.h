#pragma once
// A refusal told to all who want to know of it: it is counted, remembered for `xfrmctl explain`, and written
// into the log unless its peer has had its lines.

#include <string_view>

#include "l2tpd/chronicle.h"
#include "l2tpd/metrics.h"
#include "l2tpd/quiet.h"
#include "l2tpd/refusal.h"

namespace l2tpd {

class Refusals {
 public:
  /// All three outlive it.
  Refusals(Metrics& metrics, Chronicle& chronicle, Quiet& quiet)
      : metrics_(metrics), chronicle_(chronicle), quiet_(quiet) {}

  /// `user`: empty where nobody has said a name yet.
  void tell(const l2tp::TunnelName& tunnel, Refusal refusal, std::string_view user, std::string_view why);
  void tell(const l2tp::CallRefused& call);
  /// False where it ended otherwise.
  bool tell(const l2tp::TunnelDown& down);

 private:
  Metrics& metrics_;
  Chronicle& chronicle_;
  Quiet& quiet_;
};

}  // namespace l2tpd
