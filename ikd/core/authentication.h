#pragma once
// How a peer proves who it is, and who it is then.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "crypto/algorithms.h"

namespace ike {

/// Authentication Method (RFC 2409 Appendix A, RFC 4754 §3).
enum class AuthMethod : std::uint16_t {
  psk = 1,
  rsa_signature = 3,
  ecdsa_256 = 9,
  ecdsa_384 = 10,
  ecdsa_521 = 11
};
/// "psk", "rsa", "ecdsa256".
std::string_view name_of(AuthMethod method);
/// Of the prf that makes the HASH_I and HASH_R which are signed: ECDSA brings its own (RFC 4754), and signs
/// them as they are.
crypto::Hash signed_hash(AuthMethod method, crypto::Hash negotiated);

/// What is proven of a peer.
struct Authentication {
  AuthMethod method = AuthMethod::psk;
  std::string name;              ///< of the [[ike.psk]] or the [[ike.certificate]]
  std::uint32_t secret = 0;      ///< which of the pre-shared key's secrets, the newest first
  std::uint32_t secret_id = 0;   ///< NamedSkeyid::id
  std::string certificate;       ///< its subject, for people; empty with a pre-shared key
  std::string fingerprint = {};  ///< of the certificate: SHA-256 in hexadecimal
  bool device = false;           ///< it means one device, not a group
  bool bind_user = false;        ///< only `logins` may log in through it
  std::vector<std::string> logins = {};
};
/// "PSK family", "PSK family (secret 2)", "certificate CN=bob".
std::string to_string(const Authentication& authentication);

/// What the core knows of a pre-shared key: all but the secret.
struct PskPolicy {
  bool device = false;  ///< held by one device only
  bool bind_user = false;
};

/// What the core knows of a certificate of ours: all but the key.
struct OwnCertificate {
  AuthMethod method = AuthMethod::rsa_signature;
  base::Bytes id_body;               ///< who we are with it: the body of an ID payload
  std::vector<base::Bytes> chain;    ///< DER; ours first, then those of its authorities
  std::vector<base::Bytes> issuers;  ///< DER of the names that issued these

  bool operator==(const OwnCertificate&) const = default;
};

/// Certificate Encoding (RFC 2408 §3.9).
enum class CertificateEncoding : std::uint8_t { pkcs7 = 1, x509_signature = 4 };
struct EncodedCertificate {
  CertificateEncoding encoding = CertificateEncoding::x509_signature;
  base::Bytes bytes;
};

}  // namespace ike
