#pragma once
// What no program of this shape can save: the arithmetic, and a question to another process.

#include "cost.h"
#include "crypto/dh.h"
#include "harness/authority.h"

namespace bench {

/// All in seconds of CPU.
/// A key pair and the shared secret.
double exchange_cost(crypto::Group group);

struct SignatureCost {
  double sign, verify;
  /// All that is done for a peer's certificate: it is read, its chain followed, its name looked at, and both
  /// its signature and the peer's are verified.
  double check;
};
SignatureCost signature_cost(harness::KeyKind kind);

enum class Places { one_cpu, a_cpu_each };
/// A hundred bytes over a SOCK_SEQPACKET pair to a process that does nothing else than send them back: both
/// processes' CPU.
double round_trip_cost(Places places);

}  // namespace bench
