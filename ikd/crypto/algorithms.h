#pragma once
// The algorithms IKE itself uses, by their IANA numbers ("Internet Key Exchange (IKE) Attributes").

#include <cstdint>

namespace crypto {

/// Hash Algorithm (attribute 2); HMAC with it is the prf.
enum class Hash : std::uint16_t { md5 = 1, sha1 = 2, sha2_256 = 4, sha2_384 = 5, sha2_512 = 6 };

/// Encryption Algorithm (attribute 1).
enum class Cipher : std::uint16_t { des3_cbc = 5, aes_cbc = 7 };

/// Group Description (attribute 4).
enum class Group : std::uint16_t {
  modp1024 = 2,
  modp1536 = 5,
  modp2048 = 14,
  modp3072 = 15,
  modp4096 = 16,
  ecp256 = 19,
  ecp384 = 20,
  ecp521 = 21,
  curve25519 = 31
};

}  // namespace crypto
