#pragma once
// Sections of sameroof.toml that are read in a file of their own. Inside this folder only.

#include "config/entry.h"

namespace config {

inline constexpr std::int64_t one_day = 86400;

void read_ppp(const Entry& section, Ppp& out);
void read_hooks(const Entry& section, Hooks& out);
void read_radius(const Entry& section, Radius& out);
/// `defaults`: the limits of a user whose table names none.
void read_user(const Entry& table, const Limits& defaults, std::vector<User>& out);

}  // namespace config
