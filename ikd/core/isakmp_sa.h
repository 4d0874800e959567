#pragma once
// An ISAKMP SA from its first message to its end, whichever side began.

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "ike/admission.h"
#include "ike/inner_ids.h"
#include "ike/message_ids.h"
#include "ike/peers.h"
#include "ike/profile.h"
#include "ike/terms.h"
#include "ike/token_bucket.h"
#include "ike/v1/message.h"
#include "ike/v1/nat.h"
#include "ike/v1/sa_payload.h"

namespace ike {

using base::Bytes;
using base::ByteView;
using v1::Cookie;
using v1::MessageId;

/// The last request that was taken and what it was answered with: a duplicate gets the same bytes.
struct LastExchange {
  Bytes request_digest;
  Bytes response;
};

enum class Role : std::uint8_t { responder, initiator };

// Main Mode, one struct a state with exactly what is known in it.

/// Message 2 is out.
struct AwaitKe {
  bool put_off = false;  ///< message 3 came, and nobody had the time for it
};
/// Message 3 is in, the shared secret is being computed.
struct AwaitDh {
  Ticket ticket;
  Bytes ni, g_xi;
};
/// Message 4 is out.
struct AwaitId {
  base::Address source;  ///< of message 3, and no forgery: it had our cookie
  Bytes ni, nr, g_xi, g_xr, iv;
  base::Secret g_xy;
  LastExchange tried;  ///< the last message 5 that proved nothing
  /// Where among the candidates to go on, when that message comes again: its source had no budget left.
  std::optional<std::size_t> resume;
};
/// Message 5 is in, pre-shared keys are being tried on it, a batch at a time.
struct TryingPsks {
  AwaitId given;
  Ticket ticket;
  Bytes request;
  base::Endpoint local, remote;   ///< of the request
  std::optional<std::size_t> at;  ///< where the batch under way begins; none: those that its source used last
  std::optional<std::size_t> next;  ///< where another one begins
  std::size_t tried = 0;            ///< and paid for
};
/// Message 5 is in, its certificate and signature are being verified; then ours is made.
struct ProvingIdentity {
  AwaitId given;
  Ticket ticket;
  Bytes request;
  base::Endpoint local, remote;  ///< of the request
  Bytes id_body;
  base::Secret skeyid;
  v1::SessionKeys keys;
  Bytes next_iv;
  bool initial_contact = false;
  Authentication proven = {};
  std::size_t certificate = 0;  ///< of ours
};
/// Aggressive Mode: message 1 is in, its answer is being made.
struct AnsweringAggressive {
  Ticket ticket;
  std::string psk;
  Bytes id_body, ni, nr, g_xi, g_xr;
  base::Secret g_xy;
};
/// Message 2 of Aggressive Mode is out.
struct AwaitHash {
  NamedSkeyid key;
  v1::SessionKeys keys;
  Bytes id_body, g_xi, g_xr, iv;
};

// The same as initiator.

/// Message 1 is out.
struct SentSa {};
/// Message 2 is in, our key pair is being made.
struct MakingKeyPair {
  Ticket ticket;
};
/// Message 3 is out.
struct SentKe {
  crypto::KeyPair own;
  Bytes ni;
};
/// Message 4 is in, the shared secret and then SKEYID are being computed.
struct Deriving {
  Ticket ticket;
  Bytes ni, nr, g_xi, g_xr;
  base::Secret g_xy;
};
/// With certificates: our signature for message 5 is being made.
struct Signing {
  Ticket ticket;
  base::Secret skeyid;
  Bytes g_xi, g_xr;
  base::Secret g_xy;
  std::size_t certificate = 0;  ///< of ours
};
/// Message 5 is out.
struct SentId {
  NamedSkeyid key;  ///< without a name where it is none of a pre-shared key
  v1::SessionKeys keys;
  Bytes g_xi, g_xr, iv;
};
/// With certificates: message 6 is in, its certificate and signature are being verified.
struct Verifying {
  SentId sent;
  Ticket ticket;
  Bytes id_body;
  Bytes next_iv;
};

struct Up {
  v1::SessionKeys keys;
  Bytes last_block;  ///< of phase 1, the seed of every phase 2 IV
  PeerNumber peer;
};
/// Each state has the room that it needs: thousands of SAs are up, which is one of the smaller ones.
class MainMode {
 public:
  template <class State>
  MainMode& operator=(State state) {
    state_ = std::make_unique<State>(std::move(state));
    return *this;
  }
  template <class State>
  bool is() const {
    return std::holds_alternative<std::unique_ptr<State>>(state_);
  }
  /// Null in another state.
  template <class State>
  State* get_if() {
    const auto* state = std::get_if<std::unique_ptr<State>>(&state_);
    return state == nullptr ? nullptr : state->get();
  }
  template <class State>
  const State* get_if() const {
    const auto* state = std::get_if<std::unique_ptr<State>>(&state_);
    return state == nullptr ? nullptr : state->get();
  }
  /// Throws std::bad_variant_access in another state.
  template <class State>
  State& get() {
    return *std::get<std::unique_ptr<State>>(state_);
  }
  template <class State>
  const State& get() const {
    return *std::get<std::unique_ptr<State>>(state_);
  }

