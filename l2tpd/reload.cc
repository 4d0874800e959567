#include "l2tpd/reload.h"

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "config/changes.h"

namespace l2tpd {
namespace {

std::vector<std::string_view> changed_sections(const config::Config& before, const config::Config& after) {
  std::vector<std::string_view> out;
  if (before.ppp != after.ppp) out.emplace_back("[ppp]");
  if (before.radius != after.radius) out.emplace_back("[radius]");
  if (before.hooks != after.hooks) out.emplace_back("[hooks]");
  return out;
}

}  // namespace

base::Result<void> check_reload(const config::Config& before, const config::Config& after,
                                const std::optional<std::string>& user_there) {
  const auto refuse = [&](config::Line line, std::string_view section) {
    return tl::unexpected(config::complaint(after, line, section, "changes at a restart only"));
  };
  if (before.marks != after.marks) return refuse(after.marks.line, "marks");
  if (before.l2tp != after.l2tp) return refuse(after.l2tp.line, "l2tp");
  // The kernel would keep for itself what is sent to that session.
  if (user_there)
    return tl::unexpected(
        config::complaint(after, after.ppp.line, "ppp.local_address",
                          fmt::format("is the address of a session of user '{}'", *user_there)));
  return {};
}

std::vector<std::string> changes(const config::Config& before, const config::Config& after) {
  std::vector<std::string> out;
  for (const auto& [kind, user] : config::changed_by_name(before.users, after.users))
    out.push_back(fmt::format("{} user {}", kind, user));
  for (const auto& section : changed_sections(before, after)) out.push_back(fmt::format("~ {}", section));
  return out;
}

std::string difference(const config::Config& before, const config::Config& after) {
  std::map<char, int> users;
  for (const auto& [kind, user] : config::changed_by_name(before.users, after.users)) ++users[kind];
  std::vector<std::string> words;
  for (const auto& [kind, word] :
       {std::pair('+', "added"), std::pair('-', "removed"), std::pair('~', "changed")}) {
    if (const int count = users[kind]; count > 0)
      words.push_back(fmt::format("{} {} {}", count, count == 1 ? "user" : "users", word));
  }
  for (const auto& section : changed_sections(before, after))
    words.push_back(fmt::format("{} changed", section));
  // Passwords are not compared: a sentence about them is nobody's business.
  return words.empty() ? "nothing but secrets may have changed" : fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace l2tpd
