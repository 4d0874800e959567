#pragma once
// Peers: what one IKE negotiation authenticated. A peer has one number for as long as it lives, and from
// it its mark, its reqid and its alias address; a number rests in quarantine before it is given out again.

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "ike/authentication.h"
#include "ike/effect.h"
#include "ike/profile.h"
#include "ike/proposal.h"
#include "ike/service.h"
#include "ike/terms.h"

namespace ike {

/// Names an ISAKMP SA within this process.
using SaNumber = base::Id<struct SaNumberTag, std::uint64_t>;

/// The ranges that numbers map into (kernel.md §1).
struct Numbering {
  std::uint32_t mask = 0x0fffff00;  ///< one run of bits
  base::Prefix alias{base::Address::v4(0xf0000000), 8};
  std::uint32_t capacity = 0xffffe;  ///< numbers 1 to capacity
  base::Duration quarantine = std::chrono::seconds(300);
  OutboundLookup lookup = OutboundLookup::alias_and_mark;
  /// What makes of an alias the address that our L2TP has towards that peer, its near end (nft/sameroof.nft);
  /// zero for a daemon that has the address dialled.
  std::uint32_t near_bit = 0;
  /// The first number is any. Beside an L2TP daemon that outlives us the smallest ones may still have
  /// tunnels, and would give them to others' clients.
  bool from_anywhere = false;

  base::Mark mark_of(PeerNumber number) const;
  /// Of an IPv6 peer its own address: many peers behind one address is IPv4's affair.
  base::Address alias_of(PeerNumber number, const base::Address& remote) const;
  /// None for a mark outside the range.
  std::optional<PeerNumber> number_of(base::Mark mark) const;
  /// None for an address that is no alias.
  std::optional<PeerNumber> number_at(const base::Address& address) const;
  std::optional<xfrm::MaskedMark> lookup_mark_of(PeerNumber number) const;
  /// Of an outbound SA that is otherwise complete. The policy, whose reqid chooses it, has one in any case.
  std::optional<xfrm::MaskedMark> lookup_mark_of(PeerNumber number, const xfrm::Sa& outbound) const;
  /// Where a service sends to an alias from, by the time that a policy is looked for.
  base::Address our_end(const Service& service, const base::Address& alias,
                        const base::Address& dialled) const;
  /// Where what a peer sends to a service may go, once nft is done with it.
  base::Prefix our_ends(const Service& service, const base::Address& dialled) const;
};

enum class ChildState : std::uint8_t {
  answering,   ///< inbound installed or being installed, message 3 awaited
  confirming,  ///< ours: inbound installed, message 3 is out, nothing has come through it yet
  installing,  ///< message 3 is in, the outbound SA is being installed
  active,      ///< both directions
  standby,     ///< both directions, but it has a rival: both ends renewed at once
  superseded,  ///< inbound only: a newer one carries what we send
};

/// A pair of ESP SAs.
struct ChildSa {
  xfrm::Spi in, out;
  EspSuite suite;
  Service service;  ///< the one that it admits
  ChildState state = ChildState::answering;
  base::Time installed;
  base::Time began = {};  ///< its Quick Mode
  std::chrono::seconds lifetime{0};
  std::optional<std::uint64_t> kilobytes = {};
  bool ours = false;                       ///< we initiated its Quick Mode
  std::optional<xfrm::Spi> replaces = {};  ///< what was active when its Quick Mode began, by inbound SPI
  base::Bytes least_nonce = {};            ///< of its Quick Mode's two
  std::optional<xfrm::MaskedMark> lookup_mark = {};  ///< of its outbound SA
};

/// Of a peer's map elements, which come with its first SAs, and of its policies, each with the first of a
/// service.
enum class Presence : std::uint8_t { absent, installing, present };

/// Who this is, as far as IKE can tell: the same from another NAT address or port is somebody else, unless
/// the peer was seen to move there.
struct PeerKey {
  base::Address local;
  base::Endpoint remote;
  base::Bytes identity;  ///< v1::name_in() of the ID payload's body
  std::string psk;
  std::string certificate = {};  ///< its subject
  auto operator<=>(const PeerKey&) const = default;
};

struct Peer {
  PeerNumber number;
  PeerKey key;
  std::string identity;  ///< of the ID payload, for people
  Authentication authentication;
  Client client = Client::unknown;
  base::Mark mark;
  base::Address alias;
  std::optional<xfrm::MaskedMark> lookup_mark;  ///< of its policies
  base::Endpoint local, remote;                 ///< of IKE and of ESP in UDP
  bool nat = false;                             ///< ESP goes in UDP
  bool peer_behind_nat = false;
  bool we_behind_nat = false;
  base::Time authenticated;
  std::set<SaNumber> isakmp_sas;
  std::vector<ChildSa> children;
  Presence entry_presence = Presence::absent;
  std::map<Service, Presence> policies;  ///< one that is not in it is absent
  bool was_up = false;
  bool refused = false;  ///< something that it asked for, and why was reported
  // Its NAT gave it another place (RFC 3947 §7).
  std::optional<base::Endpoint> next_remote;  ///< where it will be believed to be next; see nat_life.cc
  base::Time moved;                           ///< the last time
  /// Where something of ours had gone that it answered, and did not only seem to send from.
  base::Endpoint answered_from = {};
  std::uint8_t place_asked = 0;    ///< how often it was asked whether it is where it seems to have moved
  std::uint8_t moves_refused = 0;  ///< how often in a row the kernel has refused to reach it there
  /// What our own rekeys offer: of its first ISAKMP SA and its first pair of each service.
  std::optional<IkeTerms> ike_terms;
  std::map<Service, EspTerms> esp_terms;
  SaNumber reaching;  ///< a Main Mode of ours that is under way to it
  // Dead peer detection (RFC 3706).
  base::Time last_heard;
  std::uint64_t packets_seen = 0;  ///< of the inbound SAs, at the last count
  // As Peers keeps it.
  base::Address admitted_at;  ///< where it had proved to be when it was new
  bool number_used = false;   ///< the kernel has heard of it

