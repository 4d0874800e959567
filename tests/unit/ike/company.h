#pragma once
// A company with certificates: what tests of Main Mode with signatures begin with.

#include <list>

#include "harness/authority.h"
#include "scene.h"

namespace scene {

using harness::CertificateSettings;
using harness::KeyKind;
using harness::TestIdentity;
using ike::AuthMethod;
using ike::CertificateEncoding;

inline pki::PrivateKey key_of(const TestIdentity& identity) {
  return *pki::PrivateKey::from_pem(base::as_bytes(identity.key_pem()));
}

/// With those certificates above it.
inline pki::OwnIdentity identity_of(const TestIdentity& who, const std::string& above = "") {
  const auto chain = who.pem() + above, key = who.key_pem();
  return *pki::own_identity({"own.pem", base::as_bytes(chain)}, {"own.key", base::as_bytes(key)}, "");
}

/// One authority, a gateway with a certificate of each kind asked for, and clients.
struct Company {
  TestIdentity root = TestIdentity::self_signed({.subject = "O=Example, CN=Root", .authority = true});
  std::vector<pki::OwnIdentity> own;
  std::vector<TestIdentity> gateways;
  pki::Verifier verifier{pki::Revocation::if_known};
  std::list<pki::PrivateKey> keys;

  explicit Company(std::initializer_list<KeyKind> kinds) {
    for (const auto kind : kinds) {
      gateways.push_back(root.issue({.subject = "O=Example, CN=gateway", .key = kind}));
      own.push_back(identity_of(gateways.back()));
    }
    verifier.trust(*pki::Certificate::from_der(root.der()));
    verifier.add_class({.name = "staff",
                        .subject = *pki::NamePattern::parse("CN=*, O=Example"),
                        .issuer = {},
                        .alternative_name = {},
                        .bind_user = false});
  }

  /// Gives an engine and its kernel the authority, and these certificates of its own.
  void equip(ike::Settings& engine, harness::KernelSettings& kernel,
             const std::vector<pki::OwnIdentity>& with) const {
    engine.trusted_names = {root.subject_der()};
    kernel.verifier = &verifier;
    for (const auto& o : with) {
      engine.certificates.push_back(o.certificate);
      kernel.own_keys.push_back(&o.key);
      kernel.own_methods.push_back(o.certificate.method);
    }
  }
  WorldSettings settings() const {
    auto ws = cheap();
    equip(ws.engine, ws.kernel, own);
    return ws;
  }

  /// A client that has this certificate, and says so with its subject.
  InitiatorSettings client(const TestIdentity& who, std::uint8_t last = 2) {
    auto s = host(last);
    keys.push_back(key_of(who));
    const auto method = *pki::method_of(*pki::Certificate::from_der(who.der()));
    s.certificates = {
        .method = method, .sent = {{CertificateEncoding::x509_signature, who.der()}}, .key = &keys.back()};
    const auto subject = who.subject_der();
    s.identity = ike::v1::encode_identification(
        {.type = ike::v1::IdType::der_asn1_dn, .protocol = 0, .port = 0, .data = subject});
    return s;
  }
  TestIdentity person(const std::string& name, KeyKind kind = KeyKind::p256) const {
    return root.issue({.subject = "O=Example, CN=" + name, .key = kind});
  }
};

}  // namespace scene
