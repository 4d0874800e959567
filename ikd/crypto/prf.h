#pragma once
// Hashes and the HMAC prf of IKEv1 (RFC 2409 §4).

#include <initializer_list>

#include "base/bytes.h"
#include "base/secret.h"
#include "crypto/algorithms.h"

namespace crypto {

std::size_t hash_size(Hash hash);

/// The hash of the concatenated parts.
base::Bytes digest(Hash hash, std::initializer_list<base::ByteView> parts);

/// HMAC-hash(key, concatenated parts). An empty key is allowed by HMAC.
base::Secret prf(Hash hash, base::ByteView key, std::initializer_list<base::ByteView> parts);

/// What OpenSSL does at its first use: its configuration, its algorithms.
void prepare();
/// Fills `out` with random bytes for keys, nonces and cookies; aborts when the system has none.
void random_bytes(std::span<std::uint8_t> out);

}  // namespace crypto
