#pragma once
// The core of IKEv1: a function of (state, datagram or timeout or completion, now) to (state, effects).

#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>

#include "base/timer_queue.h"
#include "ike/admission.h"
#include "ike/effect.h"
#include "ike/fragments.h"
#include "ike/isakmp_sa.h"
#include "ike/peers.h"
#include "ike/trial_budget.h"
#include "ike/v1/exchange_table.h"

namespace ike {

/// Why a datagram was dropped without an answer; each has a counter of this name.
enum class DropReason : std::uint8_t {
  malformed,
  unexpected_payload,
  unknown_cookies,
  wrong_state,
  unproven_place,
  not_encrypted,
  undecryptable,
  hash_mismatch,
  half_open_limit,
  worker_queue_full,  ///< a stranger's Diffie-Hellman; the same message may come again
  answer_limit,
  quick_mode_limit,
  message_id_used,
  unsupported_exchange,
  unsupported_notification,
  psk_trial_limit,
  fragment_limit,
  unknown_identity,
  count_
};
std::string_view name_of(DropReason reason);

/// What we say of ourselves in message 2, and in message 1 to a client that we know. NAT traversal is
/// answered only where it was offered, either way.
enum class VendorIds : std::uint8_t {
  all,
  minimal  ///< nothing that the initiator did not say first
};

struct Settings {
  std::vector<IkeTransform> ike_transforms = default_ike_transforms();
  std::vector<EspSuite> esp_suites = default_esp_suites();
  std::chrono::seconds ike_lifetime{28800};  ///< the longest we agree to
  std::chrono::seconds esp_lifetime{28800};
  std::uint64_t esp_kilobytes = 0;        ///< an ESP SA that has carried so much is renewed; zero: any amount
  std::chrono::seconds dpd{60};           ///< silence before R-U-THERE; zero: never ask
  std::chrono::seconds dpd_timeout{300};  ///< silence before a peer that was asked is given up
  /// Silence before a peer is given up that cannot be asked; zero: never.
  std::chrono::seconds silence_timeout{900};
  std::uint32_t max_half_open = 4000;
  v1::NatDetection nat_detection = v1::NatDetection::truthful;
  /// The body of our ID payload with a pre-shared key; empty: the address that the peer has reached.
  Bytes identity = {};
  InnerIds inner_ids;
  std::vector<Service> services;  ///< beside L2TP
  bool accept_psks = true;
  std::map<std::string, PskPolicy, std::less<>> psks;  ///< by name
  VendorIds vendor_ids = VendorIds::all;
  /// For Aggressive Mode, which needs them to be told apart before anything is encrypted: identity → name.
  std::map<std::string, std::string, std::less<>> aggressive;
  std::vector<OwnCertificate> certificates;  ///< without any, none is accepted
  std::vector<Bytes> trusted_names;          ///< DER names of authorities, for CERTREQ
  Numbering numbering;
};

struct Counters {
  std::array<std::uint64_t, static_cast<std::size_t>(DropReason::count_)> dropped{};
  std::uint64_t received = 0;
  std::uint64_t duplicates = 0;  ///< answered with the same bytes, or ignored while work is under way
  std::uint64_t keepalives = 0;
  std::uint64_t keepalives_sent = 0;
  std::uint64_t moves = 0;       ///< of peers whose NAT gave them another port or address
  std::uint64_t main_modes = 0;  ///< and Aggressive Modes
  std::uint64_t quick_modes = 0;
  std::uint64_t authentication_failures = 0;
  std::uint64_t refused_proposals = 0;
};

class Engine {
 public:
  using Random = std::function<void(std::span<std::uint8_t>)>;

  Engine(Settings settings, Random random);

