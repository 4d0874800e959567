#pragma once
// Reads tests/vectors/l2tp/*.hex: hexadecimal, '#' begins a comment line.

#include <fstream>
#include <stdexcept>
#include <string>

#include "base/bytes.h"

namespace l2tp::testing {

inline base::Bytes vector(const std::string& name) {
  std::ifstream file(std::string(SAMEROOF_SOURCE_DIR) + "/tests/vectors/l2tp/" + name + ".hex");
  if (!file) throw std::runtime_error("no vector " + name);
  std::string digits;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with('#')) digits += line;
  }
  return base::from_hex(digits);
}

}  // namespace l2tp::testing
