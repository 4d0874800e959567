#include "l2tp/rate.h"

#include <gtest/gtest.h>

namespace l2tp {
namespace {

using namespace std::chrono_literals;

TEST(Rate, ABurstThenOnePerIntervalForEachKey) {
  Rate<int> rate(3, 10s);
  base::Time now{};
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(rate.allows(1, now)) << i;
    rate.count(1, now);
  }
  EXPECT_FALSE(rate.allows(1, now));
  EXPECT_TRUE(rate.allows(2, now));
  now += 9s;
  EXPECT_FALSE(rate.allows(1, now));
  now += 1s;
  EXPECT_TRUE(rate.allows(1, now));
  rate.count(1, now);
  EXPECT_FALSE(rate.allows(1, now));
  now += 31s;
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(rate.allows(1, now)) << i;
    rate.count(1, now);
  }
  EXPECT_FALSE(rate.allows(1, now));
}

TEST(Rate, AskingCostsNothing) {
  Rate<int> rate(1, 10s);
  for (int i = 0; i < 9; ++i) EXPECT_TRUE(rate.allows(1, {}));
}

}  // namespace
}  // namespace l2tp
