#include "l2tpd/random.h"

#include <cstdlib>

#include <openssl/rand.h>

#include "base/event_log.h"

namespace l2tpd {

base::Secret random_secret(std::size_t octets) {
  auto out = base::Secret::of_size(octets);
  if (RAND_bytes(out.writable().data(), static_cast<int>(octets)) != 1) {
    base::log(base::Severity::error, "There is no randomness to be had.");
    std::abort();
  }
  return out;
}

std::uint16_t random_16() {
  const auto bytes = random_secret(2);
  return static_cast<std::uint16_t>(bytes.view()[0] << 8 | bytes.view()[1]);
}

}  // namespace l2tpd
