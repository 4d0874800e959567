#pragma once
// Unix stream sockets by path. Inside this folder only.

#include <string>

#include <sys/un.h>

#include "base/fd.h"
#include "base/result.h"
#include "base/time.h"

namespace control {

/// Refuses a path too long for a socket (107 octets).
base::Result<sockaddr_un> unix_address(const std::string& path);
/// Local connections succeed or fail at once, unless many want one: then this waits for its turn, so long;
/// with no patience at all that is an error.
base::Result<base::Fd> connect_unix(const std::string& path, base::Duration patience = {});
/// Makes way for a new socket unless something answers on the old one or it is no socket.
base::Result<void> remove_stale_socket(const std::string& path);

}  // namespace control
