#pragma once
// A scripted IKEv1 initiator, as pure as the responder: datagrams, timeouts and commands in, datagrams out.
// It checks what an attentive client checks and writes down whatever it finds wrong.

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/timer_queue.h"
#include "crypto/dh.h"
#include "harness/pretend_dh.h"
#include "ike/effect.h"
#include "ike/v1/message.h"
#include "ike/v1/nat.h"
#include "ike/v1/sa_payload.h"
#include "pki/signature.h"

namespace harness {

using base::Bytes;
using base::ByteView;
using ike::v1::Cookie;
using ike::v1::MessageId;

enum class Offer : std::uint8_t { one_proposal, proposal_each };
/// Where INITIAL-CONTACT goes (RFC 2407 §4.6.3.3).
enum class Contact : std::uint8_t { none, in_message_5, informational };
/// Of its own accord; beside them a test may have any sent.
enum class Deletes : std::uint8_t {
  none,
  at_hang_up,   ///< of all that it has
  old_pair_too  ///< and, as soon as there is a new pair, of those before
};
/// What a NAT-D payload is about (RFC 3947 §3.2): a host with several addresses may send one for each.
enum class NatD : std::uint8_t { gateway, itself, another_of_its_addresses };

struct InitiatorSettings {
  base::Endpoint local{base::Address::v4(0xc0a80102), 500};    ///< 192.168.1.2
  base::Endpoint gateway{base::Address::v4(0xcb007101), 500};  ///< 203.0.113.1
  std::string psk = "swordfish";
  /// With signatures instead: what it proves itself with.
  struct Certificates {
    ike::AuthMethod method = ike::AuthMethod::rsa_signature;
    std::vector<ike::EncodedCertificate> sent = {};
    const pki::PrivateKey* key = nullptr;  ///< null: the certificates are pretended
    std::vector<Bytes> requests{{4}};      ///< CERTREQ bodies in message 3; {4} takes any authority
    Bytes expected_certificate = {};       ///< DER; of the gateway, which has to sign with it
    bool damage_signature = false;
  };
  std::optional<Certificates> certificates = {};
  std::vector<ike::IkeTransform> ike{*ike::parse_ike_transform("aes256-sha256-modp2048")};
  std::vector<ike::EspSuite> esp{*ike::parse_esp_suite("aes256-sha1")};
  Offer offer = Offer::one_proposal;
  std::optional<crypto::Group> pfs = {};
  std::chrono::seconds ike_lifetime{28800}, esp_lifetime{3600};
  Bytes identity = {};                 ///< body of the phase 1 ID; empty: ID_IPV4_ADDR of `local`
  Bytes idci = {}, idcr = {};          ///< empty: the addresses with 17/1701
  bool aggressive = false;             ///< with the group of the first of `ike`
  bool aggressive_3_in_clear = false;  ///< as racoon does it
  bool takes_any_ids = false;   ///< in message 2 of a Quick Mode: charon returns the NAT's address there
  bool trusts_anybody = false;  ///< does not look at HASH_R: goes on with a wrong key
  bool nat_traversal = true;
  ike::v1::NatFlavour nat_flavour = ike::v1::NatFlavour::rfc3947;
  std::vector<NatD> nat_d{NatD::gateway, NatD::itself};  ///< of message 3, in order
  std::size_t nat_oa = 2;  ///< payloads: of its own address, or of that and the gateway's
  Contact contact = Contact::none;
  bool dpd = true;                   ///< says that it understands R-U-THERE
  bool rekeys_on_4500 = false;       ///< a later Main Mode begins where the first one ended (Apple)
  bool floats_in_message_3 = false;  ///< to port 4500
  Deletes deletes = Deletes::at_hang_up;
  bool answers_dpd = true;
  std::vector<Bytes> vendor_ids = {};  ///< of message 1; empty: as `nat_traversal` and `dpd` say
  /// SA payloads' bodies as a certain client writes them, of what `ike` and `esp` say; none: our own writing.
  Bytes ike_sa = {};
  /// What it offers when it is refused or gives up, and then no more; none: nothing.
  std::vector<ike::IkeTransform> ike_once_more = {};
  Bytes ike_sa_once_more = {};
  std::function<Bytes(xfrm::Spi, ike::v1::EncapsulationMode)> esp_sa = {};
  std::size_t fragment_above = 0;         ///< bytes of a message; 0: never
  bool fragments_look_encrypted = false;  ///< racoon leaves the flag in their headers
  std::size_t nonce = 20;                 ///< bytes
  base::Duration quick_mode_after{0};     ///< message 6
  std::vector<base::Duration> resend_after{std::chrono::seconds(2)};  ///< the last again and again
  int sends_at_most = 15;             ///< each message; then it waits once more, and gives up
  std::optional<xfrm::Spi> spi = {};  ///< of the first pair's inbound SA
  Dh dh = Dh::real;
  std::uint64_t seed = 1;
};

/// A pair of ESP SAs as the initiator would install it.
struct InitiatorChild {
  xfrm::Spi in, out;
  ike::EspSuite suite;
  xfrm::EspTransform in_keys, out_keys;
  std::optional<ike::v1::EncapsulationMode> mode;
};

struct Notified {
  bool encrypted = false;
  std::uint16_t type = 0;
  Bytes spi, data;
};

class Initiator {
 public:
  explicit Initiator(InitiatorSettings settings);

