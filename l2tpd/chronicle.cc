#include "l2tpd/chronicle.h"

namespace l2tpd {
namespace {

using Kept = control::History::Kept;

constexpr std::string_view names[] = {"tunnel_up", "tunnel_down", "session_begun",
                                      "refused",   "user_up",     "user_down"};

void judge(Kept& kept, const Chronicle::Note& note) {
  auto& outcome = kept.attempt.outcome;
  const bool up = outcome == control::outcome::up;
  if (note.what == Happening::user_up) {
    outcome = control::outcome::up;
  } else if (note.refusal != Refusal::none && !up) {
    outcome = control::outcome::failed;
  } else if (up && (note.what == Happening::user_down || note.what == Happening::tunnel_down)) {
    outcome = control::outcome::over;
  } else if (outcome == control::outcome::begun) {
    outcome = control::outcome::under_way;  // its peer has read what we sent it
  }
  if (note.what == Happening::tunnel_down) kept.closed = true;
}

}  // namespace

void Chronicle::note(const l2tp::TunnelName& tunnel, Note note, std::uint64_t now_ms) {
  control::Event row{.time_ms = now_ms,
                     .part = "l2tp",
                     .event = std::string(names[static_cast<std::size_t>(note.what)]),
                     .refusal = {},
                     .peer = 0,
                     .mark = tunnel.mark.value,
                     .address = tunnel.remote.address.to_string(),
                     .port = tunnel.remote.port,
                     .user = note.user,
                     .text = note.text};
  if (note.refusal != Refusal::none) row.refusal = std::string(name_of(note.refusal));
  auto* kept = history_.find([&](const Kept& k) {
    return k.key == tunnel.id.value && !k.closed && k.attempt.mark == row.mark &&
           k.attempt.address == row.address;
  });
  const bool begins = note.what == Happening::tunnel_up || note.refusal != Refusal::none;
  if (kept == nullptr && begins) kept = &history_.begin(tunnel.id.value, row);
  history_.note(kept, row);
  if (kept != nullptr) judge(*kept, note);
}

}  // namespace l2tpd
