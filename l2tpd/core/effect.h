#pragma once
// What the core asks of its shell, and what the shell reports back.

#include <deque>
#include <string>
#include <variant>

#include "base/time.h"
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

enum class Via {
  tunnel_socket,
  main_socket  ///< the tunnel's socket is closed already: a late acknowledgement
};
struct Send {
  TunnelName tunnel;
  Via via = Via::tunnel_socket;
  Bytes bytes;
};
/// A socket bound to `tunnel.local`, connected to `tunnel.remote`, with the mark (kernel.md §3). Comes before
/// the first Send of its tunnel; answered by TunnelFailed when it cannot be had.
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
/// SCCCN has come: the socket is handed to the kernel.
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
  /// Clear-text peers all have mark zero: they are limited together, and each address by tunnels_per_mark.
  std::size_t clear_text_tunnels = 1000;
  std::size_t half_open = 2000;
  std::size_t sessions_per_tunnel = 4;
};

struct Settings {
  std::string host_name = "sameroof";
  std::string vendor_name = "Sameroof";
  std::uint16_t receive_window = 8;
  /// Silence after which a HELLO asks whether the peer lives; zero: never. Phones in doze answer late
  /// (Patience::dozing).
  base::Duration hello_interval = std::chrono::seconds(60);
  /// How long a tunnel may take from SCCRQ to SCCCN, and a session from ICRQ to ICCN.
  base::Duration setup_time = std::chrono::seconds(60);
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
