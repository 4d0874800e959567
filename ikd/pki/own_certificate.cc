#include "pki/own_certificate.h"

#include "base/address.h"
#include "pki/openssl.h"

namespace pki {
namespace {

using ike::v1::Identification;
using ike::v1::IdType;
using Usages = std::unique_ptr<EXTENDED_KEY_USAGE, base::FreeWith<EXTENDED_KEY_USAGE_free>>;

base::Result<base::Bytes> id_body_of(const Certificate& certificate, std::string_view identity) {
  if (identity.empty()) {
    const auto subject = certificate.subject_der();
    if (certificate.subject_attributes().empty())
      return base::fail("has no subject: name one of its alternative names as identity");
    return ike::v1::encode_identification(
        {.type = IdType::der_asn1_dn, .protocol = 0, .port = 0, .data = subject});
  }
  const auto address = base::Address::parse(identity);
  Identification id{.type = identity.find('@') == identity.npos ? IdType::fqdn : IdType::user_fqdn,
                    .protocol = 0,
                    .port = 0,
                    .data = base::as_bytes(identity)};
  if (address) id = ike::v1::identification_of(*address);
  if (!certificate.is_named_by(id))
    return base::fail("does not bear the identity \"" + std::string(identity) +
                      "\" among its alternative names");
  return ike::v1::encode_identification(id);
}

}  // namespace

base::Result<OwnIdentity> own_identity(const PemFile& chain, const PemFile& key, std::string_view identity) {
  const auto certificates = Certificate::from_pem(chain.text);
  if (!certificates) return base::fail(chain.name + " " + certificates.error().message);
  const auto& own = certificates->front();
  const auto method = method_of(own);
  if (!method)
    return base::fail(chain.name + " has a key that is neither RSA nor of a curve P-256, P-384 or P-521");
  auto private_key = PrivateKey::from_pem(key.text);
  if (!private_key) return base::fail(key.name + " " + private_key.error().message);
  if (!private_key->belongs_to(own)) return base::fail(key.name + " is not the key of " + chain.name);
  auto id_body = id_body_of(own, identity);
  if (!id_body) return base::fail(chain.name + " " + id_body.error().message);
  OwnIdentity out{
      .certificate = {.method = *method, .id_body = std::move(*id_body), .chain = {}, .issuers = {}},
      .key = std::move(*private_key)};
  for (const auto& c : *certificates) {
    out.certificate.chain.push_back(c.der());
    out.certificate.issuers.push_back(c.issuer_der());
  }
  return out;
}

bool serves_windows(const Certificate& certificate) {
  const Usages extended(static_cast<EXTENDED_KEY_USAGE*>(
      X509_get_ext_d2i(certificate.get(), NID_ext_key_usage, nullptr, nullptr)));
  for (int i = 0; extended && i < sk_ASN1_OBJECT_num(extended.get()); ++i) {
    char oid[64] = {};
    OBJ_obj2txt(oid, sizeof oid, sk_ASN1_OBJECT_value(extended.get(), i), 1);
    const std::string_view text(oid);
    if (text == "1.3.6.1.5.5.7.3.1" || text == "1.3.6.1.5.5.8.2.2") return true;
  }
  return false;
}

std::vector<std::string> doubts_about(const PemFile& chain) {
  std::vector<std::string> out;
  const auto certificates = Certificate::from_pem(chain.text);
  if (!certificates) return out;
  const auto& own = certificates->front();
  if (X509_cmp_current_time(X509_get0_notAfter(own.get())) < 0)
    out.push_back(chain.name + " has expired: clients will refuse it");
  if (!serves_windows(own))
    out.push_back(chain.name +
                  " has neither serverAuth nor the IKE intermediate in its extended key usage: " +
                  "Windows will refuse it");
  return out;
}

}  // namespace pki
