#pragma once
// What is printed with --json.

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace xfrmctl {

/// In ASCII alone, so that a terminal does not obey the names in it; octets that are no UTF-8 are U+FFFD.
std::string json_text(const nlohmann::json& document);
/// The same in one line.
std::string json_line(const nlohmann::json& document);

}  // namespace xfrmctl
