#include "ike/lifetimes.h"

#include <gtest/gtest.h>

#include "ike/message_ids.h"

namespace {

using namespace std::chrono_literals;

TEST(SoftTime, LiesBetweenTheClientsHabitsAndTheEndWithTimeForRepetitions) {
  for (std::uint32_t random = 0; random < 5000; random += 7) {
    EXPECT_GE(ike::soft_time(3600s, random), 3480s);  // Apple 54 min, strongSwan's margin 9 min
    EXPECT_LE(ike::soft_time(3600s, random), 3570s);  // our repetitions take 30 s
    EXPECT_GE(ike::soft_time(28800s, random), 28680s);
    EXPECT_GE(ike::soft_time(40s, random), 32s);
    EXPECT_LE(ike::soft_time(40s, random), 36s);
  }
}

TEST(SoftTime, IsSpread) { EXPECT_GT(ike::soft_time(3600s, 0) - ike::soft_time(3600s, 1023), 40s); }

TEST(SoftTime, OfAVeryShortLifeIsNotBeforeItsMiddle) {
  EXPECT_GE(ike::soft_time(4s, 1023), 2s);
  EXPECT_GE(ike::soft_time(1s, 1023), 0s);
}

TEST(KernelLimits, BytesAreGenerouslyMoreThanTheClientsKilobytes) {
  const auto limits = ike::kernel_limits(3600s, 250000);
  EXPECT_GT(*limits.soft.bytes, 250000u * 1024u * 11 / 10);
  EXPECT_GT(*limits.hard.bytes, *limits.soft.bytes * 2);
  EXPECT_FALSE(ike::kernel_limits(3600s, std::nullopt).soft.bytes);
  EXPECT_FALSE(ike::kernel_limits(3600s, std::nullopt).hard.bytes);
}

TEST(KernelLimits, OurOwnAmountCountsWhereItIsLess) {
  EXPECT_EQ(ike::kernel_limits(3600s, std::nullopt, 1000).soft.bytes, 1024000u);
  EXPECT_EQ(ike::kernel_limits(3600s, 250000, 1000).soft.bytes, 1024000u);
  EXPECT_EQ(ike::kernel_limits(3600s, 250000, 1000000), ike::kernel_limits(3600s, 250000));
  EXPECT_GT(*ike::kernel_limits(3600s, std::nullopt, 1000).hard.bytes, 2 * 1024000u);
}

TEST(KernelLimits, AbsurdKilobytesAreNeitherNothingNorAnOverflow) {
  EXPECT_GE(*ike::kernel_limits(3600s, 1).soft.bytes, 1u << 20);
  const auto huge = ike::kernel_limits(3600s, ~std::uint64_t{0});
  EXPECT_GT(*huge.hard.bytes, *huge.soft.bytes);
  EXPECT_GT(*huge.soft.bytes, std::uint64_t{1} << 60);
}

TEST(KernelLimits, PacketsEndBeforeTheSequenceNumberRepeats) {
  const auto limits = ike::kernel_limits(3600s, std::nullopt);
  EXPECT_LT(*limits.hard.packets, std::uint64_t{1} << 32);
  EXPECT_LT(*limits.soft.packets, *limits.hard.packets - (1u << 29));
}

TEST(KernelLimits, TimeIsASafetyNetBehindOurOwnTimer) {
  EXPECT_GT(*ike::kernel_limits(3600s, 1).hard.time, 3600s + 60s);
  EXPECT_FALSE(ike::kernel_limits(3600s, 1).soft.time);
}

TEST(MessageIds, KnowTheNewestAndStayBounded) {
  ike::MessageIds ids;
  const std::uint32_t many = 10 * ike::MessageIds::kept;
  for (std::uint32_t i = 1; i <= many; ++i) {
    ids.insert(ike::v1::MessageId(i));
    ASSERT_LE(ids.size(), 2 * ike::MessageIds::kept);
  }
  for (std::uint32_t i = many - ike::MessageIds::kept + 1; i <= many; ++i)
    ASSERT_TRUE(ids.contains(ike::v1::MessageId(i)));
  EXPECT_FALSE(ids.contains(ike::v1::MessageId(1)));
  ids.erase(ike::v1::MessageId(many));
  EXPECT_FALSE(ids.contains(ike::v1::MessageId(many)));
}

}  // namespace
