#include "harness/pretend_dh.h"

#include <memory>

#include "crypto/prf.h"

namespace harness {

std::function<void(std::span<std::uint8_t>)> seeded_random(std::uint64_t seed) {
  return [engine = std::mt19937_64(seed)](std::span<std::uint8_t> out) mutable {
    for (auto& b : out) b = static_cast<std::uint8_t>(engine() >> 24);
  };
}

base::Secret pretend_shared(crypto::Group group, base::ByteView g_xi, base::ByteView g_xr) {
  const auto size = crypto::public_value_size(group);
  const bool is_ecp =
      group == crypto::Group::ecp256 || group == crypto::Group::ecp384 || group == crypto::Group::ecp521;
  auto out = base::Secret::of_size(is_ecp ? size / 2 : size);
  const auto seed = crypto::digest(crypto::Hash::sha2_256, {g_xi, g_xr});
  std::size_t at = 0;
  for (auto& b : out.writable()) b = seed[at++ % seed.size()];
  return out;
}

crypto::DhResult pretend_respond(crypto::Group group, base::ByteView peer_public_value,
                                 const std::function<void(std::span<std::uint8_t>)>& random) {
  base::Bytes mine(crypto::public_value_size(group));
  random(mine);
  auto shared = pretend_shared(group, peer_public_value, mine);
  return {.public_value = std::move(mine), .shared = std::move(shared)};
}

}  // namespace harness
