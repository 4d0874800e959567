#pragma once
// Whether a peer's certificate and signature are good, and what it may do with them.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ike/effect.h"
#include "pki/certificate.h"

struct x509_store_st;

namespace pki {

void free_store(x509_store_st* store);

/// [[ike.certificate]]: everybody whose certificate looks like this.
struct CertificateClass {
  std::string name;
  std::optional<NamePattern> subject;
  std::optional<NamePattern> issuer;  ///< of one of the authorities above it
  std::string alternative_name;       ///< a pattern; empty: any
  bool bind_user = false;
};

enum class Revocation {
  if_known,  ///< the lists there are count; a missing or outdated one does not keep everybody out
  required   ///< no certificate without a current list of each authority above it
};

/// Never changes once it is set up; any thread may ask it.
class Verifier {
 public:
  explicit Verifier(Revocation revocation);

  void trust(const Certificate& authority);
  /// PEM with any number of lists, or one in DER; an error in words otherwise.
  base::Result<void> add_revocations(base::ByteView text);
  void add_class(CertificateClass wanted) { classes_.push_back(std::move(wanted)); }

  /// The peer's certificate leads to an authority we trust, is in force and not revoked, is made for this,
  /// bears the identity, belongs to a class, and its key made the signature.
  tl::expected<ike::Authentication, ike::Refused> verify(const ike::VerifyCertificate& request) const;

 private:
  using Store = std::unique_ptr<x509_store_st, base::FreeWith<free_store>>;
  /// The subjects of the authorities from the issuer of `end` up to one that is trusted.
  tl::expected<std::vector<Attributes>, ike::Refused> check_chain(
      const Certificate& end, const std::vector<Certificate>& others) const;
  const CertificateClass* class_of(const Certificate& end, const std::vector<Attributes>& authorities) const;

  Revocation revocation_;
  Store store_;
  std::vector<CertificateClass> classes_;
};

}  // namespace pki
