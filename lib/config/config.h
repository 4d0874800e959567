#pragma once
// The whole configuration as one immutable value: /etc/sameroof/sameroof.toml, read by both daemons,
// and the secrets beside it. Pure functions from TOML text; nothing reads configuration later.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/id.h"
#include "base/result.h"
#include "base/secret.h"

namespace config {

/// Counted from 1; 0 for a default. Where something stands in the file makes no difference to what it is.
struct Line {
  int number = 0;

  constexpr Line() = default;
  constexpr Line(int n) : number(n) {}               // NOLINT(google-explicit-constructor)
  constexpr operator int() const { return number; }  // NOLINT(google-explicit-constructor)
  constexpr bool operator==(const Line&) const { return true; }
};

/// A value and the line it came from, for complaints by those who understand it better than the parser.
template <class T>
struct Located {
  T value{};
  Line line = {};

  bool operator==(const Located&) const = default;
};

/// [marks]: which bits of a packet's mark are ours, and where peers appear on this host (kernel.md §1).
struct Marks {
  std::uint32_t mask = 0x0fffff00;                       ///< one run of bits
  base::Prefix alias{base::Address::v4(0xf0000000), 8};  ///< IPv4
  std::chrono::seconds quarantine{300};                  ///< before a number is given out again
  Line line = {};

  /// How many peers there can be: numbers 1 to capacity(). Number 0 would be "no mark", the last one a
  /// broadcast address.
  std::uint32_t capacity() const;
  /// `number` from 1 to capacity().
  base::Mark mark_of(std::uint32_t number) const;
  /// In the lower half of `alias`.
  base::Address alias_of(std::uint32_t number) const;
  /// What makes of an alias, host order, the peer's near end, the address of ours at which l2tpd's tunnel
  /// with it has its socket (sameroof.nft): the first bit that `alias` leaves free.
  std::uint32_t near_bit() const;
  /// The upper half of `alias`.
  base::Prefix near_ends() const;

  bool operator==(const Marks&) const = default;
};

enum class NatDetection {
  truthful,
  echo  ///< peers shall see no NAT before us, and use UDP encapsulation in any case
};

/// Which addresses a client may call its own inside the tunnel (IDci).
struct InnerIds {
  bool private_networks = true;  ///< RFC 1918, carriers' (RFC 6598), link-local
  bool outer = true;             ///< the address its packets come from
  std::vector<base::Prefix> networks;

  bool operator==(const InnerIds&) const = default;
};

enum class VendorIds {
  all,
  minimal  ///< nothing in message 2 that the client did not say first
};

/// [[ike.psk]]: a pre-shared key by name, of a person, a device or a group; Main Mode tries each whose `peer`
/// holds the peer's address.
struct Psk {
  std::string name;
  std::optional<base::Prefix> peer;  ///< any address where absent
  bool device = false;               ///< held by one device only
  bool bind_user = false;            ///< its name is the only PPP login through it
  bool aggressive = false;           ///< found by its identity in Aggressive Mode, too
  std::string identity = {};         ///< what such a client calls itself; the name where absent
  Line line = {};

  bool operator==(const Psk&) const = default;
};

/// [[ike.own_certificate]]: what the gateway proves itself with where certificates are used.
struct OwnCertificate {
  std::string file;      ///< path of a PEM file: the certificate, then those of its authorities
  std::string key;       ///< path of its private key in PEM
  std::string identity;  ///< an alternative name of the certificate; empty: its subject
  Line line = {};

  bool operator==(const OwnCertificate&) const = default;
};

/// [[ike.certificate]]: everybody whose certificate looks like this. ikd knows what the patterns mean.
struct CertificateClass {
  std::string name;
  std::string subject, issuer, san;  ///< patterns; empty: any
  bool bind_user = false;            ///< PPP logins are those that the certificate names
  Line line = {};

