#include "credentials.h"

#include "ike/v1/identification.h"

namespace bench {

Credentials Credentials::psks(std::size_t count) {
  config::Ike ike;
  config::Secrets secrets;
  for (std::size_t i = 1; i <= count; ++i) {
    const auto name = "psk " + std::to_string(i), secret = i == count ? "swordfish" : "wrong " + name;
    ike.psks.push_back({.name = name, .peer = {}});
    secrets.psk[name].push_back(base::Secret::copy_of(base::as_bytes(secret)));
  }
  return Credentials({ike, std::move(secrets)});
}

Credentials Credentials::certificates(harness::KeyKind kind, std::uint32_t clients) {
  using harness::TestIdentity;
  const auto root =
      TestIdentity::self_signed({.subject = "O=Example, CN=Root", .key = kind, .authority = true});
  const auto gateway = root.issue({.subject = "O=Example, CN=gateway", .key = kind});
  const auto chain = gateway.pem(), key = gateway.key_pem();
  std::vector<pki::OwnIdentity> own;
  own.push_back(
      *pki::own_identity({"gateway.pem", base::as_bytes(chain)}, {"gateway.key", base::as_bytes(key)}, ""));
  const auto own_certificate = own.front().certificate;
  Credentials out(ikd::Keys({}, {}, std::move(own)));
  out.engine_.certificates = {own_certificate};
  out.engine_.trusted_names = {root.subject_der()};
  out.verifier_->trust(*pki::Certificate::from_der(root.der()));
  out.verifier_->add_class({.name = "staff", .subject = {}, .issuer = {}, .alternative_name = {}});
  const auto holder = root.issue({.subject = "O=Example, CN=client", .key = kind});
  out.their_key_ = *pki::PrivateKey::from_pem(base::as_bytes(holder.key_pem()));
  for (std::uint32_t i = 1; i <= clients; ++i) {
    const auto person =
        root.issue({.subject = "O=Example, CN=client " + std::to_string(i), .key_of = &holder});
    out.people_.push_back({person.der(), person.subject_der()});
  }
  return out;
}

void Credentials::give(std::uint32_t client, harness::InitiatorSettings& settings) const {
  if (!their_key_) return;
  const auto& person = people_.at(client - 1);
  settings.certificates = {.method = engine_.certificates.front().method,
                           .sent = {{ike::CertificateEncoding::x509_signature, person.certificate}},
                           .key = &*their_key_};
  settings.identity = ike::v1::encode_identification(
      {.type = ike::v1::IdType::der_asn1_dn, .protocol = 0, .port = 0, .data = person.subject});
}

}  // namespace bench
