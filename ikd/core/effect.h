#pragma once
// What the core asks of the world, what it hears back, and what it tells.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/id.h"
#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"
#include "crypto/dh.h"
#include "ike/authentication.h"
#include "ike/psk_trial.h"
#include "ike/refusal.h"
#include "xfrm/types.h"

namespace ike {

inline constexpr std::uint16_t ike_port = 500;
/// IKE with its non-ESP marker and ESP in UDP (RFC 3948).
inline constexpr std::uint16_t natt_port = 4500;

/// Names a request that is answered by completed().
using Ticket = base::Id<struct TicketTag, std::uint64_t>;
/// 1 to the capacity of the mark range; 0 is none.
using PeerNumber = base::Id<struct PeerNumberTag, std::uint32_t>;

/// Which packets find a peer's outbound SAs and policy: those to its alias that bear its mark, or, from an
/// L2TP daemon that knows nothing of marks, all to its alias.
enum class OutboundLookup : std::uint8_t { alias_and_mark, alias };

/// A datagram as it goes out, non-ESP marker included.
struct Send {
  base::Endpoint from;
  base::Endpoint to;
  base::Bytes bytes;
};

/// A key pair of ours, before the peer's value is known. Answered by KeyPairMade.
struct MakeKeyPair {
  Ticket ticket;
  crypto::Group group;
};

/// A key pair of ours, unless there is one, and the shared secret with the peer's value. Answered by DhDone.
struct ComputeDh {
  Ticket ticket;
  crypto::Group group;
  base::Bytes peer_public_value;
  std::optional<crypto::KeyPair> own = {};
  bool of_stranger = false;  ///< who has proven nothing yet; only such a one finds a queue full
};

/// SKEYID for pre-shared keys that this peer may hold (RFC 2409 §5). Answered by SkeyidsDone.
struct DeriveSkeyids {
  Ticket ticket;
  crypto::Hash hash;
  base::Bytes ni, nr;
  base::Address peer;
  /// Only these, each with all its secrets, in this order; empty: the next batch of all there are.
  std::vector<std::string> names = {};
  std::size_t from = 0;  ///< where that batch begins
};

/// Which of the candidates protects a message 5. Answered by CandidatesTried.
struct TryCandidates {
  Ticket ticket;
  PskTrial trial;
};

/// Whether the peer's certificate is good here, bears the identity, and made the signature over HASH_I.
/// Answered by CertificateVerified.
struct VerifyCertificate {
  Ticket ticket;
  AuthMethod method;
  base::Bytes id_body;
  std::vector<EncodedCertificate> certificates;  ///< as they came, in their order
  base::Bytes hash;
  base::Bytes signature;
};

/// HASH_R signed with the key of one of our certificates. Answered by Signed.
struct Sign {
  Ticket ticket;
  std::size_t certificate;  ///< its place in Settings
  base::Bytes hash;
};

/// What the kernel needs of a peer: the mark its packets bear, the address it has on this host, the one it
/// has outside, and the one of ours that it dialled.
struct PeerEntry {
  base::Mark mark;
  base::Address alias;
  base::Address home;
  base::Address dialled;
};

/// The peer's inbound SA, and its map elements if it has none yet: all or nothing. Answered by Installed.
struct InstallInbound {
  Ticket ticket;
  xfrm::Sa sa;
  std::optional<PeerEntry> new_entry;
};

/// The peer's outbound SA, and its policy if it has none yet: all or nothing. Answered by Installed.
struct InstallOutbound {
  Ticket ticket;
  xfrm::Sa sa;
  std::optional<xfrm::Policy> new_policy;
};

/// Not where the kernel has another's by this name, and has refused it to the owner for that.
struct RemoveSa {
  xfrm::SaId sa;
  base::Mark owner;
};

/// The peer's NAT gave it another place: the encap ports of its SAs, and where what is sent to it goes if the
/// address is another. An SA that is not there (refused, expired, not yet or no longer wanted) is passed
/// over. Answered by PeerMoved.
struct MovePeer {
  base::Mark mark;
  base::Address alias;
  std::optional<base::Address> new_home;
  std::uint16_t port = 0;  ///< of the peer's ESP in UDP
  std::vector<xfrm::SaId> inbound, outbound;
};

/// The last of a peer: its policies and map elements.
struct RemovePeer {
  PeerEntry entry;
};

/// How many packets a peer's inbound SAs have taken: a peer that sends is alive. Answered by InboundCounted.
struct CountInbound {
  PeerNumber peer;
  std::vector<xfrm::SaId> sas;
};

/// Whether packets have come through this SA. Answered by TrafficSeen.
struct LookForTraffic {
  Ticket ticket;
  xfrm::SaId sa;
};

enum class EventKind : std::uint8_t {
  setup_begun,      ///< message 1 of a stranger was taken
  setup_proven,     ///< message 3 came: the stranger is where it says
  setup_abandoned,  ///< and then nothing more
  proposal_refused,
  authentication_failed,
  quick_mode_refused,
  peer_authenticated,
  peer_up,
  rekeyed,
  old_secret,    ///< a peer that is known has proved itself anew, with a secret that is not the newest
  rekey_failed,  ///< one that we began; the old keys serve on
  sa_deleted,
  sa_expired,
  peer_lost,  ///< no SA left to carry its packets; its number lives while an ISAKMP SA does
  peer_gone,
  peer_replaced,  ///< the same device is another peer now
  peer_silent,    ///< it answers no R-U-THERE
  peer_moved,     ///< its NAT gave it another port or address
  no_number_left,
  kernel_refused,
  // Of what the core asks without waiting for an answer; the shell tells.
  map_added,  ///< its packets find it: nft's maps have its elements
  map_moved,  ///< what is for its alias goes to its new address
  map_removed,
  map_failed,     ///< they are not as they should be
  kernel_failed,  ///< an SA or a policy is not
  count_
};

/// Something an operator or l2tpd would want to know.
struct Event {
  EventKind kind;
  PeerNumber peer;  ///< zero before authentication
  base::Mark mark;
  base::Endpoint remote;
  std::string identity;  ///< empty before authentication
  std::string detail;    ///< the reason, or the algorithms and who it proved to be, in words
  Refusal refusal = Refusal::none;
  std::uint64_t setup = 0;  ///< number of the ISAKMP SA that it is about; zero where there is none
  /// peer_authenticated: since message 1; peer_up and an ESP SA's rekeyed: since the Quick Mode began.
  base::Duration took{};
};

using Effect = std::variant<Send, MakeKeyPair, ComputeDh, DeriveSkeyids, TryCandidates, VerifyCertificate,
                            Sign, InstallInbound, InstallOutbound, RemoveSa, MovePeer, RemovePeer,
                            CountInbound, LookForTraffic, Event>;

struct KeyPairMade {
  Ticket ticket;
  base::Result<crypto::KeyPair> result;
};

struct DhDone {
  Ticket ticket;
  base::Result<crypto::DhResult> result;
  bool put_off = false;  ///< nobody had the time to compute it: the same value may come again
};
struct SkeyidsDone {
  Ticket ticket;
  std::vector<NamedSkeyid> candidates;
  std::optional<std::size_t> next = {};  ///< where another batch begins, if there is one
};
struct CandidatesTried {
  Ticket ticket;
  std::optional<PskHit> hit;
};
struct CertificateVerified {
  Ticket ticket;
  tl::expected<Authentication, Refused> result;
};
struct Signed {
  Ticket ticket;
  base::Result<base::Bytes> signature;
};
struct Installed {
  Ticket ticket;
  DoneOrRefused result;  ///< kernel_refused or nft_refused
};
struct PeerMoved {
  base::Mark mark;
  bool done = false;  ///< no: in part at most, and it may be asked for again
};
struct InboundCounted {
  PeerNumber peer;
  std::optional<std::uint64_t> packets = 0;  ///< none: the kernel did not tell
};
struct TrafficSeen {
  Ticket ticket;
  std::uint64_t packets = 0;
};
using Completion = std::variant<KeyPairMade, DhDone, SkeyidsDone, CandidatesTried, CertificateVerified,
                                Signed, Installed, PeerMoved, InboundCounted, TrafficSeen>;

}  // namespace ike