  /// Main Mode, and a Quick Mode as soon as it is up.
  void connect(base::Time now);
  /// A second Main Mode beside the first; Quick Modes use it once it is up.
  void rekey_ike(base::Time now) { main_mode(now); }
  void main_mode(base::Time now);
  /// False when no ISAKMP SA is up.
  bool quick_mode(base::Time now);
  /// One message id for several Quick Modes: what nobody should do.
  bool quick_mode_with(MessageId id, base::Time now);
  void delete_esp(xfrm::Spi own_inbound);
  /// Deletes the newest ISAKMP SA and forgets it.
  void delete_isakmp();
  /// Ends everything with the Deletes that it sends, and knows nothing afterwards.
  void hang_up();
  void r_u_there(std::uint32_t sequence);
  void stop_answering_dpd() { settings_.answers_dpd = false; }
  void notify(std::uint16_t type);
  void informational(ike::v1::PayloadType type, ByteView body);
  /// What later Quick Modes say of itself: the body of IDci.
  void call_itself(Bytes idci) { settings_.idci = std::move(idci); }
  /// In phase 1 from now on.
  void identify_as(Bytes identity) { settings_.identity = std::move(identity); }
  /// Bodies of the IDs of its next Quick Modes.
  void ask_for(Bytes idci, Bytes idcr) {
    settings_.idci = std::move(idci);
    settings_.idcr = std::move(idcr);
  }
  /// The host got another address; what is up stays up.
  void move_to(const base::Address& address) { settings_.local.address = address; }

  void input(const base::Endpoint& from, const base::Endpoint& to, ByteView bytes, base::Time now);
  void timeout(base::Time now);
  std::optional<base::Time> next_timeout() const { return timers_.earliest(); }
  std::optional<ike::Send> next_send();

  const InitiatorSettings& settings() const { return settings_; }
  bool ike_up() const;
  std::size_t isakmp_sas() const;
  bool failed() const { return failed_; }
  bool floated() const;
  /// Of the newest Main Mode: who is behind a NAT, as the gateway's hashes have it.
  ike::v1::NatFinding nat_finding() const;
  const std::vector<InitiatorChild>& children() const { return children_; }
  const InitiatorChild* child_by_in(xfrm::Spi spi) const;
  const std::vector<Notified>& notified() const { return notified_; }
  /// The bodies of the CERTREQs in message 4, and of the CERTs in message 6.
  const std::vector<Bytes>& certificate_requests() const { return certificate_requests_; }
  const std::vector<Bytes>& received_certificates() const { return received_certificates_; }
  /// What the gateway has called itself: the body of its ID in the newest phase 1.
  const Bytes& gateway_id() const { return gateway_id_; }
  bool was_notified(std::uint16_t type) const;
  const std::vector<xfrm::Spi>& deleted_spis() const { return deleted_spis_; }
  /// Bodies of the NAT-OA payloads of the last Quick Mode.
  /// Of the responder's last Quick Mode message that had some or might have had, whoever began.
  const std::vector<Bytes>& nat_oas() const { return nat_oas_; }
  std::size_t deleted_isakmp() const { return deleted_isakmp_; }
  /// What the responder did wrong, in words.
  const std::vector<std::string>& complaints() const { return complaints_; }
  /// The newest ISAKMP SA's cookies; zero before message 1.
  std::pair<Cookie, Cookie> cookies() const;

 private:
  enum class Stage : std::uint8_t { sent_1, sent_3, sent_5, up };
  struct Quick {
    bool done = false;
    Bytes iv, ni, g_xi, request, digest_of_2;
    std::optional<crypto::DhKey> dh;
    xfrm::Spi in;
  };
  struct Phase1 {
    Cookie initiator{}, responder{};
    Stage stage = Stage::sent_1;
    ike::IkeTransform transform;
    std::optional<crypto::DhKey> dh;
    Bytes ni, nr, g_xi, g_xr, sa_body, iv, last_block, request;
    base::Secret skeyid;
    ike::v1::SessionKeys keys;
    bool on_4500 = false;
    bool nat = false;  ///< ESP goes in UDP
    ike::v1::NatFinding finding = {};
    std::map<MessageId, Quick> quicks;
  };
  /// The serial number of a Phase1; the message id is zero for Main Mode itself.
  using TimerKey = std::pair<std::uint64_t, MessageId>;

