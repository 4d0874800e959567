#include "control/framing.h"

namespace control {

void Framer::append(base::ByteView bytes) {
  if (start_ > 0 && start_ >= buffer_.size() / 2) {
    buffer_.erase(0, start_);
    scanned_ -= start_;
    start_ = 0;
  }
  buffer_.append(base::as_text(bytes));
}

std::optional<std::string> Framer::next() {
  if (overflowed_) return std::nullopt;
  const auto end = buffer_.find('\0', scanned_);
  scanned_ = end == std::string::npos ? buffer_.size() : end;
  if (scanned_ - start_ > longest_) {
    overflowed_ = true;
    return std::nullopt;
  }
  if (end == std::string::npos) return std::nullopt;
  std::string message = buffer_.substr(start_, end - start_);
  start_ = scanned_ = end + 1;
  return message;
}

}  // namespace control
