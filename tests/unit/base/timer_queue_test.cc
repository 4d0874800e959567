#include "base/timer_queue.h"

#include <gtest/gtest.h>

namespace base {
namespace {

using namespace std::chrono_literals;

TEST(TimerQueue, ServesInOrderOfTime) {
  TimerQueue<int> queue;
  const Time start{};
  queue.set(1, start + 30ms);
  queue.set(2, start + 10ms);
  EXPECT_EQ(queue.earliest(), start + 10ms);
  EXPECT_EQ(queue.pop_due(start + 9ms), std::nullopt);
  EXPECT_EQ(queue.pop_due(start + 30ms), 2);
  EXPECT_EQ(queue.pop_due(start + 30ms), 1);
  EXPECT_EQ(queue.earliest(), std::nullopt);
}

TEST(TimerQueue, SettingAgainMovesTheDeadline) {
  TimerQueue<int> queue;
  const Time start{};
  queue.set(1, start + 10ms);
  queue.set(1, start + 50ms);
  EXPECT_EQ(queue.size(), 1u);
  EXPECT_EQ(queue.pop_due(start + 20ms), std::nullopt);
  queue.cancel(1);
  EXPECT_EQ(queue.pop_due(start + 60ms), std::nullopt);
}

}  // namespace
}  // namespace base
