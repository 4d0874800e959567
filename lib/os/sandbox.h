#pragma once
// The end of a process's privileges: afterwards it can work with the descriptors that it has, and nothing
// else.

#include <sys/types.h>

#include "base/result.h"

namespace os {

struct Unprivileged {
  uid_t user;
  gid_t group;
};

/// For every thread of this process, for good: another user without capabilities (where this one is root), no
/// more of them ever, and only system calls that work with what is open already. No file can be opened, no
/// program run, no process or thread made, no memory made executable; what is refused fails with EPERM. Ends
/// with its parent.
base::Result<void> confine(const Unprivileged& identity);

}  // namespace os
