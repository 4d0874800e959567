#pragma once
// Messages and descriptors between two processes of one program.

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/result.h"
#include "base/secret.h"

namespace os {

/// One end of a SOCK_SEQPACKET pair.
class Channel {
 public:
  static constexpr std::size_t longest_message = 128 * 1024;
  static constexpr std::size_t most_descriptors = 200;

  struct Message {
    base::Secret bytes;
    std::vector<base::Fd> descriptors;
  };

  static base::Result<std::pair<Channel, Channel>> pair();
  /// To whoever listens there.
  static base::Result<Channel> connect(const std::string& path);
  Channel() = default;
  explicit Channel(base::Fd fd) : fd_(std::move(fd)) {}

  /// Never waits. False when the other end has gone or does not read, or the message is too long.
  bool send(base::ByteView bytes, std::span<const int> descriptors = {});
  /// Waits for one. None when the other end has gone, or sent what no message is.
  std::optional<Message> receive();

  /// For both ends: whoever waits in receive() gets none.
  void shut();

  int fd() const { return fd_.get(); }
  base::Fd release() { return std::move(fd_); }

 private:
  base::Fd fd_;
};

}  // namespace os
