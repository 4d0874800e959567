#pragma once
// Shared by encoder and decoder: the kernel's structures (linux/xfrm.h) against our values. Not for
// other folders.

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>

#include <arpa/inet.h>
#include <linux/xfrm.h>

#include "xfrm/types.h"

namespace xfrm {

inline xfrm_address_t address_to_kernel(const base::Address& address) {
  xfrm_address_t out{};
  const auto bytes = address.bytes();
  std::memcpy(&out, bytes.data(), bytes.size());
  return out;
}

/// None unless `family` is AF_INET or AF_INET6.
inline std::optional<base::Address> address_from_kernel(const xfrm_address_t& address, std::uint16_t family) {
  if (family != AF_INET && family != AF_INET6) return std::nullopt;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&address);
  return base::Address::from_bytes({bytes, family == AF_INET ? std::size_t{4} : std::size_t{16}});
}

template <class Kind>
struct Algorithm {
  Kind kind;
  std::string_view name;
  /// Bits of the check value that are sent.
  unsigned check_bits;
};

inline constexpr unsigned gcm_check_bits = 128;

inline constexpr Algorithm<Encryption> ciphers[] = {
    {Encryption::null, "ecb(cipher_null)", 0},
    {Encryption::des3_cbc, "cbc(des3_ede)", 0},
    {Encryption::aes_cbc, "cbc(aes)", 0},
    {Encryption::aes_gcm_16, "rfc4106(gcm(aes))", gcm_check_bits},
};

// Truncations: RFC 2403, RFC 2404, RFC 4868 §2.3. Unsaid, the kernel would cut SHA-256 to 96 bits, as a
// draft once did.
inline constexpr Algorithm<Integrity> digests[] = {
    {Integrity::hmac_md5_96, "hmac(md5)", 96},           {Integrity::hmac_sha1_96, "hmac(sha1)", 96},
    {Integrity::hmac_sha2_256_128, "hmac(sha256)", 128}, {Integrity::hmac_sha2_384_192, "hmac(sha384)", 192},
    {Integrity::hmac_sha2_512_256, "hmac(sha512)", 256},
};

}  // namespace xfrm
