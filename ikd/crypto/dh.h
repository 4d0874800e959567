#pragma once
// Diffie-Hellman for IKE, thin over OpenSSL. Slow: runs in a worker thread.

#include <memory>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"
#include "base/secret.h"
#include "crypto/algorithms.h"

struct evp_pkey_st;

namespace crypto {

void free_key(evp_pkey_st* key);

/// Bytes of a KE payload's value: the group's full size, ECP as x|y (RFC 5903 §7), Curve25519 32.
std::size_t public_value_size(Group group);

/// One ephemeral key pair.
class DhKey {
 public:
  static base::Result<DhKey> generate(Group group);

  /// Big-endian, padded to the group's full size (Curve25519: as RFC 7748 has it).
  base::Result<base::Bytes> public_value() const;

  /// g^xy, padded to the group's full size; ECP the x coordinate only (RFC 5903 §9).
  /// MODP: the peer's value must lie strictly between 1 and p-1 (RFC 6989 §2.1); ECP: it must be a point of
  /// the curve (§2.3). Anything else is an error.
  base::Result<base::Secret> derive(base::ByteView peer_public_value) const;

 private:
  friend struct KnownDhKey;  // of the tests alone: a private value that a standard gives
  using Key = std::unique_ptr<evp_pkey_st, base::FreeWith<free_key>>;
  DhKey(Group group, Key key) : group_(group), key_(std::move(key)) {}
  Group group_;
  Key key_;
};

/// What an initiator sends and keeps until the peer's value comes.
struct KeyPair {
  DhKey key;
  base::Bytes public_value;
};
base::Result<KeyPair> make_key_pair(Group group);

/// What a responder computes at once from the initiator's KE.
struct DhResult {
  base::Bytes public_value;
  base::Secret shared;
};
base::Result<DhResult> respond(Group group, base::ByteView peer_public_value);

}  // namespace crypto
