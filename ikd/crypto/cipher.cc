#include "crypto/cipher.h"

#include <cstdlib>
#include <map>
#include <memory>
#include <string_view>

#include <openssl/evp.h>

#include "base/fd.h"

namespace crypto {
namespace {

using Context = std::unique_ptr<EVP_CIPHER_CTX, base::FreeWith<EVP_CIPHER_CTX_free>>;
enum class Direction { decrypt = 0, encrypt = 1 };

const char* name_of(Cipher cipher, std::size_t key_size) {
  if (cipher == Cipher::des3_cbc) return "DES-EDE3-CBC";
  return key_size == 16 ? "AES-128-CBC" : key_size == 24 ? "AES-192-CBC" : "AES-256-CBC";
}

/// Fetched once a thread: a fetch for each call would double its cost.
const EVP_CIPHER* cipher_for(Cipher cipher, std::size_t key_size) {
  thread_local std::map<std::string_view, std::unique_ptr<EVP_CIPHER, base::FreeWith<EVP_CIPHER_free>>> made;
  const auto* name = name_of(cipher, key_size);
  auto& slot = made[name];
  if (!slot) slot.reset(EVP_CIPHER_fetch(nullptr, name, nullptr));
  if (!slot) std::abort();
  return slot.get();
}

base::Bytes run(Direction direction, Cipher cipher, base::ByteView key, base::ByteView iv,
                base::ByteView text) {
  const auto* algorithm = cipher_for(cipher, key.size());
  const auto block = block_size(cipher);
  if (static_cast<int>(key.size()) != EVP_CIPHER_get_key_length(algorithm) || iv.size() != block ||
      text.size() % block != 0)
    std::abort();  // the caller derives key and iv and cuts whole blocks
  const Context context(EVP_CIPHER_CTX_new());
  base::Bytes out(text.size());
  int size = 0;
  const bool ok =
      EVP_CipherInit_ex(context.get(), algorithm, nullptr, key.data(), iv.data(),
                        static_cast<int>(direction)) == 1 &&
      EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1 &&
      EVP_CipherUpdate(context.get(), out.data(), &size, text.data(), static_cast<int>(text.size())) == 1;
  if (!ok || static_cast<std::size_t>(size) != text.size()) std::abort();
  return out;
}

}  // namespace

std::size_t block_size(Cipher cipher) { return cipher == Cipher::des3_cbc ? 8 : 16; }

base::Bytes encrypt_cbc(Cipher cipher, base::ByteView key, base::ByteView iv, base::ByteView text) {
  return run(Direction::encrypt, cipher, key, iv, text);
}
base::Bytes decrypt_cbc(Cipher cipher, base::ByteView key, base::ByteView iv, base::ByteView text) {
  return run(Direction::decrypt, cipher, key, iv, text);
}

}  // namespace crypto
