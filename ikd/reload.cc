#include "ikd/reload.h"

#include <algorithm>
#include <map>
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

/// By name, or where there are very many of a kind how many.
template <class T>
void tell_by_name(std::vector<std::string>& out, std::string_view what, const std::vector<T>& before,
                  const std::vector<T>& after) {
  constexpr std::size_t most_names = 100;
  std::map<char, std::vector<std::string_view>> names;
  for (const auto& [kind, name] : config::changed_by_name(before, after)) names[kind].push_back(name);
  for (const char kind : {'+', '-', '~'}) {
    if (names[kind].size() > most_names) {
      out.push_back(fmt::format("{} {} {}, {} of them", kind, what, names[kind].front(), names[kind].size()));
      continue;
    }
    for (const auto name : names[kind]) out.push_back(fmt::format("{} {} {}", kind, what, name));
  }
}

}  // namespace

base::Result<void> check_reload(const Config& before, const Config& after) {
  const auto refuse = [&](config::Line line, std::string_view key) {
    return tl::unexpected(config::complaint(after, line, key, "changes at a restart only"));
  };
  if (before.marks != after.marks) return refuse(after.marks.line, "marks");
  if (before.ike.listen != after.ike.listen) return refuse(after.ike.line, "ike.listen");
  if (l2tp_of(before) != l2tp_of(after)) return refuse(after.l2tp.line, "l2tp");
  if (before.services != after.services) return refuse({}, "service");
  return {};
}

std::vector<std::string> changes(const Loaded& before, const Loaded& after) {
  std::vector<std::string> out;
  const auto &then = before.config.ike, &now = after.config.ike;
  tell_by_name(out, "PSK", then.psks, now.psks);
  tell_by_name(out, "certificate class", then.certificates, now.certificates);
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
