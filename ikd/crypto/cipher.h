#pragma once
// CBC ciphers of the ISAKMP SA (RFC 2409 Appendix B, RFC 3602).

#include "base/bytes.h"
#include "base/secret.h"
#include "crypto/algorithms.h"

namespace crypto {

/// Bytes of a block, which is also the size of an IV.
std::size_t block_size(Cipher cipher);

/// `text` is a whole number of blocks, `key` 24 bytes for 3DES, 16, 24 or 32 for AES, `iv` one block.
base::Bytes encrypt_cbc(Cipher cipher, base::ByteView key, base::ByteView iv, base::ByteView text);
base::Bytes decrypt_cbc(Cipher cipher, base::ByteView key, base::ByteView iv, base::ByteView text);

}  // namespace crypto
