#include "ike/authentication.h"

namespace ike {

std::string_view name_of(AuthMethod method) {
  switch (method) {
    case AuthMethod::psk: return "psk";
    case AuthMethod::rsa_signature: return "rsa";
    case AuthMethod::ecdsa_256: return "ecdsa256";
    case AuthMethod::ecdsa_384: return "ecdsa384";
    case AuthMethod::ecdsa_521: return "ecdsa521";
  }
  return "?";
}

crypto::Hash signed_hash(AuthMethod method, crypto::Hash negotiated) {
  switch (method) {
    case AuthMethod::ecdsa_256: return crypto::Hash::sha2_256;
    case AuthMethod::ecdsa_384: return crypto::Hash::sha2_384;
    case AuthMethod::ecdsa_521: return crypto::Hash::sha2_512;
    case AuthMethod::psk:
    case AuthMethod::rsa_signature: break;
  }
  return negotiated;
}

std::string to_string(const Authentication& a) {
  if (a.method != AuthMethod::psk) return "certificate " + a.certificate;
  auto out = "PSK " + a.name;
  if (a.secret > 0) out += " (secret " + std::to_string(a.secret + 1) + ")";
  return out;
}

}  // namespace ike
