#pragma once
// Time is a parameter: cores never read a clock.

#include <chrono>

namespace base {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Duration = Clock::duration;

}  // namespace base
