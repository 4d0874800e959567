#include "config/pppd_files.h"

#include <cerrno>

#include <fmt/format.h>
#include <glob.h>
#include <unistd.h>

namespace config {

bool PppdFiles::has_plugin(const std::string& name) {
  auto& path = found_[name];
  if (!path.empty() && ::access(path.c_str(), F_OK) == 0) return true;
  glob_t found{};
  const bool there = ::glob((plugins_ + "/" + name).c_str(), GLOB_BRACE, nullptr, &found) == 0;
  path = there ? found.gl_pathv[0] : "";
  ::globfree(&found);
  return there;
}

base::Result<void> PppdFiles::check(const Ppp& ppp) {
  if (::access(pppd_.c_str(), X_OK) != 0)
    return base::fail_errno(fmt::format("cannot run {} (is the package ppp installed?)", pppd_), errno);
  if (::access(ppp.plugin.c_str(), R_OK) != 0)
    return base::fail_errno(fmt::format("cannot read pppd's plugin {} (ppp.plugin)", ppp.plugin), errno);
  const auto missing = [](const char* name) {
    return base::fail(fmt::format("pppd has no plugin {} in /usr/lib/pppd or /usr/lib64/pppd", name));
  };
  if (!has_plugin("pppol2tp.so")) return missing("pppol2tp.so");
  if (ppp.users == UserSource::radius && !has_plugin("radius.so")) return missing("radius.so");
  return {};
}

}  // namespace config
