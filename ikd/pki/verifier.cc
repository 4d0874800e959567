#include "pki/verifier.h"

#include <algorithm>

#include <fmt/format.h>
#include <openssl/pem.h>

#include "crypto/prf.h"
#include "pki/openssl.h"
#include "pki/signature.h"

namespace pki {
namespace {

using StoreContext = std::unique_ptr<X509_STORE_CTX, base::FreeWith<X509_STORE_CTX_free>>;
struct FreeStack {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};

constexpr std::size_t most_certificates = 16;
constexpr int security_level = 2;  // 112 bits: RSA of 2048 bits, no SHA-1 (SP 800-57)

/// X509_verify_cert()'s callback: a list that is not there, or too old, tells nothing.
int overlook_missing_lists(int good, X509_STORE_CTX* context) {
  if (good == 1) return 1;
  switch (X509_STORE_CTX_get_error(context)) {
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID: return 1;
    default: return 0;
  }
}

ike::Refusal refusal_for(int error) {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return ike::Refusal::certificate_expired;
    case X509_V_ERR_CERT_NOT_YET_VALID: return ike::Refusal::certificate_not_yet_valid;
    case X509_V_ERR_CERT_REVOKED: return ike::Refusal::certificate_revoked;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: return ike::Refusal::certificate_untrusted;
    default: return ike::Refusal::certificate_refused;
  }
}

tl::unexpected<ike::Refused> refuse(std::string why,
                                    ike::Refusal refusal = ike::Refusal::certificate_refused) {
  return tl::unexpected(ike::Refused{{std::move(why)}, refusal});
}

std::string words_for(int error, const Certificate& end) {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return "has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID: return "is not valid yet";
    case X509_V_ERR_CERT_REVOKED: return "is revoked";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return fmt::format("leads to no authority that is trusted here (issued by {})", end.issuer());
    case X509_V_ERR_UNABLE_TO_GET_CRL: return "has an authority without a revocation list here";
    case X509_V_ERR_CRL_HAS_EXPIRED: return "has an authority whose revocation list is outdated";
    default: return fmt::format("is refused: {}", X509_verify_cert_error_string(error));
  }
}

/// The end certificate comes first by custom; in a PKCS#7 the order means nothing.
std::optional<std::size_t> end_of(const std::vector<Certificate>& all, const ike::v1::Identification& id) {
  const auto named =
      std::ranges::find_if(all, [&](const auto& c) { return !c.is_authority() && c.is_named_by(id); });
  if (named != all.end()) return static_cast<std::size_t>(named - all.begin());
  const auto first = std::ranges::find_if(all, [](const auto& c) { return !c.is_authority(); });
  if (first == all.end()) return std::nullopt;
  return static_cast<std::size_t>(first - all.begin());
}

std::vector<Certificate> decode(const std::vector<ike::EncodedCertificate>& encoded) {
  std::vector<Certificate> out;
  for (const auto& e : encoded) {
    if (e.encoding == ike::CertificateEncoding::pkcs7) {
      for (auto& c : Certificate::from_pkcs7(e.bytes)) out.push_back(std::move(c));
    } else if (auto c = Certificate::from_der(e.bytes)) {
      out.push_back(std::move(*c));
    }
  }
  return out;
}

}  // namespace

void free_store(x509_store_st* store) { X509_STORE_free(store); }

