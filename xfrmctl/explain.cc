#include "xfrmctl/explain.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <iterator>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "control/history.h"
#include "xfrmctl/ask.h"
#include "xfrmctl/json_text.h"
#include "xfrmctl/table.h"

namespace xfrmctl {
namespace {

using control::Attempt;
using control::Event;
using control::Json;

/// Since IPsec is up, until L2TP is missed.
constexpr std::uint64_t l2tp_within_ms = 10'000;
/// Since its last word, until an attempt is taken for over.
constexpr std::uint64_t silence_ms = 30'000;

std::uint64_t began(const Attempt& attempt) {
  return attempt.events.empty() ? 0 : attempt.events.front().time_ms;
}

/// Of whom an event tells: by the layers that administrators know.
std::string_view layer(const Event& event) {
  if (event.refusal && event.refusal->starts_with("radius_")) return "RADIUS";
  if (event.event == "map_moved") return "SA";  // which lead to its place
  if (event.refusal == "nft_refused" || event.event.starts_with("map_")) return "nft";
  if (event.event.starts_with("kernel_")) return "kernel";
  if (event.part == "ike") {
    constexpr std::string_view of_sas[] = {"peer_up", "rekeyed", "sa_deleted", "sa_expired", "peer_lost"};
    return std::ranges::find(of_sas, event.event) == std::end(of_sas) ? "IKE" : "SA";
  }
  const bool of_tunnel = event.event.starts_with("tunnel_") ||
                         (event.refusal && event.refusal->starts_with("tunnel_")) ||
                         event.refusal == "call_refused";
  return of_tunnel ? "L2TP" : "PPP";
}

bool is_meant(const Attempt& attempt, std::string_view subject) {
  return subject == "last" || attempt.address == subject || attempt.user == subject ||
         (attempt.peer != 0 && fmt::to_string(attempt.peer) == subject);
}

/// The l2tpd's attempts of this one's mark, as long as the mark was its.
std::vector<const Attempt*> within(const Attempt& ike, const std::vector<Attempt>& all_ike,
                                   const std::vector<Attempt>& l2tp) {
  std::vector<const Attempt*> out;
  if (ike.mark == 0) return out;
  std::uint64_t end = UINT64_MAX;
  for (const auto& other : all_ike) {
    if (other.mark == ike.mark && began(other) > began(ike)) end = std::min(end, began(other));
  }
  for (const auto& attempt : l2tp) {
    if (attempt.mark == ike.mark && began(attempt) >= began(ike) && began(attempt) < end)
      out.push_back(&attempt);
  }
  return out;
}

void tell(Story& story, const Attempt& attempt) {
  story.events.insert(story.events.end(), attempt.events.begin(), attempt.events.end());
  story.left_out += attempt.left_out;
  if (attempt.user) story.user = attempt.user;
}

Story story_from(const Attempt& attempt, const std::vector<const Attempt*>& more) {
  Story story{.peer = attempt.peer,
              .mark = attempt.mark,
              .address = attempt.address,
              .port = attempt.port,
              .user = {},
              .outcome = attempt.outcome,
              .left_out = 0,
              .events = {},
              .refusal = nullptr,
              .conclusion = {}};
  tell(story, attempt);
  for (const auto* m : more) tell(story, *m);
  std::ranges::stable_sort(story.events, {}, &Event::time_ms);
  return story;
}

const Event* last_of(const Story& story, std::string_view name) {
  const auto found = std::find_if(story.events.rbegin(), story.events.rend(),
                                  [name](const Event& e) { return e.event == name; });
  return found == story.events.rend() ? nullptr : &*found;
}

const Event* last_refusal(const Story& story) {
  const auto found = std::find_if(story.events.rbegin(), story.events.rend(),
                                  [](const Event& e) { return e.refusal.has_value(); });
  return found == story.events.rend() ? nullptr : &*found;
}

void conclude_refused(Story& story, std::string_view id) {
  story.outcome = control::outcome::failed;
  story.refusal = control::catalogue_entry(id);
  story.conclusion = story.refusal != nullptr ? std::string(story.refusal->meaning)
                                              : fmt::format("It was refused ({}).", id);
}

void conclude(Story& story, std::uint64_t now_ms) {
  if (story.events.empty()) return;
  const auto silent = now_ms - std::min(now_ms, story.events.back().time_ms);
  const auto* user_up = last_of(story, "user_up");
  const auto* user_down = last_of(story, "user_down");
  const auto* refusal = last_refusal(story);
  const bool is_up = user_up != nullptr && (user_down == nullptr || user_down < user_up);
  // A link that was up has not failed by what came before it.
  if (refusal != nullptr && (user_up == nullptr || refusal > user_up))
    return conclude_refused(story, *refusal->refusal);
  if (is_up && story.outcome != control::outcome::over) {
    story.outcome = control::outcome::up;
    story.conclusion = "It is connected: " + user_up->text + ".";
  } else if (user_up != nullptr) {
    story.outcome = control::outcome::over;
    story.conclusion =
        "It was connected, and that has ended: " + (user_down ? user_down : &story.events.back())->text + ".";
  } else if (story.outcome == control::outcome::up && last_of(story, "tunnel_up") == nullptr &&
             silent > l2tp_within_ms) {
    conclude_refused(story, "no_l2tp");
  } else if (story.outcome == control::outcome::begun && silent > silence_ms) {
    conclude_refused(story, "no_third_message");
  } else if (story.outcome == control::outcome::over || silent > silence_ms) {
    story.outcome = control::outcome::over;
    story.conclusion = "It ended before a user was up: " + story.events.back().text + ".";
  } else {
    story.outcome = control::outcome::under_way;
    story.conclusion = "It is under way.";
  }
}

std::string who(const Story& story) {
  auto out = place(story.address, story.port);
  if (story.peer != 0) out = fmt::format("peer {} at {}", story.peer, out);
  if (story.user) out += fmt::format(", user '{}'", printable(*story.user));
  return out;
}

base::Result<std::vector<Attempt>> ask_attempts(const std::string& socket, std::string_view method) {
  return ask_rows(socket, method, "attempts", control::attempt_from);
}

}  // namespace

std::optional<Story> story_of(std::string_view subject, const std::vector<Attempt>& ike,
                              const std::vector<Attempt>& l2tp, std::uint64_t now_ms) {
  const Attempt* chosen = nullptr;
  std::vector<const Attempt*> inside;
  const auto newer = [&chosen](const Attempt& attempt) {
    return chosen == nullptr || began(attempt) >= began(*chosen);
  };
  for (const auto& attempt : ike) {
    auto own = within(attempt, ike, l2tp);
    const bool by_l2tp =
        std::ranges::any_of(own, [subject](const Attempt* a) { return is_meant(*a, subject); });
    if ((!is_meant(attempt, subject) && !by_l2tp) || !newer(attempt)) continue;
    chosen = &attempt;
    inside = std::move(own);
  }
  for (const auto& attempt : l2tp) {
    if (attempt.mark != 0 || !is_meant(attempt, subject) || !newer(attempt)) continue;
    chosen = &attempt;
    inside.clear();
  }
  if (chosen == nullptr) return std::nullopt;
  auto story = story_from(*chosen, inside);
  conclude(story, now_ms);
  return story;
}

std::string event_line(const Event& event) {
  const auto seconds = static_cast<std::time_t>(event.time_ms / 1000);
  return fmt::format("{:%H:%M:%S}.{:03}  {:<6}  {}\n", fmt::localtime(seconds), event.time_ms % 1000,
                     layer(event), printable(event.text));
}

std::string story_text(const Story& story) {
  auto out = who(story) + "\n\n";
  for (const auto& event : story.events) out += event_line(event);
  if (story.left_out > 0) out += fmt::format("({} events from the middle were forgotten)\n", story.left_out);
  out += "\n" + printable(story.conclusion) + "\n";
  if (story.refusal == nullptr) return out;
  out += fmt::format("{}\n", story.refusal->remedy);
  if (const auto shown = control::on_the_client(*story.refusal); !shown.empty())
    out += fmt::format("The client shows: {}.\n", shown);
  return out;
}

std::string story_json(const Story& story) {
  Json out{{"version", 1},
           {"peer", story.peer != 0 ? Json(story.peer) : Json(nullptr)},
           {"mark", story.mark != 0 ? Json(story.mark) : Json(nullptr)},
           {"address", story.address},
           {"port", story.port},
           {"user", story.user ? Json(*story.user) : Json(nullptr)},
           {"outcome", story.outcome},
           {"left_out", story.left_out},
           {"events", Json::array()},
           {"conclusion", story.conclusion},
           {"refusal", nullptr}};
  for (const auto& event : story.events) out["events"].push_back(control::to_json(event));
  if (const auto* r = story.refusal; r != nullptr)
    out["refusal"] = {{"id", r->id},           {"meaning", r->meaning}, {"remedy", r->remedy},
                      {"windows", r->windows}, {"apple", r->apple},     {"android", r->android}};
  return json_text(out);
}

int run_explain(const Options& options) {
  const auto ike = ask_attempts(options.run_dir + "/ikd", "sameroof.Ike.Attempts");
  const auto l2tp = ask_attempts(options.run_dir + "/l2tpd", "sameroof.L2tp.Attempts");
  if (!ike && !l2tp) return complain(ike.error().message, no_answer);
  if (!ike && !without_ikd(ask_l2tpd_status(options.run_dir)))
    complain("nothing is known of IPsec: " + ike.error().message, good);
  if (!l2tp && !without_l2tpd(ask_ikd_status(options.run_dir)))
    complain("nothing is known of L2TP and PPP: " + l2tp.error().message, good);
  const auto story = story_of(options.subject, ike.value_or(std::vector<Attempt>{}),
                              l2tp.value_or(std::vector<Attempt>{}), control::unix_milliseconds());
  if (!story)
    return complain(options.subject == "last"
                        ? "nobody has tried to connect"
                        : fmt::format("no attempt is remembered of '{}'", printable(options.subject)),
                    no_match);
  fmt::print("{}", options.json ? story_json(*story) : story_text(*story));
  return good;
}

}  // namespace xfrmctl
