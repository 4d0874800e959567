#pragma once
// A configuration that takes the place of another while sessions live. Pure.

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace l2tpd {

/// Refuses what only a restart can change, by its section. `user_there`: whose session has the new
/// ppp.local_address.
base::Result<void> check_reload(const config::Config& before, const config::Config& after,
                                const std::optional<std::string>& user_there);

/// "2 users added, 1 user removed, [ppp] changed"; secrets are not compared.
std::string difference(const config::Config& before, const config::Config& after);

/// The same with names: "+ user carol", "- user bob", "~ user alice", "~ [ppp]".
std::vector<std::string> changes(const config::Config& before, const config::Config& after);

}  // namespace l2tpd
