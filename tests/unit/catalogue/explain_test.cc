// Both daemons' events put together, and the sentence they end in.

#include "xfrmctl/explain.h"

#include <set>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "../xfrmctl/validate.h"
#include "ike/refusal.h"
#include "l2tpd/refusal.h"

namespace xfrmctl {
namespace {

using control::Attempt;
using control::Event;
using ::testing::HasSubstr;

constexpr std::uint64_t start = 1'764'072'000'000;

Event event(std::uint64_t after_ms, const char* part, const char* name, std::string text,
            std::optional<std::string> refusal = {}) {
  return {.time_ms = start + after_ms,
          .part = part,
          .event = name,
          .refusal = std::move(refusal),
          .peer = 0,
          .mark = 0,
          .address = {},
          .port = 0,
          .user = {},
          .text = std::move(text)};
}

Attempt ike(std::uint32_t peer, const char* address, std::uint64_t at = 0) {
  return {.number = peer,
          .peer = peer,
          .mark = peer << 8,
          .address = address,
          .port = 4500,
          .user = {},
          .outcome = std::string(control::outcome::up),
          .left_out = 0,
          .events = {event(at, "ike", "setup_begun", "it begins"),
                     event(at + 300, "ike", "peer_up", "it is up")}};
}

Attempt l2tp(std::uint32_t mark, std::uint64_t at, std::vector<Event> events) {
  events.insert(events.begin(), event(at, "l2tp", "tunnel_up", "tunnel 7 of 'laptop' is up"));
  return {.number = 1,
          .peer = 0,
          .mark = mark,
          .address = "240.0.0.1",
          .port = 1701,
          .user = "alice",
          .outcome = std::string(control::outcome::under_way),
          .left_out = 0,
          .events = std::move(events)};
}

TEST(Explain, ARefusedLoginEndsInWhatToDoAndWhatTheClientShows) {
  const auto story = story_of(
      "last", {ike(7, "198.51.100.1")},
      {l2tp(0x700, 500,
            {event(900, "l2tp", "refused", "user 'alice' is refused: wrong password", "wrong_password"),
             event(950, "l2tp", "tunnel_down", "tunnel 7 is down: the peer closed it")})},
      start + 60'000);
  ASSERT_TRUE(story);
  const auto text = story_text(*story);
  EXPECT_THAT(text, HasSubstr("peer 7 at 198.51.100.1:4500, user 'alice'\n"));
  EXPECT_THAT(text, HasSubstr("  L2TP    tunnel 7 of 'laptop' is up\n"));
  EXPECT_THAT(text, HasSubstr("  PPP     user 'alice' is refused: wrong password\n"));
  EXPECT_THAT(text, HasSubstr("\nThe user's password is wrong.\n"));
  EXPECT_THAT(text, HasSubstr("Windows error 691"));
  EXPECT_LT(text.find("it is up"), text.find("tunnel 7 of"));
}

TEST(Explain, EachEventSaysWhichLayerItIsOf) {
  const auto layer_of = [](const char* part, const char* name, std::optional<std::string> refusal = {}) {
    const auto line = event_line(event(0, part, name, "it happens", std::move(refusal)));
    return line.substr(14, line.find(' ', 14) - 14);
  };
  EXPECT_EQ(layer_of("ike", "setup_begun"), "IKE");
  EXPECT_EQ(layer_of("ike", "peer_up"), "SA");
  for (const auto* of_maps : {"map_added", "map_removed", "map_failed"})
    EXPECT_EQ(layer_of("ike", of_maps), "nft");
  EXPECT_EQ(layer_of("ike", "map_moved"), "SA") << "the maps do not know where a peer is";
  EXPECT_EQ(layer_of("ike", "kernel_refused", "nft_refused"), "nft");
  EXPECT_EQ(layer_of("ike", "kernel_refused", "kernel_refused"), "kernel");
  EXPECT_EQ(layer_of("ike", "kernel_failed"), "kernel");
  EXPECT_EQ(layer_of("l2tp", "tunnel_up"), "L2TP");
  EXPECT_EQ(layer_of("l2tp", "refused", "call_refused"), "L2TP");
  EXPECT_EQ(layer_of("l2tp", "user_up"), "PPP");
  EXPECT_EQ(layer_of("l2tp", "refused", "radius_refused"), "RADIUS");
}

TEST(Explain, WhoIsMeant) {
  const std::vector all{ike(7, "198.51.100.1"), ike(8, "198.51.100.2", 1000)};
  const std::vector inside{l2tp(0x700, 500, {})};
  const auto peer_meant_by = [&](const char* subject) {
    const auto story = story_of(subject, all, inside, start + 2000);
    return story ? static_cast<int>(story->peer) : -1;
  };
  EXPECT_EQ(peer_meant_by("last"), 8);
  EXPECT_EQ(peer_meant_by("7"), 7);
  EXPECT_EQ(peer_meant_by("198.51.100.1"), 7);
  EXPECT_EQ(peer_meant_by("alice"), 7);
  EXPECT_EQ(peer_meant_by("240.0.0.1"), 7) << "by its alias";
  EXPECT_EQ(peer_meant_by("9"), -1);
  EXPECT_EQ(peer_meant_by("0"), -1);
  EXPECT_FALSE(story_of("last", {}, {}, start));
}

TEST(Explain, AMarkThatHasANewOwnerTellsNothingOfTheOldOne) {
  const auto story = story_of("198.51.100.1", {ike(7, "198.51.100.1"), ike(7, "198.51.100.2", 400'000)},
                              {l2tp(0x700, 400'500, {event(400'600, "l2tp", "user_up", "user 'bob' is up")})},
                              start + 500'000);
  ASSERT_TRUE(story);
  EXPECT_EQ(story->conclusion, "IPsec is up, and no L2TP came through it.");
}

TEST(Explain, WhatIsUpIsUpWhateverCameBefore) {
  const std::vector all{ike(7, "198.51.100.1")};
  auto inside =
      l2tp(0x700, 500,
           {event(900, "l2tp", "refused", "user 'alice' is refused: wrong password", "wrong_password"),
            event(950, "l2tp", "user_up", "user 'alice' is up: ppp0")});
  EXPECT_EQ(story_of("7", all, {inside}, start + 60'000)->conclusion,
            "It is connected: user 'alice' is up: ppp0.");
  inside.events.push_back(event(5000, "l2tp", "user_down", "user 'alice' is down: the link was idle"));
  const auto over = story_of("7", all, {inside}, start + 60'000);
  EXPECT_EQ(over->conclusion,
            "It was connected, and that has ended: user 'alice' is down: the link was idle.");
  EXPECT_EQ(over->outcome, control::outcome::over);
}

TEST(Explain, AClientWithoutIpsecIsKnownByItsAddress) {
  auto clear = l2tp(0, 0, {event(100, "l2tp", "user_up", "user 'alice' is up: ppp0")});
  clear.address = "192.0.2.7";
  EXPECT_EQ(story_of("192.0.2.7", {}, {clear}, start + 1000)->conclusion,
            "It is connected: user 'alice' is up: ppp0.");
}

TEST(Explain, TextOfClientsDoesNotCommandATerminal) {
  auto hostile = ike(7, "198.51.100.1");
  hostile.events[0].text = "\x1b[2J";
  EXPECT_EQ(story_text(*story_of("last", {hostile}, {}, start + 1000)).find('\x1b'), std::string::npos);
}

TEST(Explain, ItsJsonFitsTheSchema) {
  const auto refused =
      story_of("last", {ike(7, "198.51.100.1")},
               {l2tp(0x700, 500, {event(900, "l2tp", "refused", "no", "pool_exhausted")})}, start + 60'000);
  EXPECT_EQ(misfit("explain", story_json(*refused)), "");
  EXPECT_EQ(misfit("explain", story_json(*story_of("last", {ike(7, "198.51.100.1")}, {}, start + 1000))), "");
}

TEST(Catalogue, HasEveryRefusalOfBothDaemonsOnceAndNoOther) {
  std::set<std::string_view> wanted{"no_l2tp"};
  for (int i = 1; i < static_cast<int>(ike::Refusal::count_); ++i)
    wanted.insert(name_of(static_cast<ike::Refusal>(i)));
  for (int i = 1; i < static_cast<int>(l2tpd::Refusal::count_); ++i)
    wanted.insert(name_of(static_cast<l2tpd::Refusal>(i)));
  std::set<std::string_view> found;
  for (const auto& entry : control::catalogue()) {
    EXPECT_TRUE(found.insert(entry.id).second) << entry.id;
    EXPECT_TRUE(entry.meaning.ends_with('.') && entry.remedy.ends_with('.')) << entry.id;
  }
  EXPECT_EQ(found, wanted);
}

}  // namespace
}  // namespace xfrmctl