Verifier::Verifier(Revocation revocation) : revocation_(revocation), store_(X509_STORE_new()) {
  auto* parameters = X509_STORE_get0_param(store_.get());
  // An intermediate authority may be trusted without its root.
  X509_VERIFY_PARAM_set_flags(parameters,
                              X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL | X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_auth_level(parameters, security_level);
  X509_VERIFY_PARAM_set_depth(parameters, 6);
}

void Verifier::trust(const Certificate& authority) { X509_STORE_add_cert(store_.get(), authority.get()); }

base::Result<void> Verifier::add_revocations(base::ByteView text) {
  const auto add = [this](const Crl& list) { return X509_STORE_add_crl(store_.get(), list.get()) == 1; };
  const auto in = reader_of(text);
  std::size_t count = 0;
  for (;; ++count) {
    const Crl list(PEM_read_bio_X509_CRL(in.get(), nullptr, nullptr, nullptr));
    if (!list) break;
    if (!add(list)) return base::fail("holds a revocation list that cannot be used: " + last_error());
  }
  const auto why = last_error();
  if (count > 0) return {};
  const unsigned char* at = text.data();
  const Crl list(d2i_X509_CRL(nullptr, &at, static_cast<long>(text.size())));
  ERR_clear_error();
  if (!list || !add(list)) return base::fail("holds no revocation list in PEM or DER form: " + why);
  return {};
}

tl::expected<std::vector<Attributes>, ike::Refused> Verifier::check_chain(
    const Certificate& end, const std::vector<Certificate>& others) const {
  const std::unique_ptr<STACK_OF(X509), FreeStack> untrusted(sk_X509_new_null());
  for (const auto& c : others) sk_X509_push(untrusted.get(), c.get());
  const StoreContext context(X509_STORE_CTX_new());
  if (!context || X509_STORE_CTX_init(context.get(), store_.get(), end.get(), untrusted.get()) != 1)
    return refuse("cannot be checked: " + last_error());
  if (revocation_ == Revocation::if_known)
    X509_STORE_CTX_set_verify_cb(context.get(), overlook_missing_lists);
  const bool good = X509_verify_cert(context.get()) == 1;
  const int error = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  if (!good) return refuse(words_for(error, end), refusal_for(error));
  std::vector<Attributes> out;
  const auto* chain = X509_STORE_CTX_get0_chain(context.get());
  for (int i = 1; i < sk_X509_num(chain); ++i) out.push_back(subject_attributes_of(sk_X509_value(chain, i)));
  return out;
}

const CertificateClass* Verifier::class_of(const Certificate& end,
                                           const std::vector<Attributes>& authorities) const {
  const auto names = end.alternative_names();
  const auto subject = end.subject_attributes();
  for (const auto& wanted : classes_) {
    if (wanted.subject && !wanted.subject->matches(subject)) continue;
    if (!wanted.alternative_name.empty() && std::ranges::none_of(names, [&](const auto& name) {
          return alternative_name_matches(wanted.alternative_name, name);
        }))
      continue;
    if (wanted.issuer &&
        std::ranges::none_of(authorities, [&](const auto& a) { return wanted.issuer->matches(a); }))
      continue;
    return &wanted;
  }
  return nullptr;
}

tl::expected<ike::Authentication, ike::Refused> Verifier::verify(
    const ike::VerifyCertificate& request) const {
  auto all = decode(request.certificates);
  if (all.empty()) return refuse("it sends no certificate that can be read");
  if (all.size() > most_certificates) return refuse("it sends more than 16 certificates");
  const auto id = ike::v1::decode_identification(request.id_body);
  if (!id) return refuse("its identity is malformed");
  const auto at = end_of(all, *id);
  if (!at) return refuse("it sends only certificates of authorities");
  const auto end = std::move(all[*at]);
  all.erase(all.begin() + static_cast<std::ptrdiff_t>(*at));
  const auto refused = [&end](std::string_view why,
                              ike::Refusal refusal = ike::Refusal::certificate_refused) {
    return refuse(fmt::format("its certificate ({}) {}", end.subject(), why), refusal);
  };
  const auto authorities = check_chain(end, all);
  if (!authorities) return refused(authorities.error().message, authorities.error().refusal);
  if (const auto why = end.unfit_for_client(); !why.empty()) return refused("is for other uses: " + why);
  if (!end.is_named_by(*id)) return refused(fmt::format("does not bear its identity, {}", describe(*id)));
  const auto* matched = class_of(end, *authorities);
  if (matched == nullptr)
    return refused("matches no [[ike.certificate]]", ike::Refusal::certificate_unknown_class);
  if (!pki::verify(end, request.method, request.hash, request.signature))
    return refused("did not make its signature");
  return ike::Authentication{.method = request.method,
                             .name = matched->name,
                             .secret = 0,
                             .secret_id = 0,
                             .certificate = end.subject(),
                             .fingerprint = base::hex(crypto::digest(crypto::Hash::sha2_256, {end.der()})),
                             .device = true,
                             .bind_user = matched->bind_user,
                             .logins = end.logins()};
}

}  // namespace pki
