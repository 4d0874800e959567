#pragma once
// Randomness from a seed, and a Diffie-Hellman that costs nothing: both sides hash the two public values.
// It keeps long runs fast and repeatable; it protects nothing.

#include <cstdint>
#include <functional>
#include <random>

#include "base/bytes.h"
#include "base/secret.h"
#include "crypto/dh.h"

namespace harness {

enum class Dh : std::uint8_t { real, pretended };

/// The same bytes for the same seed.
std::function<void(std::span<std::uint8_t>)> seeded_random(std::uint64_t seed);

/// The shared secret of a pretended exchange, of the size that the group's real one has.
base::Secret pretend_shared(crypto::Group group, base::ByteView g_xi, base::ByteView g_xr);

/// What crypto::respond() would give; `public_value` is what `random` draws.
crypto::DhResult pretend_respond(crypto::Group group, base::ByteView peer_public_value,
                                 const std::function<void(std::span<std::uint8_t>)>& random);

}  // namespace harness
