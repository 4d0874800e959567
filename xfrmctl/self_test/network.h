#pragma once
// A small internet in the sandbox: the gateway, which is the sandbox's own network, a NAT, and two clients
// behind it.

#include <map>
#include <string>

#include "base/address.h"
#include "base/fd.h"
#include "base/result.h"

namespace self_test {

inline const auto gateway_address = base::Address::v4(0xc0000201);  ///< 192.0.2.1
inline const auto nat_address = base::Address::v4(0xc0000202);      ///< 192.0.2.2

/// One of the two clients, each a host of its own.
struct Place {
  const char* name;  ///< of its network namespace
  base::Address address;
};
inline const Place clients[] = {{"one", base::Address::v4(0xc0a80102)},
                                {"two", base::Address::v4(0xc0a80202)}};

base::Result<void> build_network();

/// The calling thread is in another network of the sandbox as long as this lives.
class Visit {
 public:
  static base::Result<Visit> to(const std::string& name);
  Visit(Visit&&) noexcept = default;
  Visit& operator=(Visit&&) = delete;
  ~Visit();

 private:
  explicit Visit(base::Fd home) : home_(std::move(home)) {}
  base::Fd home_;
};

/// What the ruleset has dropped so far, by reason; empty where it has no counters.
std::map<std::string, std::uint64_t> drops();

}  // namespace self_test
