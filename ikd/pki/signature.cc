#include "pki/signature.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "pki/openssl.h"

namespace pki {
namespace {

using ike::AuthMethod;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, base::FreeWith<ECDSA_SIG_free>>;

struct Curve {
  AuthMethod method;
  int nid;
  std::size_t hash_size;  ///< of what is signed
  std::size_t size;       ///< of r and of s
};
constexpr Curve curves[] = {{AuthMethod::ecdsa_256, NID_X9_62_prime256v1, 32, 32},
                            {AuthMethod::ecdsa_384, NID_secp384r1, 48, 48},
                            {AuthMethod::ecdsa_521, NID_secp521r1, 64, 66}};

const Curve* curve_of(AuthMethod method) {
  const auto* at = std::ranges::find(curves, method, &Curve::method);
  return at == std::end(curves) ? nullptr : at;
}

std::optional<AuthMethod> method_of(const EVP_PKEY* key) {
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) return AuthMethod::rsa_signature;
  char name[64] = {};
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
      EVP_PKEY_get_group_name(key, name, sizeof name, nullptr) != 1)
    return std::nullopt;
  const auto* at = std::ranges::find(curves, OBJ_txt2nid(name), &Curve::nid);
  if (at == std::end(curves)) return std::nullopt;
  return at->method;
}

/// r | s → ECDSA-Sig-Value; empty for a wrong size.
base::Bytes to_der(const Curve& curve, base::ByteView signature) {
  if (signature.size() != 2 * curve.size) return {};
  const EcdsaSignature value(ECDSA_SIG_new());
  auto* r = BN_bin2bn(signature.data(), static_cast<int>(curve.size), nullptr);
  auto* s = BN_bin2bn(signature.data() + curve.size, static_cast<int>(curve.size), nullptr);
  if (r == nullptr || s == nullptr || ECDSA_SIG_set0(value.get(), r, s) != 1) std::abort();
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(value.get(), &der);
  if (size < 0) return {};
  base::Bytes out(der, der + size);
  OPENSSL_free(der);
  return out;
}

base::Result<base::Bytes> from_der(const Curve& curve, base::ByteView der) {
  const unsigned char* at = der.data();
  const EcdsaSignature value(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  base::Bytes out(2 * curve.size);
  const auto size = static_cast<int>(curve.size);
  if (!value || BN_bn2binpad(ECDSA_SIG_get0_r(value.get()), out.data(), size) != size ||
      BN_bn2binpad(ECDSA_SIG_get0_s(value.get()), out.data() + curve.size, size) != size)
    return base::fail("the signature has an odd form");
  return out;
}

/// With no digest set OpenSSL signs what it is given, without a DigestInfo.
bool raw_rsa(EVP_PKEY_CTX* context) { return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1; }

int no_passphrase(char*, int, int, void*) { return -1; }

}  // namespace

void free_pkey(evp_pkey_st* key) { EVP_PKEY_free(key); }

std::optional<AuthMethod> method_of(const Certificate& certificate) {
  const auto* key = X509_get0_pubkey(certificate.get());
  ERR_clear_error();
  return key == nullptr ? std::nullopt : method_of(key);
}

bool verify(const Certificate& certificate, AuthMethod method, base::ByteView hash,
            base::ByteView signature) {
  if (method_of(certificate) != method) return false;
  const PkeyContext context(EVP_PKEY_CTX_new(X509_get0_pubkey(certificate.get()), nullptr));
  bool good = context && EVP_PKEY_verify_init(context.get()) == 1;
  if (const auto* curve = curve_of(method)) {
    const auto der = to_der(*curve, signature);
    good = good && !der.empty() && hash.size() == curve->hash_size &&
           EVP_PKEY_verify(context.get(), der.data(), der.size(), hash.data(), hash.size()) == 1;
  } else {
    good = good && raw_rsa(context.get()) &&
           EVP_PKEY_verify(context.get(), signature.data(), signature.size(), hash.data(), hash.size()) == 1;
  }
  ERR_clear_error();
  return good;
}

base::Result<PrivateKey> PrivateKey::from_pem(base::ByteView text) {
  const auto in = reader_of(text);
  Key key(PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, nullptr));
  const auto why = last_error();
  if (!key) return base::fail("holds no private key that can be read without a passphrase: " + why);
  return PrivateKey(std::move(key));
}

bool PrivateKey::belongs_to(const Certificate& certificate) const {
  const bool same = X509_check_private_key(certificate.get(), key_.get()) == 1;
  ERR_clear_error();
  return same;
}

base::Result<base::Bytes> PrivateKey::sign(AuthMethod method, base::ByteView hash) const {
  if (method_of(key_.get()) != method) return base::fail("our key is of another kind");
  const auto* curve = curve_of(method);
  if (curve != nullptr && hash.size() != curve->hash_size) return base::fail("the hash is of another size");
  const PkeyContext context(EVP_PKEY_CTX_new(key_.get(), nullptr));
  std::size_t size = 0;
  bool good = context && EVP_PKEY_sign_init(context.get()) == 1 &&
              (curve != nullptr || raw_rsa(context.get())) &&
              EVP_PKEY_sign(context.get(), nullptr, &size, hash.data(), hash.size()) == 1;
  base::Bytes out(size);
  good = good && EVP_PKEY_sign(context.get(), out.data(), &size, hash.data(), hash.size()) == 1;
  if (!good) return base::fail("OpenSSL does not sign: " + last_error());
  out.resize(size);
  if (curve != nullptr) return from_der(*curve, out);
  return out;
}

}  // namespace pki
