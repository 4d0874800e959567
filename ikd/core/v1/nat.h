#pragma once
// NAT traversal in IKE (RFC 3947 and the drafts before it): who sits behind a NAT, vendor IDs, NAT-OA.

#include "base/address.h"
#include "crypto/algorithms.h"
#include "ike/v1/payload.h"
#include "ike/v1/sa_payload.h"
#include "ike/v1/vendor_ids.h"

namespace ike::v1 {

/// What both sides call it. Apple's own (4df37928…) and drafts -04 to -08 are none of these: they share the
/// RFC's modes but not its payload numbers, and whoever offers them offers the RFC, too (clients.md §2).
enum class NatFlavour : std::uint8_t {
  none,
  rfc3947,
  draft_03,
  draft_02,
  draft_02_newline  ///< the same with a newline in what its vendor ID hashes: Windows XP's
};
/// The RFC where it is offered; otherwise the newest of the drafts we know.
NatFlavour choose_nat_flavour(const Chain& chain);
/// Empty for `none`.
ByteView vendor_of(NatFlavour flavour);
PayloadType nat_d_of(NatFlavour flavour);
PayloadType nat_oa_of(NatFlavour flavour);
/// The number of UDP-encapsulated transport mode.
EncapsulationMode udp_transport_of(NatFlavour flavour);

/// The body of a NAT-D payload: hash(CKY-I | CKY-R | IP | port) (RFC 3947 §3.2).
Bytes nat_d(crypto::Hash hash, const Cookie& initiator, const Cookie& responder,
            const base::Endpoint& endpoint);

struct NatFinding {
  bool peer_behind_nat = false;
  bool we_behind_nat = false;
  bool pretended = false;  ///< by us: the peer was told that it is behind a NAT
  Bytes about_us;          ///< the sender's hash of where it believes us to be; empty where it sent none
  bool any() const { return peer_behind_nat || we_behind_nat || pretended; }
};
/// From the NAT-D payloads of a message: the first is about us, the others about the sender. Fewer than
/// two say nothing.
NatFinding find_nat(const Chain& chain, NatFlavour flavour, crypto::Hash hash, const Cookie& initiator,
                    const Cookie& responder, const base::Endpoint& us, const base::Endpoint& peer);

/// What NAT-D payloads we send.
enum class NatDetection : std::uint8_t {
  truthful,
  /// The peer's own hash of where it believes us to be comes back as ours, so that it sees no NAT before us
  /// (Windows would refuse that without an edit of its registry); and noise about itself, so that it takes
  /// UDP encapsulation in any case.
  echo
};
struct NatDPair {
  Bytes about_peer, about_us;
};
/// `noise` has the hash's size; only echo takes it.
NatDPair nat_d_answer(NatDetection detection, NatDPair truth, const NatFinding& found, Bytes noise);

/// The body of a NAT-OA payload (RFC 3947 §5.2).
Bytes nat_oa(const base::Address& address);
/// As many as came: several clients refuse what they did not send themselves. One alone (the drafts) is the
/// sender's own address.
std::vector<Bytes> nat_oa_answer(std::size_t received, const base::Address& initiator,
                                 const base::Address& responder);

}  // namespace ike::v1
