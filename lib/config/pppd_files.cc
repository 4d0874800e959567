#include "config/pppd_files.h"

#include <cerrno>

#include <fmt/format.h>
#include <glob.h>
#include <unistd.h>

namespace config {
namespace {

bool has_plugin(const std::string& folders, const char* name) {
  glob_t found{};
  const bool there = ::glob((folders + "/" + name).c_str(), GLOB_BRACE, nullptr, &found) == 0;
  ::globfree(&found);
  return there;
}

}  // namespace

base::Result<void> check_pppd(const Ppp& ppp, const std::string& path, const std::string& plugins) {
  if (::access(path.c_str(), X_OK) != 0)
    return base::fail_errno(fmt::format("cannot run {} (is the package ppp installed?)", path), errno);
  if (::access(ppp.plugin.c_str(), R_OK) != 0)
    return base::fail_errno(fmt::format("cannot read pppd's plugin {} (ppp.plugin)", ppp.plugin), errno);
  const auto missing = [](const char* name) {
    return base::fail(fmt::format("pppd has no plugin {} in /usr/lib/pppd or /usr/lib64/pppd", name));
  };
  if (!has_plugin(plugins, "pppol2tp.so")) return missing("pppol2tp.so");
  if (ppp.users == UserSource::radius && !has_plugin(plugins, "radius.so")) return missing("radius.so");
  return {};
}

}  // namespace config
