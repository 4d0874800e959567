// The octets a client may send, in pieces: framing gives every message once, in order and within the
// limit; rows that are read back are those that were written.

#include <nlohmann/json.hpp>

#include "control/framing.h"
#include "control/rows.h"

namespace {

void check_row(const std::string& message) {
  const auto json = control::Json::parse(message, nullptr, false);
  if (const auto peer = control::peer_from(json)) {
    if (control::peer_from(control::to_json(*peer)).value() != *peer) __builtin_trap();
  }
  if (const auto session = control::session_from(json)) {
    if (control::session_from(control::to_json(*session)).value() != *session) __builtin_trap();
  }
  if (const auto status = control::status_from(json)) {
    if (control::status_from(control::to_json(*status)).value() != *status) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::size_t longest = 512;
  const std::size_t piece = data[0] + std::size_t{1};
  const base::ByteView stream{data + 1, size - 1};
  control::Framer framer(longest);
  std::string heard;
  for (std::size_t i = 0; i < stream.size(); i += piece) {
    framer.append(stream.subspan(i, std::min(piece, stream.size() - i)));
    while (const auto message = framer.next()) {
      if (message->size() > longest || message->find('\0') != std::string::npos) __builtin_trap();
      heard += *message + '\0';
      check_row(*message);
    }
  }
  if (!base::as_text(stream).starts_with(heard)) __builtin_trap();
  if (!framer.overflowed() && heard.size() + framer.waiting() != stream.size()) __builtin_trap();
  return 0;
}
