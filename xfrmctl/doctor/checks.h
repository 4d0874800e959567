#pragma once
// The checks of `xfrmctl doctor`: pure functions of what was found.

#include <string>
#include <string_view>

#include "config/config.h"
#include "doctor/facts.h"
#include "doctor/finding.h"
#include "doctor/firewall.h"

namespace doctor {

/// In the order in which they are worth mending.
Findings check_host(const HostFacts& facts, const config::Config& config);

/// What modules-load.d/sameroof.conf names, as far as this configuration needs it, and what these bring
/// along.
std::vector<std::string> modules_needed(const config::Config& config);
Findings check_kernel(const HostFacts& facts);
Findings check_pppd(const HostFacts& facts, const config::Config& config);
Findings check_sysctls(const HostFacts& facts, const config::Config& config);
Findings check_ports(const HostFacts& facts, const config::Config& config);
Findings check_routes(const HostFacts& facts, const config::Config& config);
Findings check_certificates(const HostFacts& facts);
Findings check_clock(const HostFacts& facts, const config::Config& config);
Findings check_pool(const HostFacts& facts, const config::Config& config);
Findings check_mtu(const HostFacts& facts, const config::Config& config);

/// `installed`, `shipped`: our table as `nft --json list table` shows it; empty `installed`: there is none.
Findings check_table(std::string_view installed, std::string_view shipped);
Findings check_firewall(const Firewall& others, const config::Config& config);
Findings check_marks(const Firewall& others, const std::vector<MarkRule>& rules,
                     const config::Config& config);

}  // namespace doctor
