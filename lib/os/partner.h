#pragma once
// A daemon of two processes: how the one with privileges starts its partner, which reads packets.

#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "os/channel.h"
#include "os/sandbox.h"

namespace os {

struct PartnerCommand {
  /// The program and its arguments; `--packets=FD` is added, the other end of the channel.
  std::vector<std::string> argv;
  /// Where a service manager waits that starts it with the connection as FD; empty: it is a child of this
  /// process.
  std::string launcher = {};
};

struct Partner {
  Channel channel;
  pid_t child = -1;  ///< unless a launcher has started it
};

/// Its first message is `hello`, with copies of these descriptors.
base::Result<Partner> start_partner(const PartnerCommand& command, base::ByteView hello,
                                    std::span<const int> descriptors);

/// The user that the package has made for it. Where there is none, the one to whom nothing belongs.
Unprivileged identity_of(const char* user);

}  // namespace os
