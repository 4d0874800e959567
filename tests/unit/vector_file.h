#pragma once
// Vectors as text: `name = hexadecimal`, and lines of comment.

#include <fstream>
#include <map>
#include <string>

namespace vectors {

/// Of a file in tests/vectors/.
inline std::map<std::string, std::string> of(const std::string& file) {
  std::map<std::string, std::string> out;
  std::ifstream in(SAMEROOF_SOURCE_DIR "/tests/vectors/" + file);
  for (std::string line; std::getline(in, line);) {
    const auto at = line.find(" = ");
    if (line.starts_with('#') || at == std::string::npos) continue;
    out[line.substr(0, at)] = line.substr(at + 3);
  }
  return out;
}

}  // namespace vectors
