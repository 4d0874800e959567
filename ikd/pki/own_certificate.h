#pragma once
// A certificate of the gateway's own with its key.

#include "ike/authentication.h"
#include "pki/signature.h"

namespace pki {

struct OwnIdentity {
  ike::OwnCertificate certificate;
  PrivateKey key;
};

/// A file that was read, and what errors call it.
struct PemFile {
  std::string name;
  base::ByteView text;
};

/// `identity`: an address or a name that the certificate bears; empty: its subject.
base::Result<OwnIdentity> own_identity(const PemFile& chain, const PemFile& key, std::string_view identity);

/// It has one of the extended key usages that Windows wants to see in a gateway's (clients.md §7).
bool serves_windows(const Certificate& certificate);

/// What clients will dislike, in sentences: that it has expired; and Windows wants serverAuth or the IKE
/// intermediate in an extended key usage (clients.md §7).
std::vector<std::string> doubts_about(const PemFile& chain);

}  // namespace pki
