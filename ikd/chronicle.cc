#include "ikd/chronicle.h"

#include <iterator>

#include "ikd/event_sentences.h"

namespace ikd {
namespace {

using ike::EventKind;
using Kept = control::History::Kept;

constexpr std::string_view names[] = {"setup_begun",
                                      "setup_proven",
                                      "setup_abandoned",
                                      "proposal_refused",
                                      "authentication_failed",
                                      "quick_mode_refused",
                                      "peer_authenticated",
                                      "peer_up",
                                      "rekeyed",
                                      "old_secret",
                                      "rekey_failed",
                                      "sa_deleted",
                                      "sa_expired",
                                      "peer_lost",
                                      "peer_gone",
                                      "peer_replaced",
                                      "peer_silent",
                                      "peer_moved",
                                      "no_number_left",
                                      "kernel_refused",
                                      "map_added",
                                      "map_moved",
                                      "map_removed",
                                      "map_failed",
                                      "kernel_failed"};
static_assert(std::size(names) == static_cast<std::size_t>(EventKind::count_));

/// A client whose offer was refused says message 1 again and again.
constexpr std::uint64_t again_within_ms = 30'000;

void judge(Kept& kept, const ike::Event& event) {
  auto& outcome = kept.attempt.outcome;
  const bool up = outcome == control::outcome::up;
  if (event.kind == EventKind::peer_up) {
    outcome = control::outcome::up;
  } else if (event.refusal == ike::Refusal::no_third_message) {
    outcome = control::outcome::begun;  // anybody can send a message 1 in anybody's name
  } else if (event.refusal != ike::Refusal::none && !up) {
    outcome = control::outcome::failed;
  } else if (event.kind == EventKind::setup_proven) {
    outcome = control::outcome::under_way;
  } else if (event.kind == EventKind::peer_gone && up) {
    outcome = control::outcome::over;
  }
  if (event.kind == EventKind::peer_gone) kept.closed = true;
}

}  // namespace

std::string_view name_of(EventKind kind) { return names[static_cast<std::size_t>(kind)]; }

Kept* Chronicle::attempt_of(const ike::Event& event, const control::Event& row) {
  if (event.setup != 0) {
    if (auto* kept = history_.find([&](const Kept& k) { return k.key == event.setup && !k.closed; }))
      return kept;
  }
  if (event.peer.value != 0)
    return history_.find([&](const Kept& k) { return k.attempt.peer == event.peer.value && !k.closed; });
  if (event.kind == EventKind::setup_begun) return &history_.begin(event.setup, row);
  if (event.setup != 0 || event.refusal == ike::Refusal::none) return nullptr;
  auto* kept = history_.find([&](const Kept& k) {
    return k.key == 0 && k.attempt.address == row.address && k.attempt.port == row.port &&
           !k.attempt.events.empty() && row.time_ms - k.attempt.events.back().time_ms < again_within_ms;
  });
  return kept != nullptr ? kept : &history_.begin(0, row);
}

void Chronicle::note(const ike::Event& event, std::uint64_t now_ms) {
  control::Event row{.time_ms = now_ms,
                     .part = "ike",
                     .event = std::string(name_of(event.kind)),
                     .refusal = {},
                     .peer = event.peer.value,
                     .mark = event.mark.value,
                     .address = event.remote.address.to_string(),
                     .port = event.remote.port,
                     .user = {},
                     .text = sentence_for(event)};
  if (event.refusal != ike::Refusal::none) row.refusal = std::string(ike::name_of(event.refusal));
  auto* kept = attempt_of(event, row);
  history_.note(kept, row);
  if (kept != nullptr) judge(*kept, event);
}

}  // namespace ikd
