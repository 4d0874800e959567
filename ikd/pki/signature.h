#pragma once
// Signatures of IKEv1 phase 1 over HASH_I and HASH_R: RSA without a DigestInfo (RFC 2409 §5.1), ECDSA as two
// numbers of fixed size (RFC 4754 §7).

#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"
#include "ike/authentication.h"
#include "pki/certificate.h"

namespace pki {

void free_pkey(evp_pkey_st* key);

/// The method that a certificate's key can sign for; none for other keys than RSA and the three NIST curves.
std::optional<ike::AuthMethod> method_of(const Certificate& certificate);

/// A signature of the key in `certificate` over `hash`. Wrong sizes and keys of another kind are no.
bool verify(const Certificate& certificate, ike::AuthMethod method, base::ByteView hash,
            base::ByteView signature);

class PrivateKey {
 public:
  /// A key that asks for a passphrase is an error: nobody is there to type one.
  static base::Result<PrivateKey> from_pem(base::ByteView text);
  bool belongs_to(const Certificate& certificate) const;
  base::Result<base::Bytes> sign(ike::AuthMethod method, base::ByteView hash) const;

 private:
  using Key = std::unique_ptr<evp_pkey_st, base::FreeWith<free_pkey>>;
  explicit PrivateKey(Key key) : key_(std::move(key)) {}
  Key key_;
};

}  // namespace pki
