#pragma once
// What the daemons tell about themselves, as values: ikd and l2tpd fill them in, xfrmctl and l2tpd read
// them back. JSON has the members' names.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"

namespace control {

using Json = nlohmann::json;

struct Sa {
  std::string spi_in, spi_out;  ///< "0x" and eight hexadecimal digits
  std::string transform;        ///< "aes256-sha1"
  std::string service;          ///< what it admits at our end: "udp/1701", which is L2TP
  std::string state;            ///< "active", or "superseded" by a rekey
  std::uint64_t bytes_in = 0, bytes_out = 0, packets_in = 0, packets_out = 0;
  std::uint64_t packets_lost = 0;  ///< on their way to us: gaps in the sequence of what came in
  std::uint64_t age_seconds = 0;

  bool operator==(const Sa&) const = default;
};

struct IkeSa {
  std::string proposal;            ///< "aes256-sha256-modp2048"
  std::string cookie_i, cookie_r;  ///< 16 hexadecimal digits

  bool operator==(const IkeSa&) const = default;
};

struct Peer {
  std::uint32_t peer = 0;  ///< its number
  std::uint32_t mark = 0;  ///< as the kernel has it, within the mask
  std::string alias;       ///< where it appears on this host
  std::string identity;    ///< from IDii, with a PSK its own word only; the subject of a certificate
  std::string client;  ///< "windows", "apple", …: told from its first message, "unknown" if it cannot be
  std::string psk;     ///< by name; empty with a certificate
  std::string authentication = {};                        ///< "PSK family", "certificate O=Example, CN=bob"
  std::string certificate = {};                           ///< by subject; empty with a PSK
  std::string connection = {};                            ///< the [[ike.psk]] or [[ike.certificate]]
  std::optional<std::vector<std::string>> bound_to = {};  ///< with bind_user: the only PPP logins
  bool nat = false;
  std::string address;     ///< where its packets come from: its NAT's
  std::uint16_t port = 0;  ///< 0: no UDP encapsulation
  std::string local_address;
  std::uint64_t established_seconds = 0;  ///< ago
  std::optional<IkeSa> ike;
  std::vector<Sa> sas;  ///< the newest first

  bool operator==(const Peer&) const = default;
};

struct Tunnel {
  std::uint32_t mark = 0;  ///< 0: without IPsec
  std::uint16_t tunnel = 0, peer_tunnel = 0;
  std::string host_name;
  std::string address;  ///< as l2tpd sees the peer: its alias
  std::uint16_t port = 0;
  std::string local_address;
  std::uint32_t sessions = 0;
  std::uint64_t since_seconds = 0;

  bool operator==(const Tunnel&) const = default;
};

struct Session {
  std::uint32_t mark = 0;  ///< 0: without IPsec
  std::uint16_t tunnel = 0, peer_tunnel = 0, session = 0, peer_session = 0;
  std::optional<std::string> user, ppp_address, ipv6_prefix, ifname;  ///< once PPP is that far
  std::uint64_t since_seconds = 0;

  bool operator==(const Session&) const = default;
};

struct Status {
  std::string version;
  std::uint32_t pid = 0;
  std::uint64_t uptime_seconds = 0;
  std::map<std::string, std::uint64_t> gauges, counters;
  std::optional<std::string> lns;        ///< who serves L2TP, "l2tpd" or "external"; only ikd says
  std::optional<std::string> cleartext;  ///< L2TP without IPsec: "off", "beside", "only"; only l2tpd says

  bool operator==(const Status&) const = default;
};

/// Something that happened, for people and programs that follow.
struct Event {
  std::uint64_t time_ms = 0;           ///< Unix time
  std::string part;                    ///< "ike" or "l2tp"
  std::string event;                   ///< "peer_up"
  std::optional<std::string> refusal;  ///< its entry in the catalogue
  std::uint32_t peer = 0;              ///< 0: not known
  std::uint32_t mark = 0;              ///< 0: none
  std::string address;  ///< ikd: where it is seen; l2tpd: its alias, or where it is without IPsec
  std::uint16_t port = 0;
  std::optional<std::string> user;
  std::string text;  ///< one sentence

  bool operator==(const Event&) const = default;
};

/// What one client's attempt has come to.
namespace outcome {
inline constexpr std::string_view begun = "begun";  ///< by somebody who may have forged its address
inline constexpr std::string_view under_way = "under_way";
inline constexpr std::string_view up = "up";
inline constexpr std::string_view failed = "failed";
inline constexpr std::string_view over = "over";  ///< it was up
}  // namespace outcome

struct Attempt {
  std::uint64_t number = 0;  ///< of the daemon's; later ones are greater
  std::uint32_t peer = 0, mark = 0;
  std::string address;
  std::uint16_t port = 0;
  std::optional<std::string> user;
  std::string outcome;
  std::uint64_t left_out = 0;  ///< events, from the middle
  std::vector<Event> events;

  bool operator==(const Attempt&) const = default;
};

Json to_json(const Event& event);
Json to_json(const Attempt& attempt);
base::Result<Event> event_from(const Json& json);
base::Result<Attempt> attempt_from(const Json& json);

Json to_json(const Peer& peer);
Json to_json(const Tunnel& tunnel);
Json to_json(const Session& session);
Json to_json(const Status& status);

/// Members that are unknown are skipped, those that are missing or of another type are an error.
base::Result<Peer> peer_from(const Json& json);
base::Result<Tunnel> tunnel_from(const Json& json);
base::Result<Session> session_from(const Json& json);
base::Result<Status> status_from(const Json& json);

}  // namespace control
