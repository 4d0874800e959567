#include "crypto/prf.h"

#include <cstdlib>
#include <memory>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base/fd.h"

namespace crypto {
namespace {

using Mac = std::unique_ptr<EVP_MAC, base::FreeWith<EVP_MAC_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, base::FreeWith<EVP_MAC_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, base::FreeWith<EVP_MD_CTX_free>>;

const char* name_of(Hash hash) {
  switch (hash) {
    case Hash::md5: return "MD5";
    case Hash::sha1: return "SHA1";
    case Hash::sha2_256: return "SHA256";
    case Hash::sha2_384: return "SHA384";
    case Hash::sha2_512: return "SHA512";
  }
  std::abort();
}

/// Fetched once a thread, as all of these are: a fetch for each call would double its cost.
const EVP_MD* message_digest(Hash hash) {
  thread_local std::unique_ptr<EVP_MD, base::FreeWith<EVP_MD_free>> made[7];
  auto& slot = made[static_cast<std::size_t>(hash)];
  if (!slot) slot.reset(EVP_MD_fetch(nullptr, name_of(hash), nullptr));
  if (!slot) std::abort();
  return slot.get();
}

EVP_MAC_CTX* hmac_template(Hash hash) {
  thread_local std::unique_ptr<EVP_MAC_CTX, base::FreeWith<EVP_MAC_CTX_free>> made[7];
  auto& slot = made[static_cast<std::size_t>(hash)];
  if (!slot) {
    const Mac mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
    slot.reset(EVP_MAC_CTX_new(mac.get()));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(name_of(hash)), 0),
        OSSL_PARAM_construct_end()};
    if (EVP_MAC_CTX_set_params(slot.get(), params) != 1) std::abort();
  }
  return slot.get();
}

}  // namespace

std::size_t hash_size(Hash hash) { return static_cast<std::size_t>(EVP_MD_get_size(message_digest(hash))); }

base::Bytes digest(Hash hash, std::initializer_list<base::ByteView> parts) {
  const DigestContext context(EVP_MD_CTX_new());
  base::Bytes out(hash_size(hash));
  bool ok = EVP_DigestInit_ex(context.get(), message_digest(hash), nullptr) == 1;
  for (const auto part : parts) ok = ok && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
  if (!ok || EVP_DigestFinal_ex(context.get(), out.data(), nullptr) != 1) std::abort();
  return out;
}

base::Secret prf(Hash hash, base::ByteView key, std::initializer_list<base::ByteView> parts) {
  const MacContext context(EVP_MAC_CTX_dup(hmac_template(hash)));
  auto out = base::Secret::of_size(hash_size(hash));
  static constexpr std::uint8_t no_key = 0;
  bool ok = EVP_MAC_init(context.get(), key.empty() ? &no_key : key.data(), key.size(), nullptr) == 1;
  for (const auto part : parts) ok = ok && EVP_MAC_update(context.get(), part.data(), part.size()) == 1;
  std::size_t size = 0;
  if (!ok || EVP_MAC_final(context.get(), out.writable().data(), &size, out.size()) != 1) std::abort();
  return out;
}

void prepare() {
  OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_CIPHERS | OPENSSL_INIT_ADD_ALL_DIGESTS |
                          OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
                      nullptr);
  std::uint8_t some[1];
  random_bytes(some);
}

void random_bytes(std::span<std::uint8_t> out) {
  if (RAND_bytes(out.data(), static_cast<int>(out.size())) != 1) std::abort();
}

}  // namespace crypto
