#pragma once
// What is read off the clocks, and how it is said.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <sched.h>
#include <time.h>

namespace bench {

/// Seconds; of this process unless another's clock is given.
double cpu_seconds(clockid_t clock = CLOCK_PROCESS_CPUTIME_ID);

/// Resident, as the kernel counts it.
std::size_t resident_bytes();

/// A result: a line of JSON, as tests/bench/report.py reads it.
using Values = std::vector<std::pair<std::string, std::variant<double, std::string>>>;
void tell(std::string_view what, const Values& values);
void warn(const std::string& text);  // the report repeats it

/// Where this process may run.
std::vector<int> allowed_cpus();

/// Keeps this thread, and what it starts, to one of them while it lives.
class Confined {
 public:
  explicit Confined(int cpu);
  Confined(const Confined&) = delete;
  Confined& operator=(const Confined&) = delete;
  ~Confined();

 private:
  cpu_set_t before_{};
};

}  // namespace bench
