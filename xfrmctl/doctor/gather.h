#pragma once
// Who looks at the host. Needs root: other programs' sockets and nftables are shown to nobody else.

#include "base/result.h"
#include "config/config.h"
#include "doctor/facts.h"
#include "doctor/firewall.h"

namespace doctor {

/// What could not be read is as if it were in order, or missing where that is worse.
HostFacts look_at_host(const config::Config& config, const std::string& config_path);

struct Tables {
  std::string ours;     ///< as `nft --json list table` shows it; empty: there is none
  std::string shipped;  ///< the same of what it should be
  Firewall others;
};
base::Result<Tables> look_at_tables(const config::Config& config);

// Parts of the first, from files that are no network's.
std::vector<Module> look_for_modules(const std::string& kernel, const std::vector<std::string>& names);
std::vector<Ban> look_for_bans();
void look_at_certificates(const config::Config& config, HostFacts& facts);
/// A file, even one of /proc; empty where it cannot be read.
std::string text_of_file(const std::string& path);

}  // namespace doctor
