#pragma once
// What passes between the process that parses packets and the broker: one message a request, one an answer.
// Neither side trusts the other's bytes.

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/event_log.h"
#include "base/result.h"
#include "ikd/metrics.h"
#include "ikd/provision.h"
#include "ike/effect.h"
#include "xfrm/types.h"

namespace ikd {

/// How the process begins, before it reads its provision, with these descriptors: the sockets in the order of
/// `listeners`, the kernel's events, the control socket, the broker's notices, and a channel to the keys for
/// each worker thread.
struct Hello {
  std::vector<base::Endpoint> listeners;
  std::uint32_t workers = 1;
  std::uint32_t user = 0, group = 0;  ///< whose this process is from then on
  std::uint64_t watchdog_us = 0;      ///< says Alive so often; zero: never
  base::Severity log_level = base::Severity::info;
};

// Requests beside those that the core makes.

/// After the maps may have lost elements: these peers live.
struct FillMaps {
  std::vector<ike::PeerEntry> peers;
};
struct IsRulesetLoaded {};
struct Count {
  std::vector<xfrm::SaId> sas;
};
/// With what the kernel has; answered by Compared.
struct Compare {
  std::vector<xfrm::SaId> sas;
};
/// What the ruleset has counted.
struct ReadRules {};
/// Datagrams are read from now on.
struct Ready {};
struct Alive {};
/// What reading the files again would change; refused like Reload.
struct CheckReload {};
/// Everything goes by what the files say now, or nothing changes. The process reads its new provision next.
struct Reload {};
/// From this octet on.
struct ReadProvision {
  std::uint32_t from = 0;
};

using Request = std::variant<ike::InstallInbound, ike::InstallOutbound, ike::RemoveSa, ike::RemovePeer,
                             ike::MovePeer, FillMaps, IsRulesetLoaded, Count, Compare, ReadRules, Ready,
                             Alive, CheckReload, Reload, ReadProvision, ike::DeriveSkeyids, ike::Sign>;

struct Outcome {
  base::Result<void> result;
};
/// Of what the core asked for: whether XFRM or nftables refused it.
struct Done {
  ike::DoneOrRefused result;
};
/// Of RemoveSa.
struct Removed {
  base::Result<Traffic> carried;
};
struct RulesetLoaded {
  bool loaded = false;
};
/// In the order of the request; zero for an SA that is not there.
struct Counted {
  base::Result<std::vector<xfrm::SaStatistics>> statistics;
};
struct Comparison {
  std::vector<xfrm::SaId> absent;  ///< the kernel does not have them, or has them for somebody else
  std::vector<xfrm::SaId> worn;    ///< they have carried what their soft limits allow
};
struct Compared {
  base::Result<Comparison> found;
};
struct RulesRead {
  base::Result<std::vector<RuleCount>> counts;
};
/// A line each.
struct Changes {
  base::Result<std::vector<std::string>> lines;
};
/// Empty at the end.
struct Piece {
  base::Bytes octets;
};
using Answer = std::variant<Outcome, Removed, RulesetLoaded, Counted, Compared, RulesRead, Changes, Piece,
                            ike::SkeyidsDone, ike::Signed, Done>;

/// What the broker says by itself, a byte each.
enum class Notice : std::uint8_t {
  end = 1,              ///< tell the peers, and end
  ruleset_changed = 2,  ///< by somebody else
  reload = 3            ///< an administrator wants it
};

base::Secret encode(const Hello& hello);
base::Secret encode(const Provision& provision);
base::Secret encode(const Request& request);
base::Secret encode(const Answer& answer);
/// None for what is no such message, to the last byte.
std::optional<Hello> decode_hello(base::ByteView bytes);
std::optional<Provision> decode_provision(base::ByteView bytes);
std::optional<Request> decode_request(base::ByteView bytes);
std::optional<Answer> decode_answer(base::ByteView bytes);

}  // namespace ikd