  Phase1* newest_up();
  Phase1* find(const Cookie& initiator, std::uint64_t& serial);
  void complain(std::string what) { complaints_.push_back(std::move(what)); }
  void transmit(const Phase1& p, ByteView message);
  void transmit_datagram(const Phase1& p, ByteView datagram);
  /// The whole message once its last piece is in.
  Bytes put_together(ByteView datagram);
  /// True when there is something else to offer.
  bool offer_once_more(base::Time now);
  void request(const Phase1& p, TimerKey key, ByteView message, base::Time now);
  base::Duration patience(int sent) const;
  Bytes random_of(std::size_t size);
  ike::v1::Header header(const Phase1& p, ike::v1::Exchange exchange, MessageId id) const;
  Bytes key_pair(crypto::Group group, std::optional<crypto::DhKey>& key);
  std::optional<base::Secret> shared(crypto::Group group, const std::optional<crypto::DhKey>& key,
                                     ByteView mine, ByteView theirs);

  // initiator_main_mode.cc
  void message_2(std::uint64_t serial, Phase1& p, const ike::v1::Header& h, ByteView datagram,
                 base::Time now);
  void message_4(std::uint64_t serial, Phase1& p, const ike::v1::Header& h, ByteView datagram,
                 base::Time now);
  void send_message_5(std::uint64_t serial, Phase1& p, base::Time now);
  void message_6(std::uint64_t serial, Phase1& p, const ike::v1::Header& h, ByteView datagram,
                 base::Time now);
  /// What follows the last message of phase 1.
  void went_up(std::uint64_t serial, base::Time now);
  Bytes identity() const;
  /// Both ends as they are on the wire at this moment, but for NATs.
  base::Endpoint here(const Phase1& p) const;
  base::Endpoint there(const Phase1& p) const;
  /// The bodies of its NAT-D payloads.
  std::vector<Bytes> nat_d(const Phase1& p) const;
  // initiator_aggressive.cc
  void aggressive_mode(std::uint64_t serial, Phase1& p, base::Time now);
  void aggressive_2(std::uint64_t serial, Phase1& p, const ike::v1::Header& h, ByteView datagram,
                    base::Time now);
  bool proves_itself(const ike::v1::Chain& chain, ByteView hash_r);
  crypto::Hash hash_of_proof(const Phase1& p) const;

  // initiator_quick_mode.cc
  Bytes esp_offer(xfrm::Spi spi, ike::v1::EncapsulationMode mode) const;
  void quick_mode_1_of_the_responder(Phase1& p, const ike::v1::Header& h, ByteView datagram);
  void take_nat_oas(const ike::v1::Chain& chain);
  void quick_mode_2(std::uint64_t serial, Phase1& p, const ike::v1::Header& h, ByteView datagram);
  void delete_pairs_before(xfrm::Spi in);
  void accept_quick_mode_2(Phase1& p, const ike::v1::Header& h, Quick& q, const ike::v1::Chain& chain);
  void encrypted_informational(Phase1& p, const ike::v1::Header& h, ByteView datagram);
  void clear_informational(std::uint64_t serial, const ike::v1::Header& h, ByteView datagram, base::Time now);
  void take_informational(bool encrypted, const ike::v1::Chain& chain);
  Bytes idci() const;
  Bytes idcr() const;

  InitiatorSettings settings_;
  std::function<void(std::span<std::uint8_t>)> random_;
  std::map<std::uint64_t, Phase1> phases_;
  std::uint64_t last_serial_ = 0;
  bool quick_when_up_ = false;
  bool failed_ = false;
  bool spi_used_ = false;
  base::TimerQueue<TimerKey> timers_;
  std::map<TimerKey, int> sent_;
  std::map<std::uint8_t, Bytes> pieces_;
  std::uint8_t last_piece_ = 0;
  std::deque<ike::Send> sends_;
  std::vector<InitiatorChild> children_;
  std::vector<Notified> notified_;
  std::vector<Bytes> certificate_requests_, received_certificates_;
  Bytes gateway_id_;
  std::vector<xfrm::Spi> deleted_spis_;
  std::size_t deleted_isakmp_ = 0;
  std::vector<Bytes> nat_oas_;
  std::vector<std::string> complaints_;
};

}  // namespace harness
