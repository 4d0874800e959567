#pragma once
// What a datagram tells a process that has been taken over, for programs of the lab that no package holds:
//   SAMEROOF TAKEOVER <order> [<argument>]

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace takeover {

struct Order {
  std::string what, argument;

  /// Zero where it is none.
  std::uint32_t number() const;
};

/// None for an ordinary datagram.
std::optional<Order> order_in(base::ByteView datagram);

/// What such a process tries by itself. None where it is no such order.
std::optional<std::string> obey(const Order& order);

inline std::string outcome(long result) { return result < 0 ? std::strerror(errno) : "done"; }

template <class T, class E>
std::string outcome(const base::Result<T, E>& result) {
  return result ? "done" : result.error().message;
}

}  // namespace takeover
