#include "cost.h"

#include <fstream>
#include <iostream>

#include <nlohmann/json.hpp>
#include <unistd.h>

namespace bench {

double cpu_seconds(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void tell(std::string_view what, const Values& values) {
  nlohmann::ordered_json line{{"what", what}};
  for (const auto& [name, value] : values)
    line[name] = std::visit([](const auto& v) { return nlohmann::ordered_json(v); }, value);
  std::cout << "= " << line << std::endl;
}

void warn(const std::string& text) { std::cout << "warning: " << text << std::endl; }

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  sched_getaffinity(0, sizeof set, &set);
  std::vector<int> out;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(static_cast<std::size_t>(i), &set)) out.push_back(i);
  }
  return out;
}

Confined::Confined(int cpu) {
  sched_getaffinity(0, sizeof before_, &before_);
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(cpu), &one);
  sched_setaffinity(0, sizeof one, &one);
}

Confined::~Confined() { sched_setaffinity(0, sizeof before_, &before_); }

}  // namespace bench
