#include "control/interfaces.h"

namespace control {
namespace {

constexpr Parameter mark_parameter[] = {{"mark", Kind::integer}};
constexpr Parameter peer_parameter[] = {{"peer", Kind::integer}};
constexpr Parameter user_parameter[] = {{"user", Kind::string}};

constexpr std::string_view status_out =
    "(version: string, pid: int, uptime_seconds: int, gauges: [string]int, counters: [string]int,\n"
    "  lns: ?string, cleartext: ?string)";
constexpr std::string_view events_out = "(event: Event)";
constexpr std::string_view attempts_out = "(attempts: []Attempt)";
constexpr std::string_view events_comment = "What happens from now on, one by one.";
constexpr std::string_view attempts_comment =
    "The last attempts to connect, one by one, the oldest first; failed ones are kept for longest.";
constexpr std::string_view metrics_out = "(families: []Family)";
constexpr std::string_view ended_out = "(tunnels: int, sessions: int, marks: []int)";

constexpr Method check_reload{.name = "CheckReload",
                              .comment =
                                  "What Reload would change, a line each: + what is new, - what is gone, ~ "
                                  "what is different; refused like Reload.",
                              .in = {},
                              .out = "(changes: []string)",
                              .access = Access::privileged};
constexpr Method reload{.name = "Reload",
                        .comment =
                            "Reads the files again, for peers and sessions to come; on any error all "
                            "stays as it was.",
                        .in = {},
                        .out = "(changes: string)",
                        .access = Access::privileged};

constexpr Method ike_methods[] = {
    {.name = "Status",
     .comment =
         "How many of what there are now (gauges) and have been since the start (counters). lns: l2tpd, "
         "or external where another daemon serves L2TP. cleartext: null.",
     .in = {},
     .out = status_out},
    {.name = "ListPeers",
     .comment = "Every peer that is up. More than a thousand come with \"more\" only, else TooManyPeers.",
     .in = {},
     .out = "(peers: []Peer)",
     .replies = Replies::pages},
    {.name = "PeerByMark",
     .comment = "The peer whose packets carry this mark.",
     .in = mark_parameter,
     .out = "(peer: Peer)"},
    {.name = "PeerByNumber",
     .comment = "The peer of this number.",
     .in = peer_parameter,
     .out = "(peer: Peer)"},
    {.name = "Monitor",
     .comment = "Peers as they come and go: first those present, then \"settled\", then news.",
     .in = {},
     .out = "(event: (present, settled, up, changed, down), peer: ?Peer)",
     .access = Access::reader,
     .replies = Replies::stream},
    {.name = "Events", .comment = events_comment, .in = {}, .out = events_out, .replies = Replies::stream},
    {.name = "Attempts",
     .comment = attempts_comment,
     .in = {},
     .out = attempts_out,
     .replies = Replies::parts},
    {.name = "Metrics", .comment = "All counters, for monitoring systems.", .in = {}, .out = metrics_out},
    {.name = "Terminate",
     .comment = "Ends a peer: its SAs are deleted, here and there.",
     .in = peer_parameter,
     .out = "()",
     .access = Access::privileged},
    check_reload,
    reload,
};

constexpr Method l2tp_methods[] = {
    {.name = "Status",
     .comment =
         "How many of what there are now (gauges) and have been since the start (counters). lns: null. "
         "cleartext: whether L2TP without IPsec is served, off, beside, or only that.",
     .in = {},
     .out = status_out},
    {.name = "ListTunnels",
     .comment =
         "Every tunnel that stands. More than a thousand come with \"more\" only, else TooManyTunnels.",
     .in = {},
     .out = "(tunnels: []Tunnel)",
     .replies = Replies::pages},
    {.name = "ListSessions",
     .comment =
         "Every session, with the user and address PPP agreed on once it did; in parts like ListTunnels.",
     .in = {},
     .out = "(sessions: []Session)",
     .replies = Replies::pages},
    {.name = "Events", .comment = events_comment, .in = {}, .out = events_out, .replies = Replies::stream},
    {.name = "Attempts",
     .comment = attempts_comment,
     .in = {},
     .out = attempts_out,
     .replies = Replies::parts},
    {.name = "Metrics", .comment = "All counters, for monitoring systems.", .in = {}, .out = metrics_out},
    {.name = "Terminate",
     .comment =
         "Ends the tunnels of the peer with this mark (StopCCN), and answers when the peer has heard, or has "
         "not within two seconds.",
     .in = mark_parameter,
     .out = ended_out,
     .access = Access::privileged},
    {.name = "TerminateUser",
     .comment = "Ends the sessions of this PPP user (CDN), and the tunnels that are empty then; answers like "
                "Terminate. "
                "marks: of the peers that have no session left.",
     .in = user_parameter,
     .out = ended_out,
     .access = Access::privileged},
    check_reload,
    reload,
};

constexpr std::string_view shared_types =
    R"(# part: ike or l2tp. refusal: an entry in the catalogue of refusals. peer, mark: 0 where there is none.
# address, port: l2tpd sees a peer at its alias.
type Event (
  time_ms: int, part: string, event: string, refusal: ?string, peer: int, mark: int, address: string,
  port: int, user: ?string, text: string
)
type Attempt (
  number: int, peer: int, mark: int, address: string, port: int, user: ?string,
  outcome: (begun, under_way, up, failed, over), left_out: int, events: []Event
)
# As OpenMetrics has them: a family has samples, whose names are its own and a suffix ("_total", "_bucket").
type Family (
  name: string, help: string, type: (counter, gauge, histogram), samples: []Sample
)
type Sample (suffix: string, labels: [string]string, value: float)
)";

}  // namespace

