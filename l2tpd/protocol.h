#pragma once
// What passes between l2tpd and its process that reads packets: one message a request, one an answer. Neither
// side trusts the other's bytes.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/event_log.h"
#include "base/secret.h"
#include "base/time.h"
#include "config/config.h"
#include "l2tp/effect.h"

namespace l2tpd {

/// How the process begins, with these descriptors: the sockets in the order of `listeners`, and the channel
/// that says when there are orders.
struct Hello {
  std::vector<base::Endpoint> listeners;
  std::uint32_t mark_mask = 0;
  base::Prefix aliases;
  config::Cleartext cleartext = config::Cleartext::off;
  std::chrono::seconds hello_interval{}, hello_patience{};
  bool tunnel_secret = false;         ///< there is one: DigestWithSecret
  std::uint32_t user = 0, group = 0;  ///< whose this process is from then on
  std::uint64_t watchdog_us = 0;      ///< says Alive so often; zero: never
  base::Severity log_level = base::Severity::info;
};

struct SessionRow {
  l2tp::SessionName name;
  bool sequencing = false;
};
/// What is to be known of a tunnel.
struct TunnelRow {
  l2tp::TunnelName name;
  std::string host_name;
  bool established = false;  ///< SCCCN has come
  bool lingering = false;    ///< its peer has ended it, and is only acknowledged
  std::vector<SessionRow> sessions;
};

// Requests beside the core's effects, of which all but sending through a tunnel's own socket is asked for.

/// Tunnels that are not what they were.
struct Changed {
  std::vector<TunnelRow> rows;
  std::vector<l2tp::TunnelId> gone;
};
/// In all, since the beginning.
struct Counts {
  std::array<std::uint64_t, l2tp::drop_reason_names.size()> dropped{};
  std::uint64_t clear_text = 0, marked = 0, astray = 0;  ///< Entry
  std::uint64_t send_failures = 0;

  bool operator==(const Counts&) const = default;
};
/// Answered by Orders.
struct FetchOrders {};
/// Answered by Digests.
struct DigestWithSecret {
  std::vector<l2tp::AroundSecret> around;
};
/// To its Solicitation.
struct Solicited {
  std::uint32_t ifindex = 0;
  bool valid = false;
};
/// Datagrams are read from now on.
struct Ready {};
struct Alive {};

using Request = std::variant<l2tp::Send, l2tp::OpenTunnelSocket, l2tp::CloseTunnelSocket, l2tp::AddLatch,
                             l2tp::RemoveLatch, l2tp::KernelTunnelUp, l2tp::StartSession, l2tp::StopSession,
                             l2tp::TunnelDown, l2tp::CallRefused, Changed, Counts, FetchOrders,
                             DigestWithSecret, Solicited, Ready, Alive>;

// Orders: what a request could not have, and what happens elsewhere.

struct PeerGone {
  base::Mark mark;
};
/// All peers of tunnels that began before.
struct PeersGone {
  std::uint64_t before = 0;  ///< nanoseconds of base::Clock, which both processes have
};
inline std::uint64_t nanoseconds(base::Time time) {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(time.time_since_epoch()).count());
}
/// StopCCN with these words.
struct CloseTunnel {
  l2tp::TunnelId tunnel;
  l2tp::Ending ending;
};
/// The same, unless a call has begun in it that nobody here has heard of yet.
struct CloseIdleTunnel {
  l2tp::TunnelId tunnel;
  l2tp::Ending ending;
};
/// Came out of a PPP link, and may be a Router Solicitation (RFC 4861 §4.1): answered by Solicited.
struct Solicitation {
  std::uint32_t ifindex = 0;
  std::uint32_t hop_limit = 0;
  base::Bytes message;
};
/// StopCCN for all, and no new ones.
struct CloseAll {};
/// The last one: it ends once this is done.
struct AbandonAll {};
using Order = std::variant<l2tp::TunnelFailed, l2tp::SessionEnded, PeerGone, PeersGone, Solicitation,
                           CloseTunnel, CloseAll, AbandonAll, CloseIdleTunnel>;

/// Whatever it was; with the socket as descriptor where one was asked for and could be had.
struct Done {};
/// In this order; none: there are no more.
struct Orders {
  std::vector<Order> orders;
};
struct Digests {
  std::vector<l2tp::Digest> digests;
};
using Answer = std::variant<Done, Orders, Digests>;

base::Secret encode(const Hello& hello);
base::Secret encode(const TunnelRow& row);
base::Secret encode(const Request& request);
base::Secret encode(const Answer& answer);
/// None for what is no such message, to the last byte.
std::optional<Hello> decode_hello(base::ByteView bytes);
std::optional<Request> decode_request(base::ByteView bytes);
std::optional<Answer> decode_answer(base::ByteView bytes);

}  // namespace l2tpd