  bool operator==(const CertificateClass&) const = default;
};

/// [ike]
struct Ike {
  std::vector<base::Address> listen{base::Address{}};  ///< UDP 500 and 4500
  /// As written ("aes256-sha256-modp2048"); empty for "default". ikd knows what they mean.
  std::vector<Located<std::string>> proposals;
  std::vector<Located<std::string>> esp_proposals;  ///< "aes256gcm16", "aes128-sha1"; empty for "default"
  std::chrono::seconds lifetime{28800};             ///< the longest accepted
  std::chrono::seconds esp_lifetime{28800};         ///< the longest accepted
  std::uint64_t esp_kilobytes = 0;            ///< an ESP SA that carried so much is renewed; zero: never
  std::chrono::seconds dpd{60};               ///< silence before R-U-THERE; zero: never ask
  std::chrono::seconds dpd_timeout{300};      ///< silence before the peer is forgotten
  std::chrono::seconds silence_timeout{900};  ///< the same where it cannot be asked; zero: never
  std::uint32_t max_half_open = 4000;
  NatDetection nat_detection = NatDetection::truthful;
  std::string identity;  ///< an address or a name, with a pre-shared key; empty: the address that is asked
  InnerIds inner_ids;
  VendorIds vendor_ids = VendorIds::all;
  std::vector<Psk> psks;
  std::vector<Located<std::string>> trust;       ///< paths of PEM files with authorities
  std::vector<Located<std::string>> revocation;  ///< paths of revocation lists, PEM or DER
  bool revocation_required = false;
  std::vector<OwnCertificate> own_certificates;
  std::vector<CertificateClass> certificates;
  Line line = {};

  bool operator==(const Ike&) const = default;
};

enum class Cleartext : std::uint8_t {
  off,
  beside,  ///< L2TP without IPsec is served, too
  only     ///< nothing else is served: no IPsec, no ikd
};
enum class Lns {
  l2tpd,
  external  ///< an L2TP daemon that knows nothing of marks listens on 1701
};
/// How what an external daemon sends finds its peer's SA.
enum class ExternalLookup {
  alias,
  conntrack  ///< by the mark, too, which connection tracking keeps for the daemon
};

/// Of each `listen`: as many as ikd's two processes can hand over (os::Channel::most_descriptors).
constexpr std::size_t most_listen = 64;

/// [l2tp]
struct L2tp {
  std::vector<base::Address> listen{base::Address{}};  ///< UDP 1701
  Cleartext cleartext = Cleartext::off;
  Lns lns = Lns::l2tpd;
  ExternalLookup external_lookup = ExternalLookup::alias;
  std::chrono::seconds hello{60};           ///< silence before HELLO (RFC 2661 §5.5); zero: never
  std::chrono::seconds hello_timeout{300};  ///< how long a HELLO waits for its answer before the tunnel ends
  Line line = {};

  bool operator==(const L2tp&) const = default;
};

enum class PppAuth { mschap_v2, chap, pap };
enum class UserSource {
  secrets,  ///< [[user]] and the passwords in secrets.toml
  radius    ///< a server of [radius] says who may log in; [[user]] only adds to that
};
/// What becomes of a login beyond the number of sessions that a user may have.
enum class WhenFull {
  replace,  ///< the oldest session ends: a phone that comes back must not wait for its own ghost
  refuse
};

/// What holds for one user, or for each that says nothing else.
struct Limits {
  std::uint32_t sessions = 0;  ///< at once; zero: any number
  WhenFull when_full = WhenFull::replace;
  std::chrono::seconds session{0};  ///< a session ends after this; zero: never
  std::chrono::seconds idle{0};     ///< a session without traffic ends after this; zero: never

  bool operator==(const Limits&) const = default;
};

/// [ppp]
struct Ppp {
  base::Address local_address;      ///< our end of every PPP link
  base::Prefix pool;                ///< leases; never local_address nor an address that a [[user]] owns
  std::vector<base::Address> dns;   ///< at most two (RFC 1877)
  std::vector<base::Address> nbns;  ///< NetBIOS name servers ("WINS"), likewise
  UserSource users = UserSource::secrets;
  std::vector<PppAuth> auth{PppAuth::mschap_v2};  ///< never empty, no repeats
  std::optional<base::Prefix> ipv6_prefix;        ///< IPv6: each session gets a /64 of it; none: no IPv6
  std::vector<base::Address> ipv6_dns;            ///< IPv6, at most three
  std::optional<std::uint16_t> mtu;  ///< octets, at most; what fits into ESP on the way may be less
  std::uint16_t path_mtu = 1492;     ///< what any way to a client carries, as far as we know: that of DSL
  Limits limits;
  std::string plugin = "/usr/lib/sameroof/sameroof-pppd.so";
  Line line = {};