constinit const Interface ike_interface = {
    .name = "sameroof.Ike",
    .comment = "ikd: the peers that IKE authenticated, and their SAs.",
    .types = R"(# An ESP SA pair; SPIs as "0x" and eight digits, counters as the kernel has them.
# service: what it admits at our end, "udp/1701" (L2TP) or a [[service]] of the configuration.
# packets_lost: what the peer has numbered and has not arrived; what was sent to it may be lost unnoticed.
type Sa (
  spi_in: string, spi_out: string, transform: string, service: string, state: (active, superseded),
  bytes_in: int, bytes_out: int, packets_in: int, packets_out: int, packets_lost: int, age_seconds: int
)
# The IKE SA, absent when it ran out and the ESP SAs live on.
type IkeSa (proposal: string, cookie_i: string, cookie_r: string)
# mark: as the kernel has it, within the mask. alias: where the peer appears on this host.
# client: which implementation it seems to be, from its first message: windows, apple, android, chromeos,
# strongswan, libreswan, mikrotik, cisco, unknown.
# bound_to: the only PPP logins through a peer of a connection with bind_user.
# address, port: where its packets come from (its NAT); port 0 for a peer without UDP encapsulation.
type Peer (
  peer: int, mark: int, alias: string, identity: string, client: string, psk: string,
  authentication: string, certificate: string, connection: string, bound_to: ?[]string, nat: bool,
  address: string, port: int, local_address: string, established_seconds: int,
  ike: ?IkeSa, sas: []Sa
)
)",
    .shared_types = shared_types,
    .methods = ike_methods,
    .errors =
        "error Refused (why: string)\nerror NoSuchPeer ()\nerror TooManyPeers ()\nerror TooManyStreams ()\n"};

constinit const Interface l2tp_interface = {
    .name = "sameroof.L2tp",
    .comment = "l2tpd: L2TP tunnels and sessions, and the PPP links in them.",
    .types =
        R"(# mark: the peer's; 0 for a tunnel without IPsec. address, port: as l2tpd sees the peer, its alias.
# tunnel, session: our ids; peer_tunnel, peer_session: those of the other end.
type Tunnel (
  mark: int, tunnel: int, peer_tunnel: int, host_name: string, address: string, port: int,
  local_address: string, sessions: int, since_seconds: int
)
# ipv6_prefix: a /64 that is this session's, for its whole life, whether the peer speaks IPv6 or not.
type Session (
  mark: int, tunnel: int, peer_tunnel: int, session: int, peer_session: int,
  user: ?string, ppp_address: ?string, ipv6_prefix: ?string, ifname: ?string, since_seconds: int
)
)",
    .shared_types = shared_types,
    .methods = l2tp_methods,
    .errors =
        "error Refused (why: string)\nerror NoSuchUser ()\nerror TooManyTunnels ()\nerror TooManyStreams "
        "()\n"};

}  // namespace control
