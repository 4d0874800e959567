#pragma once
// A certificate of the gateway's own with its key.

#include "ike/authentication.h"
#include "pki/signature.h"

namespace pki {

struct OwnIdentity {
  ike::OwnCertificate certificate;
  PrivateKey key;
};

/// `chain` and `key` as PEM text. `identity`: an address or a name that the certificate bears; empty: its
/// subject. Errors say what is wrong with which of the two.
base::Result<OwnIdentity> own_identity(base::ByteView chain, base::ByteView key, std::string_view identity);

/// What a client that is particular about it will dislike: Windows wants serverAuth or the IKE intermediate
/// in an extended key usage (clients.md §7). Empty: nothing.
std::string doubts_about(base::ByteView chain);

}  // namespace pki