  bool operator==(const Ppp&) const = default;
};

/// [radius]: whom to ask when ppp.users is "radius".
struct Radius {
  std::vector<base::Endpoint>
      servers;  ///< asked one after the other until one answers; never empty where needed
  std::vector<base::Endpoint> accounting;  ///< the same hosts' port 1813 where the file says nothing
  std::string nas_identifier = "sameroof";
  std::chrono::seconds timeout{3};  ///< for an answer to one try
  std::uint32_t tries = 3;          ///< of each server
  Line line = {};

  bool operator==(const Radius&) const = default;
};

/// A set of nftables that an administrator made.
struct NftSet {
  std::string family, table, name;  ///< family: "inet", "ip" or "ip6"

  auto operator<=>(const NftSet&) const = default;
};

/// [hooks]: programs that are told of sessions.
struct Hooks {
  std::string session_up, session_down;  ///< absolute paths; empty: none
  std::chrono::seconds timeout{10};

  bool operator==(const Hooks&) const = default;
};

/// [[user]]
struct User {
  std::string name;
  std::optional<base::Address> address;  ///< of this user alone, inside the pool or not
  Limits limits{};  ///< those of [ppp] where the table says nothing; one session with an address
  std::vector<NftSet> nft_sets{};  ///< that hold the user's address, or IPv6 prefix, while a session is up
  Line line = {};

  bool operator==(const User&) const = default;
};

/// [[service]]: what peers may speak to this host inside their SAs, besides L2TP.
struct Service {
  enum class Protocol : std::uint8_t { tcp = 6, udp = 17 };  ///< as in the IP header
  Protocol protocol = Protocol::tcp;
  std::uint16_t port = 0;
  auto operator<=>(const Service&) const = default;
};

struct Config {
  std::string file_name;  ///< as complaints name it
  Marks marks;
  Ike ike;
  L2tp l2tp;
  Ppp ppp;  ///< meaningful where l2tpd serves L2TP
  Radius radius;
  Hooks hooks;
  std::vector<User> users;
  std::vector<Service> services;

  const User* user(std::string_view name) const;
};

/// secrets.toml: `[psk]`, `[user]` and `[radius]` tables of name = "secret"; a PSK may have several while
/// clients change over: name = ["new", "old"]. And `secret` in `[l2tp]`.
struct Secrets {
  std::map<std::string, std::vector<base::Secret>, std::less<>> psk;  ///< at least one each
  std::map<std::string, base::Secret, std::less<>> user;
  base::Secret l2tp;  ///< of every peer's tunnels (RFC 2661 §5.1.1); empty: tunnels need none
  std::map<std::string, base::Secret, std::less<>> radius;  ///< by the server's address
};

/// Refusals read "sameroof.toml: line 3: ike.max_halfopen: unknown key"; the first line at fault is named.
base::Result<Config> parse(std::string_view text, std::string_view file_name);
/// As parse(); the sentences never quote a value.
base::Result<Secrets> parse_secrets(std::string_view text, std::string_view file_name);
/// Every PSK and every user, or instead of these every RADIUS server, has a secret, and where there is IPsec
/// there is a PSK or a class of certificates at all.
base::Result<void> check(const Config& config, const Secrets& secrets);
/// The sentence for a value that the parser took and its user does not: "file: line 3: key: why".
base::Error complaint(const Config& config, int line, std::string_view key, std::string_view why);

base::Result<Config> load(const std::string& path);
/// Refuses a file that anybody but its owner may read or write.
base::Result<Secrets> load_secrets(const std::string& path);
/// A file that the configuration names, as it is; a secret one is refused as load_secrets() does.
base::Result<base::Secret> read_file(const std::string& path);
base::Result<base::Secret> read_secret_file(const std::string& path);

}  // namespace config