  /// `to` is our address and port; on 4500 `bytes` still begins with its non-ESP marker.
  void input(const base::Endpoint& from, const base::Endpoint& to, ByteView bytes, base::Time now);
  /// Early and repeated calls do nothing.
  void timeout(base::Time now);
  void completed(Completion completion, base::Time now);
  /// The kernel dropped an SA (hard limit).
  void expired(const xfrm::SaId& sa, base::Time now);
  /// The kernel decrypted a packet that came from somewhere else (kernel.md §5).
  void mapped(const xfrm::Mapping& mapping, base::Time now);
  /// The kernel warns that an SA has carried most of what it may (soft limit): time for a new pair.
  void nearly_expired(const xfrm::SaId& sa, base::Time now);
  /// Other settings from now on, but numbering and services as they were. What is up stays up by the terms
  /// that were agreed; whoever is just proving itself is looked at again, by the new keys and certificates.
  void reconfigure(Settings settings, base::Time now);
  /// Opens a connection to another gateway, as the initiator of both phases.
  void connect(Connection connection, base::Time now);
  /// Deletes for every SA of the peer; false when there is no such peer.
  bool terminate(PeerNumber peer, std::string_view why, base::Time now);
  /// The same for all peers; the half-open vanish.
  void shut_down(base::Time now);

  std::optional<base::Time> next_timeout() const { return timers_.earliest(); }
  std::optional<Effect> next_effect();

  const std::map<PeerNumber, Peer>& peers() const { return peers_.all(); }
  const IsakmpSa* isakmp_sa(SaNumber number) const;
  std::size_t isakmp_sas() const { return sas_.size(); }
  std::size_t half_open() const { return half_open_.size(); }
  const Counters& counters() const { return counters_; }
  const Numbering& numbering() const { return settings_.numbering; }

 private:
  enum class TimerKind : std::uint8_t {
    half_open,       ///< a Main Mode that never ended
    main_resend,     ///< our Main Mode's last message again, or give up
    isakmp_renew,    ///< no client has renewed the ISAKMP SA, and its end is near
    isakmp_end,      ///< the ISAKMP SA's lifetime is over
    quick_resend,    ///< message 1 or 2 again, or give up
    quick_confirm,   ///< has anything come through the pair that our message 3 announced?
    quick_forget,    ///< duplicates of message 2 are no longer expected
    child_renew,     ///< no client has renewed an ESP SA pair, and its end is near
    child_retire,    ///< a pair that we replaced is to be deleted
    child_end,       ///< an ESP SA pair's lifetime is over
    inbound_linger,  ///< packets on their way of a deleted pair have arrived by now
    fragments,       ///< a message that came in part has no hope any more
    peer_lost,       ///< a peer without ESP SAs has not come back
    dpd,             ///< time to see whether the peer has been heard
    keepalive,       ///< our NAT must not forget the way to the peer
    move,            ///< a peer that moves often may move again
    move_again,      ///< the kernel has refused to reach a peer where it has moved
    place,           ///< a peer that has moved has not answered from there
    claim,           ///< one that claims to be a known peer has not answered from there
    first_child,     ///< a peer that asked for no IPsec SA
  };
  struct TimerKey {
    TimerKey(TimerKind what, std::uint64_t whose, std::uint32_t which = 0)
        : owner(whose), part(which), kind(what) {}
    std::uint64_t owner;
    std::uint32_t part;
    TimerKind kind;  // last, and without a hole: a peer has some five of these, each twice
    auto operator<=>(const TimerKey&) const = default;
  };
  /// Whom a completion is for. A zero message id is Main Mode. An SA that the kernel installs concerns its
  /// peer, even when the ISAKMP SA that agreed on it has gone.
  struct Waiting {
    SaNumber sa;
    MessageId exchange;
    std::optional<xfrm::Direction> installs = {};
    PeerNumber peer = {};
    xfrm::Spi in = {};
    Service service = {};
  };
  struct CookieHash {
    std::size_t operator()(const Cookie& c) const;
  };

