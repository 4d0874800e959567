#include "control/history.h"

#include <gtest/gtest.h>

#include "served.h"

namespace control {
namespace {

Event event_at(std::uint64_t time_ms, const std::string& address = "192.0.2.1") {
  Event out;
  out.time_ms = time_ms;
  out.part = "ike";
  out.event = "peer_up";
  out.address = address;
  out.text = "it is up";
  return out;
}

std::vector<std::uint64_t> numbers(const History& history) {
  std::vector<std::uint64_t> out;
  for (const auto& attempt : history.attempts()) out.push_back(attempt.number);
  return out;
}

TEST(History, FailedAttemptsAreKeptForLongestAndForgeriesForShortest) {
  History history(3);
  history.begin(1, event_at(1, "192.0.2.1")).attempt.outcome = outcome::failed;
  history.begin(2, event_at(2, "192.0.2.2")).attempt.outcome = outcome::up;
  history.begin(3, event_at(3, "192.0.2.3"));  // begun
  history.begin(4, event_at(4, "192.0.2.4")).attempt.outcome = outcome::failed;
  EXPECT_EQ(numbers(history), (std::vector<std::uint64_t>{1, 2, 4}));
  history.begin(5, event_at(5, "192.0.2.5")).attempt.outcome = outcome::failed;
  EXPECT_EQ(numbers(history), (std::vector<std::uint64_t>{1, 4, 5}));
  history.begin(6, event_at(6, "192.0.2.6"));
  EXPECT_EQ(numbers(history), (std::vector<std::uint64_t>{4, 5, 6})) << "of equals the oldest goes";
}

TEST(History, NoAddressTakesTheRoomOfOthers) {
  History history(100, 2);
  history.begin(1, event_at(1, "192.0.2.1")).attempt.outcome = outcome::begun;
  for (History::Key key = 2; key <= 50; ++key)
    history.begin(key, event_at(key, "192.0.2.2")).attempt.outcome = outcome::failed;
  EXPECT_EQ(numbers(history), (std::vector<std::uint64_t>{1, 49, 50}));
}

TEST(History, OfALongAttemptTheBeginningAndTheEndAreKept) {
  History history;
  auto& kept = history.begin(1, event_at(0));
  for (std::uint64_t i = 0; i < 1000; ++i) history.note(&kept, event_at(i));
  EXPECT_EQ(kept.attempt.events.size(), History::most_events);
  EXPECT_EQ(kept.attempt.left_out, 1000 - History::most_events);
  EXPECT_EQ(kept.attempt.events[History::most_events / 2 - 1].time_ms, History::most_events / 2 - 1);
  EXPECT_EQ(kept.attempt.events.back().time_ms, 999U);
}

TEST(History, ALongNameTakesNoMoreThanItsShareOfMemory) {
  History history;
  auto& kept = history.begin(1, event_at(0));
  auto event = event_at(1);
  event.text = "its certificate (O=" + std::string(60'000, 'x') + ") is nobody's";
  history.note(&kept, event);
  EXPECT_EQ(kept.attempt.events[0].text.size(), History::longest_text + 3);
  EXPECT_TRUE(kept.attempt.events[0].text.ends_with("xxx..."));
}

class FollowedHistory : public Served {};

TEST_F(FollowedHistory, EventsGoToWhoFollowsAndAttemptsToWhoAsks) {
  History history;
  serve();
  history.serve(*server_);
  const auto follower = connect();
  say(follower, R"({"method":"sameroof.Ike.Events","more":true})");
  EXPECT_EQ(hear(follower), "");
  auto& kept = history.begin(1, event_at(5));
  history.note(&kept, event_at(5));
  history.note(nullptr, event_at(6));
  const auto told = hear(follower);
  EXPECT_EQ(std::ranges::count(told, '|'), 2);
  const auto first = Json::parse(told.substr(0, told.find('|')));
  EXPECT_EQ(event_from(first["parameters"]["event"]).value(), event_at(5));
  const auto answer = ask(R"({"method":"sameroof.Ike.Attempts","more":true})");
  const auto part = Json::parse(answer.substr(0, answer.find('|')));
  ASSERT_EQ(part["parameters"]["attempts"].size(), 1U) << answer;
  EXPECT_EQ(attempt_from(part["parameters"]["attempts"][0]).value(), kept.attempt);
  EXPECT_TRUE(answer.ends_with(R"({"parameters":{"attempts":[]}}|)")) << answer;
}

TEST_F(FollowedHistory, WhoFollowsAndGoesAgainAndAgainLeavesNothing) {
  History history;
  serve();
  history.serve(*server_);
  for (int i = 0; i < 50; ++i) ask(R"({"method":"sameroof.Ike.Events","more":true})");
  EXPECT_LE(history.followers(), 2U);
}

}  // namespace
}  // namespace control
