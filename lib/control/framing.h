#pragma once
// varlink's framing: JSON texts, each ended by one NUL octet.

#include <cstddef>
#include <optional>
#include <string>

#include "base/bytes.h"

namespace control {

/// Collects what arrives and hands out whole messages.
class Framer {
 public:
  /// A message of more than `longest` octets is refused.
  explicit Framer(std::size_t longest) : longest_(longest) {}

  void append(base::ByteView bytes);
  /// The next whole message without its NUL.
  std::optional<std::string> next();
  /// The message at the front, whole or not, is longer than allowed: the stream is of no more use.
  bool overflowed() const { return overflowed_; }
  /// Octets that wait, whole messages or not.
  std::size_t waiting() const { return buffer_.size() - start_; }

 private:
  std::size_t longest_;
  std::string buffer_;
  std::size_t start_ = 0;    ///< of the message at the front
  std::size_t scanned_ = 0;  ///< no NUL between start_ and here
  bool overflowed_ = false;
};

}  // namespace control