  // engine.cc
  void drop(DropReason why) { ++counters_.dropped[static_cast<std::size_t>(why)]; }
  /// drop() where the caller says whether it took the message.
  bool not_taken(DropReason why) {
    drop(why);
    return false;
  }
  void send(const base::Endpoint& from, const base::Endpoint& to, ByteView message);
  /// To whoever the SA is with, as far as its budget allows.
  void send_answer(IsakmpSa& sa, ByteView message);
  /// To whoever the SA is with, in pieces where it understands them and one datagram would be too large.
  void send(const IsakmpSa& sa, ByteView message);
  void report(EventKind kind, Peer& peer, std::string detail, Refusal refusal = Refusal::none);
  void report(EventKind kind, const IsakmpSa& sa, std::string detail, Refusal refusal = Refusal::none);
  /// How long what this event ends has taken.
  void report_after(base::Duration took, EventKind kind, const Peer& peer, SaNumber setup,
                    std::string detail);
  Ticket new_ticket(Waiting waiting);
  MessageId new_message_id();
  std::uint32_t random_number();
  Bytes random_of(std::size_t size);
  xfrm::Spi new_spi(const base::Address& local);
  v1::Header reply_header(const IsakmpSa& sa, v1::Exchange exchange, MessageId id) const;
  static bool same_request(const LastExchange& last, ByteView datagram);
  bool answer_duplicate(IsakmpSa& sa, const LastExchange& last, ByteView datagram);
  void answer(IsakmpSa& sa, LastExchange& last, ByteView request, Bytes response);
  void dispatch(IsakmpSa& sa, const v1::Header& header, ByteView datagram, const base::Endpoint& from,
                const base::Endpoint& to, base::Time now);
  void forget_sa(SaNumber number, base::Time now);
  /// Everything of a peer goes, without a word to it.
  void bury(const Peer& peer, base::Time now);
  void timer_due(const TimerKey& key, base::Time now);
  IsakmpSa* find_sa(SaNumber number);
  IsakmpSa* find_sa(const v1::Header& header);

  // initiate_main_mode.cc
  void open_main_mode(Connection connection, PeerNumber rekeys, std::optional<Service> then_quick_mode,
                      base::Time now);
  void request(IsakmpSa& sa, Bytes message, base::Time now);
  void resend_request(IsakmpSa& sa, base::Time now);
  void give_up(const IsakmpSa& sa, std::string why, base::Time now);
  void initiated_main_mode(IsakmpSa& sa, const v1::Header& header, ByteView datagram, base::Time now);
  void take_main_mode_2(IsakmpSa& sa, const v1::Header& header, ByteView datagram);
  void send_main_mode_3(IsakmpSa& sa, KeyPairMade made, base::Time now);
  void take_main_mode_4(IsakmpSa& sa, const v1::Header& header, ByteView datagram);
  void derive_skeyid(IsakmpSa& sa, DhDone done, base::Time now);
  void prove_psk(IsakmpSa& sa, SkeyidsDone done, base::Time now);
  void send_main_mode_5(IsakmpSa& sa, SentId next, std::vector<v1::Payload> payloads, base::Time now);
  static void note_lifetime(IsakmpSa& sa, const v1::Chain& chain);
  void take_main_mode_6(IsakmpSa& sa, const v1::Header& header, ByteView datagram, base::Time now);
  /// The other side has proved itself; the SA is gone where it is not who it should be.
  void main_mode_done(IsakmpSa& sa, ByteView id_body, Authentication proven, v1::SessionKeys keys,
                      Bytes last_block, base::Time now);
  Peer* peer_reached(IsakmpSa& sa, ByteView id_body, Authentication proven, base::Time now);

  // initiate_main_mode_signature.cc
  void sign_main_mode_5(IsakmpSa& sa, DhDone done, base::Time now);
  void send_signed_main_mode_5(IsakmpSa& sa, Signed done, base::Time now);
  void verify_main_mode_6(IsakmpSa& sa, const v1::Chain& chain, Bytes next_iv);
  void responder_verified(IsakmpSa& sa, CertificateVerified done, base::Time now);

  // fragmentation.cc
  void fragment(IsakmpSa& sa, ByteView datagram, const base::Endpoint& from, const base::Endpoint& to,
                base::Time now);
  void watch_fragments();

