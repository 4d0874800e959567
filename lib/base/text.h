#pragma once
// Text that others have a say in, for people's eyes.

#include <cstddef>
#include <string>
#include <string_view>

namespace base {

/// The octets of the character of UTF-8 (RFC 3629 §4) that the text begins with; 0: it begins with none.
std::size_t utf8_size(std::string_view text);

/// One line that a terminal does not obey: "?" in place of control characters, those of Unicode (C1)
/// included, and of what is no UTF-8.
std::string one_line(std::string_view text);

}  // namespace base
