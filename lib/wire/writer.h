#pragma once
// Writing big-endian messages into a growing buffer; lengths are patched once their contents stand.

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/bytes.h"

namespace wire {

using base::Bytes;
using base::ByteView;

class Writer {
 public:
  void u8(std::uint8_t value) { number(value, 1); }
  void u16(std::uint16_t value) { number(value, 2); }
  void u32(std::uint32_t value) { number(value, 4); }
  void u64(std::uint64_t value) { number(value, 8); }
  void bytes(ByteView view) { base::append(out_, view); }
  void zeros(std::size_t count) { out_.resize(out_.size() + count); }

  /// Where the next byte goes.
  std::size_t mark() const { return out_.size(); }
  void patch_u8(std::size_t at, std::uint8_t value) { out_.at(at) = value; }
  void patch_u16(std::size_t at, std::size_t value) {
    out_.at(at) = static_cast<std::uint8_t>(value >> 8);
    out_.at(at + 1) = static_cast<std::uint8_t>(value);
  }
  void patch_u32(std::size_t at, std::size_t value) {
    patch_u16(at, value >> 16);
    patch_u16(at + 2, value);
  }

  ByteView view() const { return out_; }
  /// Bytes written since `from`, an earlier mark().
  ByteView since(std::size_t from) const { return view().subspan(from); }
  Bytes take() { return std::exchange(out_, {}); }

 private:
  void number(std::uint64_t value, std::size_t size) {
    for (std::size_t i = size; i-- > 0;) out_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  Bytes out_;
};

}  // namespace wire