  // main_mode.cc
  void main_mode_1(const v1::Header& header, ByteView datagram, const base::Endpoint& from,
                   const base::Endpoint& to, base::Time now);
  void main_mode(IsakmpSa& sa, const v1::Header& header, ByteView datagram, const base::Endpoint& from,
                 const base::Endpoint& to, base::Time now);
  void main_mode_3(IsakmpSa& sa, const v1::Header& header, ByteView datagram, const base::Endpoint& from,
                   const base::Endpoint& to, base::Time now);
  void main_mode_4(IsakmpSa& sa, AwaitId next);
  void main_mode_5(IsakmpSa& sa, const v1::Header& header, ByteView datagram, const base::Endpoint& from,
                   const base::Endpoint& to);
  /// `payloads` say who we are; `iv` becomes that of phase 2.
  void main_mode_6(IsakmpSa& sa, std::vector<v1::Payload> payloads, const v1::SessionKeys& keys, Bytes& iv,
                   ByteView request);
  /// The body of a notification (RFC 2407 §4.6.3.1).
  static Bytes responder_lifetime(const IsakmpSa& sa);
  /// The peer that the other side of `sa` has proved to be. Null, and the SA is gone, when no number is free.
  Peer* authenticated(IsakmpSa& sa, ByteView id_body, Authentication proven, base::Time now);
  void phase1_done(IsakmpSa& sa, v1::SessionKeys keys, Bytes last_block, Peer& peer, base::Time now);
  /// Of a known peer that has proved itself anew.
  void tell_of_old_secret(Peer& peer);
  void dh_done(IsakmpSa& sa, DhDone done, base::Time now);
  /// False when there is no room for it.
  bool admit(const Admission::Decision& decision, base::Time now);
  void no_longer_half_open(const IsakmpSa& sa);
  /// Its Main Mode has not ended in its time.
  void setup_timed_out(const IsakmpSa& sa);
  /// Whether it belongs to a half-open one; then it is answered, if it has been.
  bool repeats_message_1(const v1::Header& header, ByteView datagram, const base::Endpoint& from);
  void refuse_offer(const v1::SaPayload& offered, const v1::Header& header, const base::Endpoint& from,
                    const base::Endpoint& to, base::Time now);
  /// The vendor IDs by which we say that we understand `terms`, and what Settings::vendor_ids adds.
  std::vector<v1::Payload> own_vendor_ids(const IkeTerms& terms) const;
  /// The body of our ID payload where a pre-shared key proves who we are.
  Bytes own_id(const IsakmpSa& sa) const;
  IsakmpSa& begin_half_open(const v1::Header& header, const base::Endpoint& from, const base::Endpoint& to,
                            const v1::Chain& chain, const v1::SaPayload& offered, const v1::IkeOffer& offer,
                            base::Time now);

  // main_mode_psk.cc
  void try_psks(IsakmpSa& sa, ByteView datagram, const base::Endpoint& from, const base::Endpoint& to);
  void derive_skeyids(IsakmpSa& sa, std::vector<std::string> names);
  void skeyids_done(IsakmpSa& sa, SkeyidsDone done, base::Time now);
  void candidates_tried(IsakmpSa& sa, CandidatesTried done, base::Time now);
  void psk_found(IsakmpSa& sa, PskHit hit, base::Time now);
  Authentication psk_authentication(const NamedSkeyid& key) const;

  // aggressive_mode.cc
  void aggressive_1(const v1::Header& header, ByteView datagram, const base::Endpoint& from,
                    const base::Endpoint& to, base::Time now);
  void aggressive_dh_done(IsakmpSa& sa, DhDone done, base::Time now);
  void aggressive_2(IsakmpSa& sa, SkeyidsDone done, base::Time now);
  void aggressive(IsakmpSa& sa, const v1::Header& header, ByteView datagram, const base::Endpoint& from,
                  const base::Endpoint& to, base::Time now);

  // main_mode_signature.cc
  std::vector<AuthMethod> acceptable_methods() const;
  void note_requests(IsakmpSa& sa, const v1::Chain& chain) const;
  /// The bodies of CERTREQ payloads, for message 3 or 4.
  std::vector<Bytes> certificate_requests(const IsakmpSa& sa) const;
  std::optional<std::size_t> own_certificate_for(const IsakmpSa& sa) const;
  /// The bodies of its CERT payloads, and with them the payloads that prove who we are.
  static std::vector<Bytes> certificate_bodies(const OwnCertificate& own);
  static std::vector<v1::Payload> proof_of(const OwnCertificate& own, const std::vector<Bytes>& bodies,
                                           ByteView signature);
  Ticket verify_certificate(const IsakmpSa& sa, const v1::Chain& chain, ByteView hash);
  void verify_signature(IsakmpSa& sa, const v1::Header& header, ByteView datagram, const base::Endpoint& from,
                        const base::Endpoint& to);
  void certificate_verified(IsakmpSa& sa, CertificateVerified done, base::Time now);
  void signature_made(IsakmpSa& sa, Signed done, base::Time now);