 private:
  template <class... State>
  using OneOf = std::variant<std::unique_ptr<State>...>;
  OneOf<AwaitKe, AwaitDh, AwaitId, TryingPsks, ProvingIdentity, AnsweringAggressive, AwaitHash, SentSa,
        MakingKeyPair, SentKe, Deriving, Signing, SentId, Verifying, Up>
      state_ = std::make_unique<AwaitKe>();
};

/// A Quick Mode (RFC 2409 §5.5).
struct QuickMode {
  enum class Stage : std::uint8_t {
    await_key_pair,  ///< we initiate, with PFS
    await_message2,  ///< we initiate, message 1 is out
    await_dh,
    await_inbound,
    await_hash3,  ///< we respond, message 2 is out
    confirming,   ///< we initiate, message 3 is out and has no answer: does the peer use the pair?
    done
  };
  Role role = Role::responder;
  Stage stage = Stage::await_dh;
  base::Time began;  ///< when message 1 came, or was to go out
  Ticket ticket;
  Bytes iv;
  Bytes ni, nr, idci, idcr;
  EspSuite suite;
  Service service;
  v1::EncapsulationMode mode = v1::EncapsulationMode::transport;
  Bytes sa_body;  ///< of our answer
  xfrm::Spi in, out;
  std::chrono::seconds lifetime{0};
  std::optional<std::uint64_t> kilobytes;
  std::optional<crypto::Group> pfs;
  std::optional<xfrm::Spi> replaces;  ///< the service's pair that is active as it begins, by inbound SPI
  bool shorter_lifetime = false;      ///< than the peer asked: say RESPONDER-LIFETIME
  std::size_t nat_oas = 0;            ///< NAT-OA payloads that the peer sent, in its first Quick Mode
  Bytes g_xr;
  base::Secret g_xy;
  xfrm::EspTransform outbound_keys;
  std::uint8_t sent = 0;         ///< how often our last message went out
  base::Endpoint asked_at = {};  ///< where it went the first time
  LastExchange last;
  // As initiator.
  std::optional<crypto::KeyPair> own;
  std::uint8_t looks = 0;  ///< for traffic on the new pair, in vain

