#pragma once
// Which of many pre-shared keys protects a message 5 of Main Mode. With many of them this is slow: it runs
// in a worker thread, a batch at a time.

#include <optional>
#include <string>
#include <vector>

#include "ike/v1/message.h"

namespace ike {

/// SKEYID for one secret of a pre-shared key (RFC 2409 §5).
struct NamedSkeyid {
  std::string name;          ///< of the pre-shared key
  std::uint32_t secret = 0;  ///< which of its secrets, the newest first
  std::uint32_t id = 0;      ///< of that secret, wherever it stands after a reload; tells nothing of it
  base::Secret skeyid;
};

/// A message 5, all it takes to read it but SKEYID, and the candidates for that.
struct PskTrial {
  IkeTransform transform;
  v1::Cookie initiator{}, responder{};
  base::Bytes sa_body;  ///< SAi_b
  base::Bytes g_xi, g_xr;
  base::Secret g_xy;
  base::Bytes iv;
  base::Bytes message;  ///< the whole datagram, header included
  std::vector<NamedSkeyid> candidates;
};

struct PskHit {
  NamedSkeyid key;
  v1::SessionKeys keys;
  base::Bytes body;     ///< message 5 in clear
  base::Bytes next_iv;  ///< for message 6
};

/// The first candidate under which message 5 is well formed and HASH_I fits, compared in constant time.
/// Takes that candidate out of the trial.
std::optional<PskHit> first_fitting(PskTrial& trial);

}  // namespace ike
