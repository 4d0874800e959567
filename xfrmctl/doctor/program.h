#pragma once
// Other programs, asked by the doctor.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace doctor {

enum class Network {
  ours,
  empty  ///< a network namespace of its own, gone with it
};

/// What words[0], looked for in PATH, prints when it is given `input`; an error where it cannot be run or
/// fails.
base::Result<std::string> output_of(const std::vector<std::string>& words, std::string_view input = {},
                                    Network network = Network::ours);

}  // namespace doctor
