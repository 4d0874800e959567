#include "ikd/event_sentences.h"

#include <algorithm>
#include <array>
#include <chrono>

#include <fmt/format.h>

#include "base/event_log.h"

namespace ikd {
namespace {

using base::Severity;
using ike::EventKind;

struct Row {
  EventKind kind;
  Severity severity;
  /// {who} and {detail} are filled in.
  const char* sentence;
};

constexpr Row catalogue[] = {
    // It shares no phase 1 transform with us, or no ESP suite. Remedy: compare its offer with ike.proposals.
    {EventKind::proposal_refused, Severity::warning, "{who} is refused: {detail}"},
    // Remedy: the secret on the client, or the address range of the [[ike.psk]].
    {EventKind::authentication_failed, Severity::warning, "{who} is refused: {detail}"},
    {EventKind::quick_mode_refused, Severity::warning, "{who} gets no IPsec SA: {detail}"},
    {EventKind::setup_begun, Severity::debug, "{who} begins: {detail}"},
    {EventKind::setup_proven, Severity::debug, "{who} goes on: {detail}"},
    // It hears nothing of us, or we nothing of it. Remedy: its firewall and ours, UDP ports 500 and 4500.
    {EventKind::setup_abandoned, Severity::info, "{who} is given up: {detail}"},
    {EventKind::peer_authenticated, Severity::debug, "{who} is authenticated: {detail}"},
    {EventKind::peer_up, Severity::info, "{who} is up: {detail}"},
    {EventKind::rekeyed, Severity::debug, "{who} has new keys: {detail}"},
    // Remedy: give it the new one, before the old one is taken out.
    {EventKind::old_secret, Severity::info, "{who} still has an old secret: {detail}"},
    // A client that never renews its keys goes on until they end. Remedy: its own rekeying, or its firewall.
    {EventKind::rekey_failed, Severity::info, "{who} gets no new keys yet: {detail}"},
    {EventKind::sa_deleted, Severity::debug, "an IPsec SA of {who} is deleted: {detail}"},
    {EventKind::sa_expired, Severity::debug, "an IPsec SA of {who} is over: {detail}"},
    {EventKind::peer_lost, Severity::info, "{who} is lost: {detail}"},
    {EventKind::peer_silent, Severity::info, "{who} is given up: {detail}"},
    {EventKind::peer_moved, Severity::debug, "{who} has moved: {detail}"},
    {EventKind::peer_replaced, Severity::info, "{who} is given up: {detail}"},
    {EventKind::peer_gone, Severity::info, "{who} is gone"},
    // Remedy: widen marks.mask and marks.alias, or wait for the quarantine.
    {EventKind::no_number_left, Severity::error, "{who} is refused: {detail}"},
    {EventKind::kernel_refused, Severity::error, "{who} gets no IPsec SA: {detail}"},
    {EventKind::map_added, Severity::debug, "{detail}"},
    {EventKind::map_moved, Severity::debug, "{detail}"},
    {EventKind::map_removed, Severity::debug, "{detail}"},
    // Its packets go astray, or a mark means it that is another's later. Remedy: load the ruleset again.
    {EventKind::map_failed, Severity::error, "{detail}"},
    {EventKind::kernel_failed, Severity::error, "{detail}"},
};

bool from_a_stranger(const ike::Event& event) { return event.peer.value == 0; }

std::string who(const ike::Event& event) {
  if (from_a_stranger(event)) return event.remote.to_string();
  return fmt::format("peer {} ({} at {})", event.peer.value, event.identity, event.remote.to_string());
}

}  // namespace

std::string sentence_for(const ike::Event& event) {
  const auto* row = std::ranges::find(catalogue, event.kind, &Row::kind);
  if (row == std::end(catalogue)) return {};
  return fmt::format(fmt::runtime(row->sentence), fmt::arg("who", who(event)),
                     fmt::arg("detail", event.detail));
}

bool EventSentences::within_limit(const ike::Event& event, base::Time now) {
  constexpr double strangers_a_second = 0.2, peer_a_second = 0.05, at_once = 10;
  if (event.kind == EventKind::peer_up) peers_.try_emplace(event.peer);
  const auto peer = peers_.find(event.peer);
  if (peer == peers_.end()) return strangers_.take(strangers_a_second, at_once, now);
  if (event.kind != EventKind::peer_gone) return peer->second.take(peer_a_second, at_once, now);
  peers_.erase(peer);  // the last of it is always told
  return true;
}

void EventSentences::write(const ike::Event& event, base::Time now) {
  const auto* row = std::ranges::find(catalogue, event.kind, &Row::kind);
  if (row == std::end(catalogue)) return;
  // A message 1 may be forged, and is not worth a line.
  const auto severity = event.refusal == ike::Refusal::no_third_message ? Severity::debug : row->severity;
  if (!base::logs(severity)) return;
  // Only who asked for all of it gets what no limit holds back.
  const bool limited = severity != Severity::debug;
  if (limited && !within_limit(event, now)) return;
  base::log(severity, sentence_for(event),
            {{"PEER", fmt::to_string(event.peer.value)},
             {"MARK", fmt::format("{:#x}", event.mark.value)},
             {"REMOTE", event.remote.to_string()},
             {"IKE_SA", fmt::to_string(event.setup)},
             {"REFUSAL", std::string(name_of(event.refusal))}});
}

}  // namespace ikd
