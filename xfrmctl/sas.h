#pragma once
// `xfrmctl sas` and `xfrmctl policies`: the kernel's own lists, joined with the peers.

#include <string>
#include <vector>

#include "xfrmctl/kernel.h"
#include "xfrmctl/owner.h"

namespace xfrmctl {

/// The peers' first, by number, inbound before outbound; then all others. `now`: Unix time, for ages.
std::string sas_json(std::vector<KernelSa> sas, const Owners& owners, std::uint64_t now);
std::string sas_table(std::vector<KernelSa> sas, const Owners& owners, std::uint64_t now);
/// In the same order; {"version": 1, …} as all JSON here.
std::string policies_json(std::vector<KernelPolicy> policies, const Owners& owners);
std::string policies_table(std::vector<KernelPolicy> policies, const Owners& owners);

/// "aes256-sha1", as proposals are written; the kernel's own names for what ikd does not know.
std::string transform_text(const KernelSa& sa);

}  // namespace xfrmctl
