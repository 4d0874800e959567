#pragma once
// Randomness for the core, from OpenSSL's generator.

#include <cstdint>

#include "base/secret.h"

namespace l2tpd {

/// Aborts when there is none: ids that can be foreseen are no service.
std::uint16_t random_16();
base::Secret random_secret(std::size_t octets);

}  // namespace l2tpd
