#include "l2tpd/reload.h"

#include <map>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace l2tpd {

base::Result<void> check_reload(const config::Config& before, const config::Config& after) {
  const auto refuse = [&](std::string_view section) {
    return tl::unexpected(config::complaint(after, 0, section, "changes at a restart only"));
  };
  if (before.marks != after.marks) return refuse("marks");
  if (before.l2tp != after.l2tp) return refuse("l2tp");
  return {};
}

std::vector<std::string> changes(const config::Config& before, const config::Config& after) {
  std::vector<std::string> out;
  std::map<std::string_view, const config::User*> left;
  for (const auto& user : before.users) left.emplace(user.name, &user);
  for (const auto& user : after.users) {
    const auto old = left.extract(user.name);
    if (old.empty()) {
      out.push_back(fmt::format("+ user {}", user.name));
    } else if (*old.mapped() != user) {
      out.push_back(fmt::format("~ user {}", user.name));
    }
  }
  for (const auto& [name, user] : left) out.push_back(fmt::format("- user {}", name));
  if (before.ppp != after.ppp) out.emplace_back("~ [ppp]");
  if (before.radius != after.radius) out.emplace_back("~ [radius]");
  if (before.hooks != after.hooks) out.emplace_back("~ [hooks]");
  return out;
}

std::string difference(const config::Config& before, const config::Config& after) {
  std::map<std::string, int> users;
  std::vector<std::string> sections;
  for (const auto& line : changes(before, after)) {
    if (line[2] == '[') {
      sections.push_back(line.substr(2) + " changed");
    } else {
      ++users[line[0] == '+' ? "added" : line[0] == '-' ? "removed" : "changed"];
    }
  }
  std::vector<std::string> words;
  for (const auto* what : {"added", "removed", "changed"}) {
    if (users.contains(what)) words.push_back(fmt::format("{} users {}", users[what], what));
  }
  words.insert(words.end(), sections.begin(), sections.end());
  // Passwords are not compared: a sentence about them is nobody's business.
  return words.empty() ? "nothing but secrets may have changed" : fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace l2tpd
