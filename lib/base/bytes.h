#pragma once
// Byte strings as they travel: borrowed views and owned vectors.

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace base {

using ByteView = std::span<const std::uint8_t>;
using Bytes = std::vector<std::uint8_t>;

inline Bytes to_bytes(ByteView view) { return {view.begin(), view.end()}; }
inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView view) {
  return {reinterpret_cast<const char*>(view.data()), view.size()};
}
/// Not constant-time: for public values. Secrets compare through `Secret`.
inline bool equal(ByteView a, ByteView b) { return std::ranges::equal(a, b); }
inline void append(Bytes& to, ByteView more) { to.insert(to.end(), more.begin(), more.end()); }

/// Lower-case hexadecimal without separators.
std::string hex(ByteView bytes);
/// The inverse of hex(); white space and colons are skipped. Empty when `text` is no hexadecimal.
Bytes from_hex(std::string_view text);

}  // namespace base
