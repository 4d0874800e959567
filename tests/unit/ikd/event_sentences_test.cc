// Who can make ikd write how much into the log.

#include "ikd/event_sentences.h"

#include <algorithm>

#include <gmock/gmock.h>

namespace {

using namespace std::chrono_literals;
using ike::EventKind;

constexpr base::Time start{1h};

ike::Event event(EventKind kind, std::uint32_t peer) {
  return {kind, ike::PeerNumber(peer), base::Mark(peer << 8), {}, "somebody", "for a test"};
}

/// How many lines come of this.
template <class Act>
auto lines_of(Act act) {
  ::testing::internal::CaptureStderr();
  act();
  const auto text = ::testing::internal::GetCapturedStderr();
  return std::ranges::count(text, '\n');
}

TEST(EventSentences, APeerIsToldOfAFewTimesAMinuteAndItsNeighboursJustAsOften) {
  ikd::EventSentences sentences;
  const auto refuse = [&](std::uint32_t peer, base::Time now) {
    for (int i = 0; i < 1000; ++i) sentences.write(event(EventKind::quick_mode_refused, peer), now);
  };
  EXPECT_EQ(lines_of([&] { sentences.write(event(EventKind::peer_up, 1), start); }), 1);
  EXPECT_EQ(lines_of([&] { sentences.write(event(EventKind::peer_up, 2), start); }), 1);
  EXPECT_EQ(lines_of([&] { refuse(1, start); }), 9);
  EXPECT_EQ(lines_of([&] { refuse(2, start); }), 9);
  EXPECT_EQ(lines_of([&] { refuse(1, start + 60s); }), 3);
  EXPECT_EQ(lines_of([&] { sentences.write(event(EventKind::peer_gone, 1), start + 60s); }), 1)
      << "its end is always told";
}

TEST(EventSentences, WhoeverUsesAnOldSecretIsNamedWithoutBeingAskedForDebugging) {
  for (const auto kind : {EventKind::peer_up, EventKind::old_secret}) {
    ikd::EventSentences sentences;
    auto told = event(kind, 1);
    told.detail = "PSK family (secret 2)";
    EXPECT_THAT(ikd::sentence_for(told), testing::HasSubstr("peer 1 (somebody"));
    EXPECT_THAT(ikd::sentence_for(told), testing::EndsWith(": PSK family (secret 2)"));
    EXPECT_EQ(lines_of([&] { sentences.write(told, start); }), 1);
  }
}

TEST(EventSentences, WhoNeverCameUpIsAStrangerWhateverItsNumber) {
  ikd::EventSentences sentences;
  EXPECT_EQ(lines_of([&] {
              for (std::uint32_t peer = 0; peer < 1000; ++peer) {
                sentences.write(event(EventKind::quick_mode_refused, peer), start);
                sentences.write(event(EventKind::peer_gone, peer), start);
              }
            }),
            10);
}

}  // namespace
