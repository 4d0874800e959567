#pragma once
// What is wrong with a host, and what to do about it.

#include <string>
#include <vector>

namespace doctor {

enum class Severity {
  warning,  ///< works, but not for everybody or not for long
  error     ///< clients cannot connect, or reach nothing
};

struct Finding {
  std::string check;  ///< which one found it: "ports"
  Severity severity = Severity::error;
  std::string sentence, remedy;

  bool operator==(const Finding&) const = default;
};

using Findings = std::vector<Finding>;

}  // namespace doctor