  // quick_mode.cc
  /// True when a message was taken that had not been seen before and is authentic.
  bool quick_mode(IsakmpSa& sa, const v1::Header& header, ByteView datagram, base::Time now);
  bool quick_mode_1(IsakmpSa& sa, const v1::Header& header, ByteView datagram, base::Time now);
  bool quick_mode_3(IsakmpSa& sa, QuickMode& quick, const v1::Header& header, ByteView datagram,
                    base::Time now);
  std::optional<v1::EspOffer> choose_offer(IsakmpSa& sa, const v1::Chain& chain, v1::EncapsulationMode mode);
  void install_inbound(IsakmpSa& sa, MessageId id, QuickMode& quick, base::Time now);
  /// Ours, as the peer shall believe it (NAT-OA). `our_id`: what it knows us by in this Quick Mode.
  static base::Address original_address(const IsakmpSa& sa, base::ByteView our_id);
  void send_quick_mode_2(IsakmpSa& sa, MessageId id, QuickMode& quick, base::Time now);
  void inbound_installed(IsakmpSa& sa, MessageId id, DoneOrRefused result, base::Time now);
  /// True: the message is refused, and was taken.
  bool refuse_quick_mode(IsakmpSa& sa, std::uint16_t notify_type, std::string why, Refusal refusal);
  void abandon_quick_mode(IsakmpSa& sa, MessageId id, base::Time now);
  void quick_dh_done(IsakmpSa& sa, MessageId id, DhDone done, base::Time now);

  void install_outbound(IsakmpSa& sa, MessageId id, QuickMode& quick, Peer& peer);

  // initiate_quick_mode.cc
  void open_quick_mode(IsakmpSa& sa, const Service& service, base::Time now);
  void send_quick_mode_1(IsakmpSa& sa, MessageId id, QuickMode& quick, base::Time now);
  void resend_quick_mode_1(IsakmpSa& sa, MessageId id, QuickMode& quick, base::Time now);
  void quick_key_pair_made(IsakmpSa& sa, MessageId id, KeyPairMade made, base::Time now);
  bool take_quick_mode_2(IsakmpSa& sa, QuickMode& quick, const v1::Header& header, ByteView datagram,
                         base::Time now);
  void send_quick_mode_3(IsakmpSa& sa, MessageId id, QuickMode& quick, base::Time now);
  void look_for_traffic(const IsakmpSa& sa, MessageId id, QuickMode& quick, base::Time now);
  void traffic_seen(IsakmpSa& sa, MessageId id, const TrafficSeen& seen, base::Time now);
  /// Whether or not the peer has shown it: the new pair carries what we send from now on.
  void confirm(IsakmpSa& sa, MessageId id, QuickMode& quick, base::Time now);

  // rekey.cc
  void renew_child(Peer& peer, xfrm::Spi in, base::Time now);
  void renew_isakmp_sa(const IsakmpSa& sa, base::Time now);
  void reach(Peer& peer, std::optional<Service> then_quick_mode, base::Time now);
  IsakmpSa* newest_that(const Peer& peer, bool (*fits)(const IsakmpSa&));
  IsakmpSa* newest_isakmp_sa(const Peer& peer);
  void became_active(Peer& peer, ChildSa& child, base::Time now);
  void supersede(Peer& peer, ChildSa& old);
  /// A pair on standby carries what we send when the active one has gone.
  void promote(Peer& peer, const Service& service, base::Time now);
  void retire(Peer& peer, xfrm::Spi in, base::Time now);
  /// The pairs of ours that are to replace that one.
  void confirm_successors(Peer& peer, const Service& service, xfrm::Spi in, base::Time now);
  bool being_renewed(const Peer& peer, const Service& service);
  std::pair<Peer*, ChildSa*> find_child(const xfrm::SaId& id);

