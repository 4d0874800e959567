#pragma once
// The transforms we accept, in our own order of preference, and their names in configuration and logs.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/algorithms.h"
#include "xfrm/types.h"

namespace ike {

/// A phase 1 transform (RFC 2409 Appendix A) with a pre-shared key.
struct IkeTransform {
  crypto::Cipher cipher = crypto::Cipher::aes_cbc;
  std::uint16_t key_bits = 0;
  crypto::Hash hash = crypto::Hash::sha1;
  crypto::Group group = crypto::Group::modp2048;

  auto operator<=>(const IkeTransform&) const = default;
};

/// An ESP transform (RFC 2407 §4.4.4, §4.5), without its keys.
struct EspSuite {
  xfrm::Encryption encryption = xfrm::Encryption::aes_cbc;
  std::uint16_t key_bits = 0;
  xfrm::Integrity integrity = xfrm::Integrity::hmac_sha1_96;

  auto operator<=>(const EspSuite&) const = default;
};

/// Bytes that KEYMAT must give for one direction: key, RFC 4106's salt, integrity key.
std::size_t encryption_key_size(const EspSuite& suite);
std::size_t integrity_key_size(const EspSuite& suite);

/// "aes256-sha256-modp2048", "3des-sha1-modp1024". None when a word is unknown.
std::optional<IkeTransform> parse_ike_transform(std::string_view text);
/// "aes256gcm16", "aes128-sha1". None when a word is unknown.
std::optional<EspSuite> parse_esp_suite(std::string_view text);
std::string to_string(const IkeTransform& transform);
std::string to_string(const EspSuite& suite);

/// The default lists: all of AES and SHA, no 3DES, MD5, MODP1024 or MODP1536 (clients.md §0). Elliptic
/// curves and MODP2048 first; ECP384 after them, since P-384 costs twenty times P-256 in OpenSSL 3.0.
std::vector<IkeTransform> default_ike_transforms();
std::vector<EspSuite> default_esp_suites();

}  // namespace ike
