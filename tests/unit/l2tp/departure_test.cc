// What l2tpd waits for when it ends, on virtual time.

#include "l2tpd/departure.h"

#include <gtest/gtest.h>

namespace l2tpd {
namespace {

using namespace std::chrono_literals;
using Step = Departure::Step;

constexpr base::Time begin = base::Time(1000s);

TEST(Departure, ThePeersAreToldThenTheOtherProcessEndsThenPppdsAndHooks) {
  Departure departure(begin);
  EXPECT_EQ(departure.next({}, begin), Step::wait);
  EXPECT_FALSE(departure.dismissed());
  EXPECT_EQ(departure.next({.heard = true}, begin + 100ms), Step::dismiss);
  EXPECT_TRUE(departure.dismissed());
  EXPECT_EQ(departure.next({.heard = true}, begin + 150ms), Step::wait) << "it is told once";
  EXPECT_EQ(departure.next({.heard = true, .idle = true}, begin + 200ms), Step::wait);
  EXPECT_EQ(departure.next({.heard = true, .alone = true}, begin + 250ms), Step::wait) << "a pppd runs";
  EXPECT_EQ(departure.next({.heard = true, .alone = true, .idle = true}, begin + 300ms), Step::leave);
}

TEST(Departure, PeersThatDoNotHearHaveTwoSeconds) {
  Departure departure(begin);
  EXPECT_EQ(departure.next({.idle = true}, begin + 1999ms), Step::wait);
  EXPECT_EQ(departure.next({.idle = true}, begin + 2s), Step::dismiss);
}

TEST(Departure, TheOtherProcessHasSixSecondsFromThenOn) {
  Departure departure(begin);
  ASSERT_EQ(departure.next({.heard = true}, begin + 1s), Step::dismiss);
  EXPECT_EQ(departure.next({.heard = true, .idle = true}, begin + 6999ms), Step::wait);
  EXPECT_EQ(departure.next({.heard = true, .idle = true}, begin + 7s), Step::lose);
  EXPECT_EQ(departure.next({.heard = true, .idle = true}, begin + 8s), Step::wait) << "it is said once";
  EXPECT_EQ(departure.next({.heard = true, .alone = true, .idle = true}, begin + 8s), Step::leave);
}

TEST(Departure, PppdsThatTellTheirRadiusHaveAMinute) {
  Departure departure(begin);
  ASSERT_EQ(departure.next({.heard = true}, begin), Step::dismiss);
  EXPECT_EQ(departure.next({.heard = true, .alone = true}, begin + 59999ms), Step::wait);
  EXPECT_EQ(departure.next({.heard = true, .alone = true}, begin + 60s), Step::leave);
}

TEST(Departure, WhoIsAloneFromTheBeginningWaitsForPppdsOnly) {
  Departure departure(begin);
  EXPECT_EQ(departure.next({.alone = true}, begin + 30s), Step::wait);
  EXPECT_EQ(departure.next({.alone = true, .idle = true}, begin + 31s), Step::leave);
}

}  // namespace
}  // namespace l2tpd
