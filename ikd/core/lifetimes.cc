#include "ike/lifetimes.h"

#include <algorithm>

namespace ike {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds least_margin = 6s, largest_margin = 90s;
constexpr auto kernel_slack = 120s;
/// A smaller limit would have us renew all the time; such a client renews by itself.
constexpr std::uint64_t least_bytes = 1 << 20;
constexpr std::uint64_t most_kilobytes = std::uint64_t{1} << 50, unlimited = ~std::uint64_t{0};
constexpr std::uint64_t soft_packets = 0xc0000000, hard_packets = 0xffff0000;

}  // namespace

base::Duration soft_time(std::chrono::seconds lifetime, std::uint32_t random) {
  const base::Duration margin = std::clamp(lifetime / 20, least_margin, largest_margin);
  // 3/4 to 5/4 of the margin.
  const auto spread = margin / 2 * (random % 1024) / 1024;
  const base::Duration all = lifetime;
  return std::max<base::Duration>(all - (margin * 3 / 4 + spread), all / 2);
}

xfrm::Lifetimes kernel_limits(std::chrono::seconds lifetime, std::optional<std::uint64_t> kilobytes,
                              std::uint64_t own_kilobytes) {
  xfrm::Lifetimes out;
  out.hard.time = lifetime + kernel_slack;
  out.soft.packets = soft_packets;
  out.hard.packets = hard_packets;
  if (own_kilobytes != 0) out.soft.bytes = std::min(own_kilobytes, most_kilobytes) * 1024;
  if (kilobytes) {
    const auto bytes = std::max(std::min(*kilobytes, most_kilobytes) * 1024, least_bytes);
    out.soft.bytes = std::min(out.soft.bytes.value_or(unlimited), bytes + bytes / 4);
  }
  if (out.soft.bytes) out.hard.bytes = *out.soft.bytes * 4;
  return out;
}

}  // namespace ike
