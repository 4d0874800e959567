#pragma once
// What is different between two configurations.

#include <map>
#include <string_view>
#include <utility>
#include <vector>

namespace config {

/// Of things that have a `name` each: '+', '-' or '~' and whose name, in the order of `after`, what has gone
/// last. The names live as long as the things.
template <class T>
std::vector<std::pair<char, std::string_view>> changed_by_name(const std::vector<T>& before,
                                                               const std::vector<T>& after) {
  std::vector<std::pair<char, std::string_view>> out;
  std::map<std::string_view, const T*> left;
  for (const auto& each : before) left.emplace(each.name, &each);
  for (const auto& each : after) {
    const auto old = left.extract(each.name);
    if (old.empty())
      out.emplace_back('+', each.name);
    else if (*old.mapped() != each)
      out.emplace_back('~', each.name);
  }
  for (const auto& [name, each] : left) out.emplace_back('-', name);
  return out;
}

}  // namespace config
