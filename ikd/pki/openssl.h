#pragma once
// Owners of OpenSSL's objects. Inside this folder only.

#include <memory>
#include <string>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/bytes.h"
#include "base/fd.h"

namespace pki {

using Bio = std::unique_ptr<BIO, base::FreeWith<BIO_free_all>>;
using Pkey = std::unique_ptr<EVP_PKEY, base::FreeWith<EVP_PKEY_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, base::FreeWith<EVP_PKEY_CTX_free>>;
using Crl = std::unique_ptr<X509_CRL, base::FreeWith<X509_CRL_free>>;

inline Bio reader_of(base::ByteView bytes) {
  return Bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

/// What OpenSSL says went wrong; its queue is empty afterwards.
inline std::string last_error() {
  const auto code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "unknown error" : reason;
}

}  // namespace pki
