#pragma once
// The files of certificates, lists and keys that the configuration names.

#include <functional>
#include <string>
#include <vector>

#include "config/config.h"
#include "pki/own_certificate.h"
#include "pki/verifier.h"

namespace ikd {

using ReadFile = std::function<base::Result<base::Secret>(const std::string& path)>;

// A file that cannot be read, a broken one, a bad pattern: an error with the line that names it.

/// Whom we believe: ike.trust, ike.revocation and the [[ike.certificate]]s.
struct Authorities {
  pki::Verifier verifier;
  std::vector<base::Bytes> trusted_names;  ///< DER
};
base::Result<Authorities> load_authorities(const config::Config& config, const ReadFile& read);

/// Who we are: every [[ike.own_certificate]] with its key.
struct OwnCertificates {
  std::vector<pki::OwnIdentity> identities;
  std::vector<std::string> doubts;  ///< sentences for the log; nothing is refused for them
};
base::Result<OwnCertificates> load_own_certificates(const config::Config& config);

}  // namespace ikd
