#include "harness/authority.h"

#include <cstdlib>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

namespace harness {
namespace {

using Bio = std::unique_ptr<BIO, base::FreeWith<BIO_free_all>>;

void must(bool holds) {
  if (!holds) std::abort();
}

EVP_PKEY* new_key(KeyKind kind) {
  switch (kind) {
    case KeyKind::rsa: return EVP_RSA_gen(2048);
    case KeyKind::p256: return EVP_EC_gen("P-256");
    case KeyKind::p384: return EVP_EC_gen("P-384");
    case KeyKind::p521: return EVP_EC_gen("P-521");
  }
  std::abort();
}

void set_name(X509_NAME* name, std::string_view text) {
  while (!text.empty()) {
    const auto comma = text.find(", ");
    const auto part = text.substr(0, comma);
    text.remove_prefix(comma == text.npos ? text.size() : comma + 2);
    const auto equals = part.find('=');
    const std::string kind(part.substr(0, equals)), value(part.substr(equals + 1));
    must(X509_NAME_add_entry_by_txt(name, kind.c_str(), MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(value.data()),
                                    static_cast<int>(value.size()), -1, 0) == 1);
  }
}

void extend(X509* x509, X509V3_CTX* context, int nid, const std::string& value) {
  if (value.empty()) return;
  auto* extension = X509V3_EXT_conf_nid(nullptr, context, nid, value.c_str());
  must(extension != nullptr && X509_add_ext(x509, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

template <class Write>
std::string text_from(Write write) {
  const Bio out(BIO_new(BIO_s_mem()));
  must(write(out.get()) == 1);
  const char* data = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

template <class Encode>
base::Bytes der_from(Encode encode) {
  unsigned char* bytes = nullptr;
  const int size = encode(&bytes);
  must(size > 0);
  base::Bytes out(bytes, bytes + size);
  OPENSSL_free(bytes);
  return out;
}

long seconds(std::chrono::hours h) { return static_cast<long>(std::chrono::seconds(h).count()); }

}  // namespace

void free_test_certificate(x509_st* certificate) { X509_free(certificate); }
void free_test_key(evp_pkey_st* key) { EVP_PKEY_free(key); }

TestIdentity TestIdentity::make(const CertificateSettings& s, const TestIdentity* issuer) {
  static long serial = 1000;
  TestIdentity out;
  if (s.key_of != nullptr) {
    out.key_.reset(s.key_of->key_.get());
    must(EVP_PKEY_up_ref(out.key_.get()) == 1);
  } else {
    out.key_.reset(new_key(s.key));
  }
  out.x509_.reset(X509_new());
  auto* x = out.x509_.get();
  const auto* parent = issuer == nullptr ? x : issuer->x509_.get();
  must(X509_set_version(x, 2) == 1 && X509_set_pubkey(x, out.key_.get()) == 1);
  must(ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial) == 1);
  X509_gmtime_adj(X509_getm_notBefore(x), seconds(s.from));
  X509_gmtime_adj(X509_getm_notAfter(x), seconds(s.until));
  set_name(X509_get_subject_name(x), s.subject);
  must(X509_set_issuer_name(x, X509_get_subject_name(parent)) == 1);
  X509V3_CTX context;
  X509V3_set_ctx(&context, const_cast<X509*>(parent), x, nullptr, nullptr, 0);
  extend(x, &context, NID_basic_constraints, s.authority ? "critical,CA:TRUE" : "CA:FALSE");
  extend(x, &context, NID_key_usage, s.authority ? "critical,keyCertSign,cRLSign" : s.key_usage);
  extend(x, &context, NID_ext_key_usage, s.extended_key_usage);
  extend(x, &context, NID_subject_alt_name, s.alternative_names);
  auto* signing_key = issuer == nullptr ? out.key_.get() : issuer->key_.get();
  must(X509_sign(x, signing_key, EVP_sha256()) > 0);
  return out;
}

TestIdentity TestIdentity::self_signed(const CertificateSettings& settings) {
  return make(settings, nullptr);
}

TestIdentity TestIdentity::issue(const CertificateSettings& settings) const { return make(settings, this); }

base::Bytes TestIdentity::der() const {
  return der_from([this](unsigned char** to) { return i2d_X509(x509_.get(), to); });
}

std::string TestIdentity::pem() const {
  return text_from([this](BIO* to) { return PEM_write_bio_X509(to, x509_.get()); });
}

std::string TestIdentity::key_pem() const {
  return text_from([this](BIO* to) {
    return PEM_write_bio_PrivateKey(to, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

std::string TestIdentity::key_pem_with_passphrase() const {
  return text_from([this](BIO* to) {
    static const unsigned char passphrase[] = {'l', 'a', 'b'};
    return PEM_write_bio_PrivateKey(to, key_.get(), EVP_aes_128_cbc(), passphrase, sizeof passphrase, nullptr,
                                    nullptr);
  });
}

base::Bytes TestIdentity::subject_der() const {
  return der_from(
      [this](unsigned char** to) { return i2d_X509_NAME(X509_get_subject_name(x509_.get()), to); });
}

base::Bytes TestIdentity::revocation_list(const std::vector<const TestIdentity*>& revoked,
                                          std::chrono::hours until) const {
  const std::unique_ptr<X509_CRL, base::FreeWith<X509_CRL_free>> list(X509_CRL_new());
  must(X509_CRL_set_version(list.get(), 1) == 1 &&
       X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(x509_.get())) == 1);
  auto* last = X509_gmtime_adj(nullptr, -7200);
  auto* next = X509_gmtime_adj(nullptr, seconds(until));
  X509_CRL_set1_lastUpdate(list.get(), last);
  X509_CRL_set1_nextUpdate(list.get(), next);
  for (const auto* identity : revoked) {
    auto* entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(identity->x509_.get()));
    X509_REVOKED_set_revocationDate(entry, last);
    must(X509_CRL_add0_revoked(list.get(), entry) == 1);
  }
  ASN1_TIME_free(last);
  ASN1_TIME_free(next);
  must(X509_CRL_sign(list.get(), key_.get(), EVP_sha256()) > 0);
  return der_from([&](unsigned char** to) { return i2d_X509_CRL(list.get(), to); });
}

std::string pem_of_list(base::ByteView der) {
  const unsigned char* at = der.data();
  const std::unique_ptr<X509_CRL, base::FreeWith<X509_CRL_free>> list(
      d2i_X509_CRL(nullptr, &at, static_cast<long>(der.size())));
  return text_from([&](BIO* to) { return PEM_write_bio_X509_CRL(to, list.get()); });
}

base::Bytes pkcs7_of(const std::vector<const TestIdentity*>& certificates) {
  const std::unique_ptr<PKCS7, base::FreeWith<PKCS7_free>> p7(PKCS7_new());
  must(PKCS7_set_type(p7.get(), NID_pkcs7_signed) == 1 && PKCS7_content_new(p7.get(), NID_pkcs7_data) == 1);
  for (const auto* c : certificates) {
    const auto der = c->der();
    const unsigned char* at = der.data();
    const std::unique_ptr<X509, base::FreeWith<X509_free>> x509(
        d2i_X509(nullptr, &at, static_cast<long>(der.size())));
    must(PKCS7_add_certificate(p7.get(), x509.get()) == 1);
  }
  return der_from([&](unsigned char** to) { return i2d_PKCS7(p7.get(), to); });
}

}  // namespace harness
