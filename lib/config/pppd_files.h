#pragma once
// What a configuration needs of pppd on this host.

#include <map>
#include <string>
#include <utility>

#include "base/result.h"
#include "config/config.h"

namespace config {

inline constexpr const char* pppd_path = "/usr/sbin/pppd";
/// A pattern of glob(7): pppd looks for plugins without a path in a folder named after its version.
inline constexpr const char* pppd_plugins = "/usr/lib{,64}/pppd/*";

class PppdFiles {
 public:
  explicit PppdFiles(std::string pppd = pppd_path, std::string plugins = pppd_plugins)
      : pppd_(std::move(pppd)), plugins_(std::move(plugins)) {}
  /// Whether pppd and its plugins are where they are needed; the sentence says what is missing. Folders are
  /// searched once, and again when a plugin is no longer where it was: cheap enough for every call.
  base::Result<void> check(const Ppp& ppp);

 private:
  bool has_plugin(const std::string& name);

  std::string pppd_, plugins_;
  std::map<std::string, std::string> found_;  ///< paths, by name
};

}  // namespace config
