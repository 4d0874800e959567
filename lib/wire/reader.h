#pragma once
// Reading big-endian messages. Sticky: the first short read makes every later getter zero or empty and
// ok() false, so a decoder reads straight down and is checked once.

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace wire {

using base::ByteView;

class Reader {
 public:
  explicit Reader(ByteView in) : in_(in) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  std::uint64_t u64() { return number(8); }

  /// A view into the message, `size` bytes long, or empty when so many are not left.
  ByteView bytes(std::size_t size) {
    if (!ok_ || size > left()) {
      ok_ = false;
      return {};
    }
    const auto out = in_.subspan(at_, size);
    at_ += size;
    return out;
  }
  ByteView rest() { return bytes(left()); }
  void skip(std::size_t size) { bytes(size); }
  /// A reader over the next `size` bytes; not ok() when so many are not left.
  Reader sub(std::size_t size) {
    Reader out(bytes(size));
    out.ok_ = ok_;
    return out;
  }

  bool ok() const { return ok_; }
  std::size_t left() const { return ok_ ? in_.size() - at_ : 0; }
  std::size_t at() const { return at_; }

 private:
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    for (const auto b : bytes(size)) value = value << 8 | b;
    return value;
  }

  ByteView in_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace wire
