#pragma once
// Numbers that name things: two of different kinds cannot be swapped by mistake.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace base {

template <class Tag, class Rep>
struct Id {
  using rep = Rep;
  Rep value{};

  constexpr Id() = default;
  constexpr explicit Id(Rep v) : value(v) {}
  constexpr auto operator<=>(const Id&) const = default;
};

/// A peer's mark as the kernel carries it (skb->mark), host byte order, already within the mask.
using Mark = Id<struct MarkTag, std::uint32_t>;

}  // namespace base

template <class Tag, class Rep>
struct std::hash<base::Id<Tag, Rep>> {
  std::size_t operator()(base::Id<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value); }
};
