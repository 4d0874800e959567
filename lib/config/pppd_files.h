#pragma once
// What a configuration needs of pppd on this host.

#include <string>

#include "base/result.h"
#include "config/config.h"

namespace config {

inline constexpr const char* pppd_path = "/usr/sbin/pppd";
/// A pattern of glob(7): pppd looks for plugins without a path in a folder named after its version.
inline constexpr const char* pppd_plugins = "/usr/lib{,64}/pppd/*";

/// Whether pppd and its plugins are where they are needed; the sentence says what is missing.
base::Result<void> check_pppd(const Ppp& ppp, const std::string& path = pppd_path,
                              const std::string& plugins = pppd_plugins);

}  // namespace config
