#pragma once
// What a configuration needs of pppd on this host.

#include <string>

#include "base/result.h"
#include "config/config.h"

namespace config {

inline constexpr const char* pppd_path = "/usr/sbin/pppd";

/// Whether pppd and its plugins are where they are needed; the sentence says what is missing.
base::Result<void> check_pppd(const Ppp& ppp, const std::string& path = pppd_path);

}  // namespace config
