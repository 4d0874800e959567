#pragma once
// The files of certificates, lists and keys that the configuration names.

#include <string>
#include <vector>

#include "config/config.h"
#include "ike/engine.h"
#include "pki/own_certificate.h"
#include "pki/verifier.h"

namespace ikd {

struct Credentials {
  pki::Verifier verifier;
  std::vector<pki::OwnIdentity> own;
  std::vector<base::Bytes> trusted_names;  ///< DER
  std::vector<std::string> doubts;         ///< sentences for the log; nothing is refused for them
};

/// A file that cannot be read, a broken one, a bad pattern: an error with the line that names it.
base::Result<Credentials> load_credentials(const config::Config& config);
/// The same without any key of ours, and without our certificates.
base::Result<Credentials> load_authorities(const config::Config& config);

}  // namespace ikd
