#pragma once
// A certificate: what it says, whom it names.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"
#include "ike/v1/identification.h"
#include "pki/pattern.h"

struct x509_st;
struct evp_pkey_st;

namespace pki {

void free_certificate(x509_st* certificate);
Attributes subject_attributes_of(const x509_st* certificate);

/// When a certificate is good, in Unix time.
struct Validity {
  std::int64_t not_before = 0, not_after = 0;
};

class Certificate {
 public:
  /// None when these bytes, all of them, are no certificate.
  static std::optional<Certificate> from_der(base::ByteView der);
  /// All certificates of a PEM text, in order; an error when there is none or one is broken.
  static base::Result<std::vector<Certificate>> from_pem(base::ByteView text);
  /// The certificates of a PKCS#7 SignedData (RFC 2408 §3.9, encoding 1); none when it is malformed.
  static std::vector<Certificate> from_pkcs7(base::ByteView der);

  base::Bytes der() const;
  base::Bytes subject_der() const;
  base::Bytes issuer_der() const;
  /// In its order, for people: "O=Example, CN=bob". Never longer than 200 octets, no control characters.
  std::string subject() const;
  std::string issuer() const;
  Attributes subject_attributes() const { return subject_attributes_of(x509_.get()); }
  /// dNSName, rfc822Name and iPAddress of subjectAltName as text.
  std::vector<std::string> alternative_names() const;
  /// The names a person may log in with: CN and e-mail addresses.
  std::vector<std::string> logins() const;
  Validity validity() const;
  bool is_authority() const;
  /// Whether an ID payload names the subject or one of the alternative names (RFC 4945 §3.1).
  bool is_named_by(const ike::v1::Identification& id) const;
  /// Empty: a client of IPsec may use it. Otherwise why not (RFC 4945 §5.1.3.2, §5.1.3.12).
  std::string unfit_for_client() const;

  x509_st* get() const { return x509_.get(); }

 private:
  using Handle = std::unique_ptr<x509_st, base::FreeWith<free_certificate>>;
  explicit Certificate(Handle x509) : x509_(std::move(x509)) {}
  Handle x509_;
};

}  // namespace pki
