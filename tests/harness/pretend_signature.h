#pragma once
// Signatures that cost nothing and are the same in every run, for certificates that are any bytes at all:
// for tests of the protocol. Who knows a certificate can sign with it.

#include "base/bytes.h"
#include "crypto/prf.h"

namespace harness {

inline base::Bytes pretend_sign(base::ByteView certificate, base::ByteView hash) {
  return crypto::digest(crypto::Hash::sha2_256, {certificate, hash});
}

}  // namespace harness
