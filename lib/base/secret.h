#pragma once
// Key bytes: move-only, wiped when they go, compared in constant time, never printed.

#include <utility>

#include <openssl/crypto.h>

#include "base/bytes.h"

namespace base {

class Secret {
 public:
  Secret() = default;
  /// Takes the bytes over: the vector passed in owns nothing afterwards.
  explicit Secret(Bytes&& bytes) : bytes_(std::move(bytes)) { bytes.clear(); }
  static Secret copy_of(ByteView bytes) { return Secret(to_bytes(bytes)); }
  static Secret of_size(std::size_t size) { return Secret(Bytes(size)); }

  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      wipe();
      bytes_ = std::exchange(other.bytes_, {});
    }
    return *this;
  }
  ~Secret() { wipe(); }

  ByteView view() const { return bytes_; }
  std::span<std::uint8_t> writable() { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  Secret clone() const { return copy_of(bytes_); }
  /// Keeps the first `size` bytes and wipes the rest.
  void shorten(std::size_t size) {
    if (size >= bytes_.size()) return;
    OPENSSL_cleanse(bytes_.data() + size, bytes_.size() - size);
    bytes_.resize(size);
  }

 private:
  void wipe() {
    if (!bytes_.empty()) OPENSSL_cleanse(bytes_.data(), bytes_.size());
  }
  Bytes bytes_;
};

/// Equal lengths and equal bytes; the time taken tells only the length.
inline bool same_in_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace base