  ChildSa* child_by_in(xfrm::Spi spi);
  ChildSa* child_by_out(xfrm::Spi spi);
  /// The pair that carries what we send of a service.
  const ChildSa* active(const Service& service = l2tp_service) const;
  bool has_policy() const;
  bool known_to_be_there() const { return answered_from == remote; }
  bool has_answered() const { return answered_from != base::Endpoint{}; }
  xfrm::Reqid reqid() const { return xfrm::Reqid(mark.value); }
  PeerEntry entry() const {
    return {.mark = mark, .alias = alias, .home = remote.address, .dialled = local.address};
  }
  xfrm::SaId inbound_id(xfrm::Spi spi) const;
  xfrm::SaId outbound_id(const ChildSa& child) const;
};

/// The owner of all peers.
class Peers {
 public:
  /// The first number is one more than what is left of `offset` by the range.
  explicit Peers(const Numbering& numbering, std::uint32_t offset = 0)
      : numbering_(numbering), offset_(offset % numbering.capacity) {}
  Peers(Peers&&) = default;  // by_key_ points to what moves along
  Peers& operator=(Peers&&) = default;

  /// The living peer of this key, or a new one, unless no number is free or its place has too many: whoever
  /// holds a pre-shared key can invent identities. With one that many hold he could also forge addresses. So
  /// who has not answered from its place is not who comes from there, and who comes is nobody known unless
  /// it has answered from that address, `proven`; `device`: unless nobody else holds what it came with.
  base::Result<Peer*> adopt_or_add(const PeerKey& key, const base::Address& proven, bool device,
                                   base::Time now);
  /// Of the many that say they are where a new peer of this key would be, the oldest that has never answered:
  /// it makes room, and without one adopt_or_add() fails. None where there is room.
  std::optional<PeerNumber> in_the_way(const PeerKey& key, const base::Address& proven, bool device) const;
  Peer* find(PeerNumber number);
  /// It is found there from now on, and no longer at its old place, which may be another's soon. Somebody
  /// else of the same name who is believed there stays the one who is found.
  void move(PeerNumber number, const base::Endpoint& remote);
  /// What the peer has proved to be, now or anew.
  void prove(Peer& peer, Authentication authentication);
  /// Other peers that are the same device; none where the authentication does not mean one.
  std::vector<PeerNumber> others_of_device(PeerNumber number) const;
  /// The peer has, or no longer has, an inbound SA of this SPI.
  void claim(Peer& peer, xfrm::Spi in);
  void disclaim(const Peer& peer, xfrm::Spi in);
  Peer* by_inbound(const xfrm::SaId& sa);
  /// Over IPv6, of an SA that has no mark: looks at all.
  Peer* by_outbound(const xfrm::SaId& sa);
  const std::map<PeerNumber, Peer>& all() const { return peers_; }
  const Numbering& numbering() const { return numbering_; }
  /// The number goes into quarantine, if it was used.
  void remove(PeerNumber number, base::Time now);

 private:
  /// The living peer of this key; see adopt_or_add().
  std::optional<PeerNumber> known(const PeerKey& key, const base::Address& proven, bool device) const;
  /// Who counts as one that is at the key's address and port.
  std::vector<const Peer*> at_endpoint(const PeerKey& key, const base::Address& proven) const;
  std::optional<PeerNumber> take_number(base::Time now);
  void forget_key(const Peer& peer);
  void forget_device(const Peer& peer);

  Numbering numbering_;
  std::map<PeerNumber, Peer> peers_;
  struct ByKey {
    using is_transparent = void;
    static const PeerKey& key(const PeerKey& key) { return key; }
    static const PeerKey& key(const Peer* peer) { return peer->key; }
    bool operator()(const auto& a, const auto& b) const { return key(a) < key(b); }
  };
  /// Of one key whoever came there first first.
  std::multiset<const Peer*, ByKey> by_key_;
  std::map<std::pair<base::Address, xfrm::Spi>, PeerNumber> by_inbound_;
  std::map<std::string, std::set<PeerNumber>> by_device_;
  std::map<base::Address, std::size_t> at_address_;
  std::uint32_t offset_, given_out_ = 0;
  struct Resting {
    PeerNumber number;
    base::Time until;
  };
  std::deque<Resting> quarantine_;
  std::deque<PeerNumber> unused_;  ///< given back as they were
};

}  // namespace ike
