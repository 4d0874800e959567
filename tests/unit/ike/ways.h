#pragma once
// The ways a client can prove itself, as cheap as they can be for tests of the protocol.

#include "harness/pretend_signature.h"
#include "scene.h"

namespace scene {

enum class Way { psk, certificate, aggressive };

inline Bytes named(ike::v1::IdType type, std::string_view name) {
  return ike::v1::encode_identification(
      {.type = type, .protocol = 0, .port = 0, .data = base::as_bytes(name)});
}

/// A gateway that takes it beside the others.
inline WorldSettings world_of(Way way, WorldSettings ws = cheap()) {
  const auto certificate = base::to_bytes(base::as_bytes("good gateway"));
  if (way == Way::certificate) {
    ws.engine.certificates = {{.method = ike::AuthMethod::ecdsa_256,
                               .id_body = named(ike::v1::IdType::fqdn, "gateway"),
                               .chain = {certificate},
                               .issuers = {}}};
    ws.kernel.pretended_certificates = {certificate};
  }
  if (way == Way::aggressive) ws.engine.aggressive = {{"branch", "family"}};
  return ws;
}

inline InitiatorSettings client_of(Way way, InitiatorSettings s = host()) {
  if (way == Way::certificate) {
    const auto certificate = base::to_bytes(base::as_bytes("good client"));
    s.certificates = {.method = ike::AuthMethod::ecdsa_256,
                      .sent = {{ike::CertificateEncoding::x509_signature, certificate}}};
    s.identity = named(ike::v1::IdType::fqdn, "client");
  }
  if (way == Way::aggressive) {
    s.aggressive = true;
    s.identity = named(ike::v1::IdType::key_id, "branch");
  }
  return s;
}

}  // namespace scene
