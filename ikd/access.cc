#include "ikd/access.h"

#include <cerrno>

#include <fmt/format.h>
#include <sys/stat.h>

namespace ikd {
namespace {

base::Result<void> open_for(const std::string& path, uid_t user) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return base::fail_errno("cannot look at " + path, errno);
  const mode_t wanted = S_ISDIR(found.st_mode) ? 0011 : 0044;
  if (found.st_uid == user || (found.st_mode & wanted) != 0) return {};
  return base::fail(fmt::format("{} has mode {:04o}: nobody but its owner gets at it (chmod {})", path,
                                found.st_mode & 07777, S_ISDIR(found.st_mode) ? "755" : "644"));
}

}  // namespace

base::Result<void> readable_for(const std::string& path, uid_t user) {
  for (auto slash = path.find('/', 1); slash != path.npos; slash = path.find('/', slash + 1)) {
    if (auto folder = open_for(path.substr(0, slash), user); !folder) return folder;
  }
  return open_for(path, user);
}

}  // namespace ikd
