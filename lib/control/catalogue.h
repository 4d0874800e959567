#pragma once
// The catalogue of refusals: what each means, what to do about it, and what the client's own screen says.

#include <span>
#include <string>
#include <string_view>

namespace control {

struct CatalogueEntry {
  std::string_view id;       ///< as events and metrics name it
  std::string_view meaning;  ///< a sentence about the client: "it …"
  std::string_view remedy;   ///< what an administrator does
  std::string_view windows;  ///< its error number
  std::string_view apple;
  std::string_view android;  ///< up to 11
};

std::span<const CatalogueEntry> catalogue();
/// Null for what is not in it.
const CatalogueEntry* catalogue_entry(std::string_view id);
/// What the client shows: "Windows error 789; …"; empty where it shows nothing.
std::string on_the_client(const CatalogueEntry& entry);

}  // namespace control
