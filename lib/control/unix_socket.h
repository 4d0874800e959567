#pragma once
// Unix stream sockets by path. Inside this folder only.

#include <string>

#include <sys/un.h>

#include "base/fd.h"
#include "base/result.h"

namespace control {

/// Refuses a path too long for a socket (107 octets).
base::Result<sockaddr_un> unix_address(const std::string& path);
/// Non-blocking. Local connections succeed or fail at once; a full backlog is an error.
base::Result<base::Fd> connect_unix(const std::string& path);
/// Makes way for a new socket unless something answers on the old one or it is no socket.
base::Result<void> remove_stale_socket(const std::string& path);

}  // namespace control