  // children.cc
  xfrm::Sa inbound_sa(const Peer& peer, const QuickMode& quick, xfrm::EspTransform keys) const;
  xfrm::Sa outbound_sa(const Peer& peer, const QuickMode& quick, xfrm::EspTransform keys) const;
  xfrm::Policy outbound_policy(const Peer& peer, const Service& service) const;
  static bool crowded(const Peer& peer, const Service& service);
  void make_room(Peer& peer, const Service& service, base::Time now);
  void installed(const Waiting& waiting, DoneOrRefused result, base::Time now);
  void outbound_installed(Peer& peer, xfrm::Spi in, DoneOrRefused result, base::Time now);
  void remove_child(Peer& peer, xfrm::Spi in, base::Time now);
  /// Its time is over, or its bytes are; the peer may count otherwise, and is told.
  void end_child(Peer& peer, xfrm::Spi in, std::string why, base::Time now);
  /// Without a word to the kernel, which has no inbound SA of it.
  void forget_child(Peer& peer, xfrm::Spi in, base::Time now);
  void linger_over(Peer& peer, xfrm::Spi in, base::Time now);
  void delete_by_peers_spi(Peer& peer, xfrm::Spi spi, base::Time now);
  void peer_maybe_gone(PeerNumber number, base::Time now);

  // nat_life.cc
  void follow(const IsakmpSa& sa, base::Time now);
  void follow(Peer& peer, const base::Endpoint& to, base::Time now);
  void move_due(Peer& peer, base::Time now);
  /// `was`: where it has been, as far as the kernel knows.
  void move_in_kernel(const Peer& peer, const base::Address& was);
  void peer_moved(const PeerMoved& moved, base::Time now);
  void proved_to_be_at(Peer& peer, const base::Endpoint& place);
  /// What went there was answered.
  void was_answered(IsakmpSa& sa, Peer& peer, const base::Endpoint& asked_at);
  void ask_for_its_place(Peer& peer, base::Time now);
  void ask_claimant(IsakmpSa& sa, base::Time now);
  void nat_found(Peer& peer, const v1::NatFinding& found, base::Time now);
  void keepalive_due(const Peer& peer, base::Time now);

  // dead_peers.cc
  void heard(const IsakmpSa& sa, base::Time now);
  void watch_for_silence(Peer& peer, base::Time now);
  base::Duration watch_interval() const;
  void dpd_due(Peer& peer);
  void first_child_due(Peer& peer, base::Time now);
  void ask_whether_it_is_there(IsakmpSa& sa, const Peer& peer);
  static bool is_there(IsakmpSa& sa, std::uint32_t sequence);
  bool answers_our_question(IsakmpSa& sa, std::uint32_t sequence);
  void inbound_counted(const InboundCounted& counted, base::Time now);
  /// Of its own the newest that understands R-U-THERE.
  IsakmpSa* askable(const Peer& peer);

  // reconnect.cc
  void only_self_of_device(PeerNumber number, base::Time now);

  // informational.cc
  /// True when it said something that only its sender can have said just now. So do the next two.
  bool informational(IsakmpSa& sa, const v1::Header& header, ByteView datagram, base::Time now);
  bool notification(IsakmpSa& sa, ByteView body, base::Time now);
  bool delete_payload(IsakmpSa& sa, ByteView body, base::Time now);
  void send_informational(IsakmpSa& sa, v1::PayloadType type, ByteView body);
  void send_deletes(IsakmpSa& sa, const Peer& peer);
  void send_delete_esp(IsakmpSa& sa, xfrm::Spi in);
  void notify_in_clear(const v1::Header& request, const base::Endpoint& from, const base::Endpoint& to,
                       std::uint16_t type);

  Settings settings_;
  Random random_;
  Peers peers_;
  std::map<SaNumber, IsakmpSa> sas_;
  std::unordered_map<Cookie, SaNumber, CookieHash> by_responder_cookie_;  ///< of those that the peer began
  std::unordered_map<Cookie, SaNumber, CookieHash> by_initiator_cookie_;  ///< of those that we began
  std::map<std::pair<Cookie, base::Endpoint>, SaNumber> half_open_;
  Admission admission_;
  TrialBudget trial_budget_;
  LastHits last_hits_;
  Fragments fragments_;
  std::map<Ticket, Waiting> waiting_;
  base::TimerQueue<TimerKey> timers_;
  std::deque<Effect> effects_;
  Counters counters_;
  std::uint64_t last_sa_ = 0;
  std::uint64_t last_ticket_ = 0;
};

}  // namespace ike
