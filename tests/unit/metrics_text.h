#pragma once
// What others say of our metrics: promtool of Debian's package prometheus, and our own dashboard.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "control/metrics.h"

inline bool has_promtool() { return std::system("command -v promtool >/dev/null") == 0; }

/// Complaints; empty when there are none.
inline std::string promtool_says(const std::string& text) {
  char name[] = "/tmp/metrics.XXXXXX";
  const int fd = ::mkstemp(name);
  if (fd < 0) return "no file for it";
  std::ofstream(name) << text;
  const auto command = std::string("promtool check metrics < ") + name + " 2>&1";
  std::string out;
  FILE* pipe = ::popen(command.c_str(), "r");
  char buffer[4096];
  while (const auto n = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, n);
  const int status = ::pclose(pipe);
  std::remove(name);
  return status == 0 ? out : out + "(status " + std::to_string(status) + ")";
}

/// Metrics that the dashboard asks for, whose names begin so.
inline std::set<std::string> metrics_of_dashboard(const std::string& prefix) {
  std::stringstream text;
  text << std::ifstream(SAMEROOF_SOURCE_DIR "/packaging/grafana/sameroof.json").rdbuf();
  const auto all = text.str();
  std::set<std::string> out;
  for (auto at = all.find(prefix); at != std::string::npos; at = all.find(prefix, at + 1)) {
    const auto end = all.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_", at);
    out.insert(all.substr(at, end - at));
  }
  return out;
}

/// Metrics that the dashboard asks for, and that are not among these.
inline std::set<std::string> unknown_to_dashboard(const std::string& prefix,
                                                  const std::vector<control::MetricFamily>& families) {
  auto left = metrics_of_dashboard(prefix);
  for (const auto& family : families) {
    for (const auto& sample : family.samples) left.erase(family.name + sample.suffix);
  }
  return left;
}
