#include "ikd/reload.h"

#include <algorithm>
#include <string_view>
#include <tuple>

#include <fmt/format.h>

#include "config/changes.h"

namespace ikd {
namespace {

using config::Config;
using Paths = std::vector<config::Located<std::string>>;

/// What ikd makes of [l2tp].
auto l2tp_of(const Config& config) {
  return std::tuple(config.l2tp.lns, config.l2tp.external_lookup, config.l2tp.cleartext);
}

/// [ike] without what is told by name.
config::Ike rest_of(config::Ike ike) {
  ike.psks.clear();
  ike.certificates.clear();
  ike.own_certificates.clear();
  ike.trust.clear();
  ike.revocation.clear();
  return ike;
}

std::vector<base::ByteView> contents(const Paths& paths, const Provision& provision) {
  std::vector<base::ByteView> out;
  for (const auto& path : paths) {
    const auto file = std::ranges::find(provision.files, path.value, &Provision::File::path);
    out.push_back(file == provision.files.end() ? base::ByteView() : base::ByteView(file->bytes));
  }
  return out;
}

bool same_contents(const Paths& before, const Loaded& then, const Paths& after, const Loaded& now) {
  return std::ranges::equal(contents(before, then.provision), contents(after, now.provision),
                            [](base::ByteView a, base::ByteView b) { return std::ranges::equal(a, b); });
}

}  // namespace

base::Result<void> check_reload(const Config& before, const Config& after) {
  const auto refuse = [&](std::string_view key) {
    return tl::unexpected(config::complaint(after, 0, key, "changes at a restart only"));
  };
  if (before.marks != after.marks) return refuse("marks");
  if (before.ike.listen != after.ike.listen) return refuse("ike.listen");
  if (l2tp_of(before) != l2tp_of(after)) return refuse("l2tp");
  if (before.services != after.services) return refuse("service");
  return {};
}

std::vector<std::string> changes(const Loaded& before, const Loaded& after) {
  std::vector<std::string> out;
  const auto &then = before.config.ike, &now = after.config.ike;
  for (const auto& [kind, name] : config::changed_by_name(then.psks, now.psks))
    out.push_back(fmt::format("{} PSK {}", kind, name));
  for (const auto& [kind, name] : config::changed_by_name(then.certificates, now.certificates))
    out.push_back(fmt::format("{} certificate class {}", kind, name));
  if (rest_of(then) != rest_of(now)) out.emplace_back("~ [ike]");
  if (!same_contents(then.trust, before, now.trust, after)) out.emplace_back("~ ike.trust");
  if (!same_contents(then.revocation, before, now.revocation, after)) out.emplace_back("~ ike.revocation");
  if (before.provision.certificates != after.provision.certificates)
    out.emplace_back("~ ike.own_certificate");
  return out;
}

std::string summary(const std::vector<std::string>& changes) {
  return changes.empty() ? "nothing but secrets may have changed"
                         : fmt::format("{}", fmt::join(changes, ", "));
}

}  // namespace ikd
