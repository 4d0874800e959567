#pragma once
// What a peer and we agreed on when it connected, and what a rekey that we start therefore offers: a client
// knows its own proposals, IDs and NAT habits, and is sure of nothing else.

#include <chrono>
#include <optional>
#include <string>

#include "base/address.h"
#include "crypto/algorithms.h"
#include "ike/authentication.h"
#include "ike/proposal.h"
#include "ike/service.h"
#include "ike/v1/nat.h"

namespace ike {

/// Of phase 1.
struct IkeTerms {
  IkeTransform transform;
  AuthMethod authentication = AuthMethod::psk;
  std::chrono::seconds lifetime{28800};
  v1::NatFlavour nat_flavour = v1::NatFlavour::rfc3947;
  bool fragments = true, dpd = true;  ///< what the client has named, or we name to whom has said nothing
};

/// Of phase 2. The IDs are bodies of ID payloads, byte for byte as the client sent them, whoever named them.
struct EspTerms {
  Service service = {};
  EspSuite suite;
  std::chrono::seconds lifetime{3600};
  std::optional<std::uint64_t> kilobytes = {};
  std::optional<crypto::Group> pfs = {};
  base::Bytes our_id, their_id;
  std::optional<v1::EncapsulationMode> udp = {};  ///< by what number it calls ESP in UDP
  std::size_t nat_oas = 0;                        ///< NAT-OA payloads that the client sends
};

/// A connection that this engine opens by itself.
struct Connection {
  base::Endpoint local, remote;
  std::string psk;  ///< its name; empty with certificates
  IkeTerms ike;
  EspTerms esp;
};

}  // namespace ike
