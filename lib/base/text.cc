#include "base/text.h"

#include <cstdint>

namespace base {

std::size_t utf8_size(std::string_view text) {
  const auto octet = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  if (text.empty()) return 0;
  const auto c = octet(0);
  if (c < 0x80) return 1;
  const std::size_t size = c < 0xc2 || c > 0xf4 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
  if (size == 0 || text.size() < size) return 0;
  const std::uint8_t least = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
  const std::uint8_t most = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
  if (octet(1) < least || octet(1) > most) return 0;
  for (std::size_t i = 2; i < size; ++i) {
    if ((octet(i) & 0xc0) != 0x80) return 0;
  }
  return size;
}

std::string one_line(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto size = utf8_size(text);
    const auto c = static_cast<std::uint8_t>(text[0]);
    const bool c1 = size == 2 && c == 0xc2 && static_cast<std::uint8_t>(text[1]) < 0xa0;
    const bool shown = size > 0 && c >= 0x20 && c != 0x7f && !c1;
    const auto taken = size > 0 ? size : 1;
    out += shown ? text.substr(0, taken) : "?";
    text.remove_prefix(taken);
  }
  return out;
}

}  // namespace base
