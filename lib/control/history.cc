#include "control/history.h"

#include <algorithm>
#include <chrono>

#include <nlohmann/json.hpp>

#include "control/server.h"

namespace control {
namespace {

constexpr std::size_t first_events = History::most_events / 2;

/// What is to be forgotten first.
int worth(const Attempt& attempt) {
  if (attempt.outcome == outcome::begun) return 0;
  if (attempt.outcome == outcome::over) return 1;
  return attempt.outcome == outcome::failed ? 3 : 2;
}

}  // namespace

History::Kept* History::find(const std::function<bool(const Kept&)>& fits) {
  const auto found = std::find_if(kept_.rbegin(), kept_.rend(), fits);
  return found == kept_.rend() ? nullptr : &*found;
}

History::Kept& History::begin(Key key, const Event& first) {
  make_room(first.address);
  auto& kept = kept_.emplace_back();
  kept.key = key;
  kept.attempt.number = ++last_number_;
  kept.attempt.address = first.address;
  kept.attempt.port = first.port;
  kept.attempt.peer = first.peer;
  kept.attempt.mark = first.mark;
  kept.attempt.outcome = outcome::begun;
  return kept;
}

void History::make_room(const std::string& address) {
  const auto own = [&address](const Kept& kept) { return kept.attempt.address == address; };
  const bool crowded = static_cast<std::size_t>(std::ranges::count_if(kept_, own)) >= most_of_address_;
  if (!crowded && kept_.size() < most_) return;
  auto least = kept_.end();
  for (auto it = kept_.begin(); it != kept_.end(); ++it) {
    if (crowded && !own(*it)) continue;
    if (least == kept_.end() || worth(it->attempt) < worth(least->attempt)) least = it;
  }
  kept_.erase(least);
}

void History::note(Kept* kept, Event event) {
  // A name in it may be as long as a stranger likes.
  if (event.text.size() > longest_text) event.text.replace(longest_text, std::string::npos, "...");
  forget_gone_followers();
  if (!followers_.empty()) {
    const Json told = {{"event", to_json(event)}};
    for (auto& call : followers_) call.reply_and_continue(told);
  }
  if (kept == nullptr) return;
  auto& attempt = kept->attempt;
  if (event.peer != 0) attempt.peer = event.peer;
  if (event.mark != 0) attempt.mark = event.mark;
  if (event.user) attempt.user = event.user;
  if (attempt.events.size() == most_events) {
    attempt.events.erase(attempt.events.begin() + static_cast<std::ptrdiff_t>(first_events));
    ++attempt.left_out;
  }
  attempt.events.push_back(std::move(event));
}

void History::forget_gone_followers() {
  std::erase_if(followers_, [](const Call& call) { return !call.alive(); });
}

std::vector<Attempt> History::attempts() const {
  std::vector<Attempt> out;
  for (const auto& kept : kept_) out.push_back(kept.attempt);
  return out;
}

void History::serve(Server& server) {
  server.handle("Events", [this](const Json&, Call call) {
    forget_gone_followers();  // nothing may happen for days, while somebody comes and goes
    followers_.push_back(std::move(call));
  });
  server.handle("Attempts", [this](const Json&, Call call) {
    // By number: what is forgotten between two turns is not missed.
    const auto shared = std::make_shared<Call>(std::move(call));
    shared->in_turns([this, shared, after = std::uint64_t{0}]() mutable {
      const auto next =
          std::ranges::find_if(kept_, [after](const Kept& kept) { return kept.attempt.number > after; });
      if (next == kept_.end()) {
        shared->reply({{"attempts", Json::array()}});
        return false;
      }
      after = next->attempt.number;
      shared->reply_and_continue({{"attempts", Json::array({to_json(next->attempt)})}});
      return true;
    });
  });
}

std::uint64_t unix_milliseconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

}  // namespace control