  EspTerms terms() const {
    const bool ours = role == Role::initiator;
    return {.service = service,
            .suite = suite,
            .lifetime = lifetime,
            .kilobytes = kilobytes,
            .pfs = pfs,
            .our_id = ours ? idci : idcr,
            .their_id = ours ? idcr : idci,
            .udp = mode == v1::EncapsulationMode::transport ? std::nullopt : std::optional(mode),
            .nat_oas = nat_oas};
  }
};

/// RFC 2409 §5: what a nonce may measure, and what ours do, in bytes.
inline constexpr std::size_t smallest_nonce = 8, largest_nonce = 256, nonce_size = 32;

/// A message of ours that has no answer goes out again after 2, 4, 8 and 16 s.
inline constexpr std::chrono::seconds first_resend{2};
inline constexpr std::uint8_t most_sent = 4;

/// Of a stranger; the longest offers have some 2000 bytes.
inline constexpr std::size_t largest_message_1 = 8192;
/// Of who has our cookie: chains of certificates, and Windows asks for every authority that it knows. In
/// pieces no more is taken either (FragmentLimits).
inline constexpr std::size_t largest_message = 16384;
/// The body of an ID payload, which is kept for as long as its peer: a distinguished name has a few hundred.
inline constexpr std::size_t largest_identification = 2048;
/// Of an SA whose offer names none (RFC 2407 §4.5; RFC 2409 has none of its own for phase 1).
inline constexpr std::chrono::seconds default_lifetime{28800};
/// Of message 5, that proves nothing: one exchange is no place for guessing.
inline constexpr std::uint16_t most_failures = 200;

struct IsakmpSa {
  SaNumber number;
  Role role = Role::responder;
  Cookie initiator{}, responder{};
  base::Endpoint local, remote;
  /// Where message 1 came from: what a repeated message 1 is found by.
  base::Endpoint first_remote;
  base::Time began;  ///< when message 1 came, or went out
  /// Where the last message of phase 1 went that needed an answer.
  base::Endpoint asked_at = {};
  /// It says that it is a peer we knew, and has not answered from that one's very place so far: its port may
  /// be another's behind the same NAT. What it has proved is that peer's when it has; null: it claims
  /// nothing.
  std::unique_ptr<Authentication> claim;
  bool claims_peer() const { return claim != nullptr; }
  std::uint8_t place_asked = 0;  ///< how often it was asked whether it is there
  IkeTransform transform;
  std::chrono::seconds lifetime{0};
  bool shorter_lifetime = false;
  Bytes sa_body;  ///< SAi_b, for HASH_I and HASH_R
  AuthMethod authentication = AuthMethod::psk;
  /// DER names of the authorities whose certificates the peer takes: of those that ours are from.
  std::set<Bytes> requested = {};
  v1::NatFlavour nat_flavour = v1::NatFlavour::none;
  Client client = Client::unknown;
  bool fragments = false;  ///< it can put a message together from fragments
  bool dpd = false;
  v1::NatFinding nat;
  AnswerBudget budget;
  std::uint16_t failures = 0;  ///< messages 5 that no pre-shared key fits
  MainMode state;
  LastExchange last;
  std::map<MessageId, QuickMode> quick_modes;
  TokenBucket may_begin;  ///< of Quick Modes, those that the peer begins
  /// M-IDs of phase 2 that were used: an old Quick Mode cannot be played back (RFC 2409 §5.5).
  MessageIds used_ids;
  MessageIds informational_ids;            ///< the newest of its Informationals
  std::optional<std::uint32_t> dpd_heard;  ///< sequence number of its newest R-U-THERE
  std::uint32_t dpd_sequence = 0;          ///< of ours
  std::optional<std::uint32_t> dpd_asked;  ///< the one that it has not answered yet
  base::Endpoint dpd_asked_at = {};        ///< where that went
  std::uint8_t dpd_guesses = 0;  ///< how many wrong answers are left before the right one proves nothing
  // As initiator, until it is up.
  std::unique_ptr<Connection> connection;  ///< what it is for
  std::optional<Service> then_quick_mode = {};
  PeerNumber rekeys;      ///< the peer that it is to be the next ISAKMP SA of; zero: a new one
  std::uint8_t sent = 0;  ///< how often our last message went out

  IkeTerms terms() const {
    return {.transform = transform,
            .authentication = authentication,
            .lifetime = lifetime,
            .nat_flavour = nat_flavour,
            .fragments = fragments,
            .dpd = dpd};
  }

  /// CKY-I | CKY-R: its SPI in notifications and Deletes (RFC 2408 §3.14, §3.15).
  Bytes spi() const {
    Bytes out(initiator.begin(), initiator.end());
    base::append(out, responder);
    return out;
  }
};

}  // namespace ike
