#pragma once
// The files that pppd's RADIUS plugin reads, in a private folder of ours: /etc stays as it is, and no secret
// is on a command line.

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "config/config.h"

namespace l2tpd {

/// The plugin's own configuration; the other files are named in it, in `folder`.
std::string radius_configuration(const config::Radius& radius, std::string_view folder);
/// Which secret each server shares with us.
base::Secret radius_secrets(const config::Radius& radius, const config::Secrets& secrets);
/// The attributes that the plugin sends or understands (RFC 2865, 2866, 2548).
std::string radius_dictionary();

/// Writes all of them into `folder`, which is made, and which only we may enter; the path of the
/// configuration.
base::Result<std::string> write_radius_files(const std::string& folder, const config::Config& config,
                                             const config::Secrets& secrets);

/// With the secrets in them, when no pppd needs them any more.
void remove_radius_files(const std::string& folder);

/// How long a pppd may be busy telling the servers that its session has ended.
std::chrono::seconds longest_accounting(const config::Radius& radius);

}  // namespace l2tpd
