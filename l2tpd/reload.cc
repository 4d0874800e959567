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

std::string difference(const config::Config& before, const config::Config& after) {
  std::map<std::string_view, const config::User*> old;
  for (const auto& user : before.users) old.emplace(user.name, &user);
  int added = 0, changed = 0;
  for (const auto& user : after.users) {
    const auto it = old.find(user.name);
    if (it == old.end()) {
      ++added;
      continue;
    }
    changed += *it->second != user;
    old.erase(it);
  }
  std::vector<std::string> words;
  if (added > 0) words.push_back(fmt::format("{} users added", added));
  if (!old.empty()) words.push_back(fmt::format("{} users removed", old.size()));
  if (changed > 0) words.push_back(fmt::format("{} users changed", changed));
  if (before.ppp != after.ppp) words.emplace_back("[ppp] changed");
  if (before.radius != after.radius) words.emplace_back("[radius] changed");
  if (before.hooks != after.hooks) words.emplace_back("[hooks] changed");
  // Passwords are not compared: a sentence about them is nobody's business.
  return words.empty() ? "nothing but secrets may have changed" : fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace l2tpd
