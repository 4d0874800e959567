#pragma once
// What the core asks of its shell, and what the shell reports back.

#include <deque>
#include <optional>
#include <string>
#include <variant>

#include "base/time.h"
#include "l2tp/secrecy.h"
#include "l2tp/types.h"

namespace l2tp {

/// Which tunnel an effect is about, in the words of a log.
struct TunnelName {
  TunnelId id;    ///< ours
  TunnelId peer;  ///< the peer's
  Mark mark;
  Endpoint local;
  Endpoint remote;

  bool operator==(const TunnelName&) const = default;
};
struct SessionName {
  SessionId id;
  SessionId peer;

  bool operator==(const SessionName&) const = default;
};

enum class Via : std::uint8_t {
  tunnel_socket,
  main_socket  ///< the tunnel has no socket yet, or no more: late acknowledgements
};
struct Send {
  TunnelName tunnel;
  Via via = Via::main_socket;
  Bytes bytes;
};
/// SCCCN has come: a socket for what is between `tunnel.local` and `tunnel.remote`, with the mark (kernel.md
/// §3); where it is bound is the shell's affair. Answered by TunnelFailed when it cannot be had, as are the
/// next two.
struct OpenTunnelSocket {
  TunnelName tunnel;
};
/// Also takes the kernel's tunnel and every session of it down.
struct CloseTunnelSocket {
  TunnelName tunnel;
};
/// The mark and the local tunnel id may, or may no longer, occur together in a received data message.
struct AddLatch {
  TunnelName tunnel;
};
struct RemoveLatch {
  TunnelName tunnel;
};
/// The socket is handed to the kernel. Comes after the two above.
struct KernelTunnelUp {
  TunnelName tunnel;
  std::string host_name;
};
/// ICCN has come: the session is made in the kernel and PPP starts on it. Ends with SessionEnded.
struct StartSession {
  TunnelName tunnel;
  SessionName session;
  bool sequencing = false;  ///< the peer wants sequence numbers in data (§4.4.6, Sequencing Required)
};
/// PPP is ended; no SessionEnded is expected any more.
struct StopSession {
  TunnelName tunnel;
  SessionName session;
  std::string why;
};
/// For the log: a tunnel is gone, or was not admitted.
struct TunnelDown {
  TunnelName tunnel;
  std::string why;
  std::optional<Ending> stop = {};  ///< what our StopCCN said
  bool stood = false;               ///< SCCCN had come
};
/// For the log: a call was refused before a session existed.
struct CallRefused {
  TunnelName tunnel;
  std::string why;
};
using Effect = std::variant<Send, OpenTunnelSocket, CloseTunnelSocket, AddLatch, RemoveLatch, KernelTunnelUp,
                            StartSession, StopSession, TunnelDown, CallRefused>;

/// The tunnel's socket, latch or kernel tunnel could not be had.
struct TunnelFailed {
  TunnelId tunnel;
  std::string why;
};
/// PPP has ended, or could not be started; `ending` is what the CDN says.
struct SessionEnded {
  TunnelId tunnel;
  SessionId session;
  Ending ending;
};
using Completion = std::variant<TunnelFailed, SessionEnded>;

struct Limits {
  /// A client has one; a few more may still be closing.
  std::size_t tunnels_per_mark = 16;
  /// In clear text an address may be a NAT with an office behind it. Over IPv6 a /64 counts as one.
  std::size_t tunnels_per_address = 256;
  std::size_t clear_text_tunnels = 4000;
  /// Without SCCCN so far, of IPsec peers and again in clear text. The oldest give way to new ones.
  std::size_t half_open = 1000;
  /// Of one IPsec peer, or of one address and port. Few, for in clear text each is a tunnel id more that a
  /// forger's SCCCN may guess.
  std::size_t half_open_per_peer = 4;
  std::size_t sessions_per_tunnel = 4;
  /// A tunnel costs the kernel and us some milliseconds: a peer may open so many at once, then one a second.
  unsigned tunnels_at_once = 100;
};

struct Settings {
  std::string host_name = "sameroof";
  std::string vendor_name = "Sameroof";
  std::uint16_t receive_window = 8;
  /// Shared with every peer, who must then prove that it has it (RFC 2661 §5.1.1). None: no authentication.
  SharedSecret secret;
  /// Silence after which a HELLO asks whether the peer lives; zero: never.
  base::Duration hello_interval = std::chrono::seconds(60);
  /// How long an answer to it may take: phones in doze answer late.
  base::Duration hello_patience = std::chrono::seconds(300);
  /// How long a tunnel may take from SCCRQ to SCCCN, and a session from ICRQ to ICCN.
  base::Duration setup_time = std::chrono::seconds(60);
  /// How long a tunnel in clear text may stand without a call: nobody vouches for whoever has opened it.
  base::Duration clear_text_idle = std::chrono::seconds(60);
  /// §5.7: how long a closed tunnel goes on acknowledging, a full cycle of retransmissions.
  base::Duration linger = std::chrono::seconds(31);
  Limits limits;
};

/// What every part of the core works with; owned by Server.
struct Surroundings {
  const Settings settings;
  Random random;
  std::deque<Effect> effects;
  Counters counters;
};

}  // namespace l2tp
