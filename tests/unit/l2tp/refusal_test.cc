// What a refusal of l2tpd is called, and that who repeats one at will does not fill the log.

#include "l2tpd/refusal.h"

#include <gtest/gtest.h>

#include "l2tpd/chronicle.h"
#include "l2tpd/quiet.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;

l2tp::TunnelName tunnel(std::uint32_t mark, const char* address, std::uint16_t id = 7) {
  return {.id = l2tp::TunnelId(id),
          .peer = l2tp::TunnelId(1),
          .mark = base::Mark(mark),
          .local = {*base::Address::parse("203.0.113.1"), 1701},
          .remote = {*base::Address::parse(address), 1701}};
}

Refusal behind(l2tp::StopResult code, l2tp::GeneralError error, bool stood) {
  return refusal_behind(
      l2tp::TunnelDown{.tunnel = {}, .why = "", .stop = l2tp::stop(code, "", error), .stood = stood});
}

TEST(Refusal, ATunnelIsRefusedByWhatOurStopCcnSays) {
  using l2tp::GeneralError;
  using l2tp::StopResult;
  EXPECT_EQ(behind(StopResult::not_authorized, GeneralError::none, false), Refusal::tunnel_not_authorized);
  EXPECT_EQ(behind(StopResult::general_error, GeneralError::insufficient_resources, true),
            Refusal::tunnel_not_in_kernel);
  EXPECT_EQ(behind(StopResult::general_error, GeneralError::insufficient_resources, false),
            Refusal::tunnel_over_limit);
  EXPECT_EQ(behind(StopResult::general_error, GeneralError::unknown_mandatory_avp, false),
            Refusal::tunnel_malformed);
  EXPECT_EQ(behind(StopResult::fsm_error, GeneralError::none, true), Refusal::tunnel_malformed);
  EXPECT_EQ(behind(StopResult::general, GeneralError::none, false), Refusal::tunnel_unanswered);
  EXPECT_EQ(behind(StopResult::general, GeneralError::none, true), Refusal::none) << "an operator ended it";
  EXPECT_EQ(behind(StopResult::shutting_down, GeneralError::none, false), Refusal::none);
  EXPECT_EQ(refusal_behind(l2tp::TunnelDown{.tunnel = {}, .why = "", .stop = {}, .stood = true}),
            Refusal::none);
  EXPECT_EQ(refusal_behind(l2tp::TunnelDown{.tunnel = {}, .why = "", .stop = {}, .stood = false}),
            Refusal::tunnel_unanswered);
}

TEST(Refusal, APppdThatEndsSaysWhy) {
  EXPECT_EQ(refusal_behind("negotiation"), Refusal::ppp_not_negotiated);
  EXPECT_EQ(refusal_behind("authentication"), Refusal::ppp_not_authenticated);
  EXPECT_EQ(refusal_behind("hung_up"), Refusal::ppp_peer_silent);
  EXPECT_EQ(refusal_behind("killed"), Refusal::ppp_failed);
}

TEST(Quiet, APeerHasItsLinesAndStrangersShareTheirs) {
  Quiet quiet;
  const auto lines = [&quiet](std::uint32_t mark, const char* address, base::Time now) {
    int out = 0;
    for (int i = 0; i < 1000; ++i) out += quiet.may_write(tunnel(mark, address), now);
    return out;
  };
  const base::Time now{1h};
  EXPECT_EQ(lines(0x100, "240.0.0.1", now), 20);
  EXPECT_EQ(lines(0x200, "240.0.0.2", now), 20);
  EXPECT_EQ(lines(0, "192.0.2.1", now), 20);
  EXPECT_EQ(lines(0, "192.0.2.2", now), 0) << "addresses can be invented";
  EXPECT_EQ(lines(0x100, "240.0.0.1", now + 60s), 6);
}

TEST(Chronicle, AnAttemptIsATunnelWithAllThatHappensInIt) {
  Chronicle chronicle;
  const auto a = tunnel(0x100, "240.0.0.1"), b = tunnel(0x200, "240.0.0.2");
  chronicle.note(a, {.what = Happening::tunnel_up, .text = "up"}, 1);
  chronicle.note(
      b, {.what = Happening::refused, .text = "no", .user = "bob", .refusal = Refusal::wrong_password}, 2);
  chronicle.note(a, {.what = Happening::user_up, .text = "alice", .user = "alice"}, 3);
  chronicle.note(a, {.what = Happening::tunnel_down, .text = "down"}, 4);
  chronicle.note(a, {.what = Happening::tunnel_up, .text = "the same id again"}, 5);
  const auto attempts = chronicle.history().attempts();
  ASSERT_EQ(attempts.size(), 3u);
  EXPECT_EQ(attempts[0].outcome, control::outcome::over);
  EXPECT_EQ(attempts[0].user, "alice");
  EXPECT_EQ(attempts[0].events.size(), 3u);
  EXPECT_EQ(attempts[1].outcome, control::outcome::failed);
  EXPECT_EQ(attempts[1].events[0].refusal, "wrong_password");
  EXPECT_EQ(attempts[2].outcome, control::outcome::under_way);
}

TEST(Chronicle, WhatEndsWithoutHavingBegunIsNoAttempt) {
  Chronicle chronicle;
  chronicle.note(tunnel(0x100, "240.0.0.1"), {.what = Happening::tunnel_down, .text = "down"}, 1);
  EXPECT_TRUE(chronicle.history().attempts().empty());
}

}  // namespace
}  // namespace l2tpd
