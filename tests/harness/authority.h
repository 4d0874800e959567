#pragma once
// A certificate authority for tests: keys, certificates and revocation lists of every shape, as PEM or DER.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"

struct x509_st;
struct evp_pkey_st;

namespace harness {

enum class KeyKind { rsa, p256, p384, p521 };
class TestIdentity;

struct CertificateSettings {
  std::string subject = {};             ///< "O=Example, CN=bob"
  std::string alternative_names = {};   ///< "DNS:bob.example, email:bob@example, IP:192.0.2.7"
  std::string extended_key_usage = {};  ///< "clientAuth"; empty: no such extension
  std::string key_usage = "digitalSignature";
  KeyKind key = KeyKind::p256;
  const TestIdentity* key_of = nullptr;  ///< whose key it has, too: not a new one of that kind
  bool authority = false;
  std::chrono::hours from{-1}, until{24};  ///< from now
};

void free_test_certificate(x509_st* certificate);
void free_test_key(evp_pkey_st* key);

/// A certificate with its key, which may sign others.
class TestIdentity {
 public:
  static TestIdentity self_signed(const CertificateSettings& settings);
  TestIdentity issue(const CertificateSettings& settings) const;

  base::Bytes der() const;
  std::string pem() const;
  std::string key_pem() const;
  std::string key_pem_with_passphrase() const;
  base::Bytes subject_der() const;
  /// A list of this authority's, good for `until`, that revokes these; in DER.
  base::Bytes revocation_list(const std::vector<const TestIdentity*>& revoked,
                              std::chrono::hours until = std::chrono::hours(24)) const;

 private:
  TestIdentity() = default;
  static TestIdentity make(const CertificateSettings& settings, const TestIdentity* issuer);
  std::unique_ptr<x509_st, base::FreeWith<free_test_certificate>> x509_;
  std::unique_ptr<evp_pkey_st, base::FreeWith<free_test_key>> key_;
};

std::string pem_of_list(base::ByteView der);
/// A PKCS#7 of certificates alone, as Windows sends it.
base::Bytes pkcs7_of(const std::vector<const TestIdentity*>& certificates);

}  // namespace harness
