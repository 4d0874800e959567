#pragma once
// What a daemon counts, as families of samples, and the two texts that monitoring systems read them in.

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.h"
#include "base/time.h"

namespace control {

using Json = nlohmann::json;
using Labels = std::map<std::string, std::string>;

enum class MetricType { counter, gauge, histogram };

struct MetricSample {
  std::string suffix;  ///< of the family's name: "_total", "_bucket"
  Labels labels;
  double value = 0;

  bool operator==(const MetricSample&) const = default;
};

struct MetricFamily {
  std::string name;  ///< without a suffix
  std::string help;
  MetricType type = MetricType::gauge;
  std::vector<MetricSample> samples;

  bool operator==(const MetricFamily&) const = default;
};

/// How long something took, in buckets from a millisecond to half a minute.
class DurationHistogram {
 public:
  static constexpr std::array<double, 12> bounds = {0.001, 0.005, 0.01, 0.05, 0.1, 0.25,
                                                    0.5,   1,     2.5,  5,    10,  30};
  void observe(base::Duration took);
  /// _bucket, _sum and _count, each with these labels.
  void add_to(MetricFamily& family, const Labels& labels) const;

 private:
  std::array<std::uint64_t, bounds.size() + 1> counts_{};  ///< the last one: longer than all bounds
  double sum_ = 0;
};

template <class Number>
MetricFamily gauge(std::string name, std::string help, Number value) {
  return {std::move(name), std::move(help), MetricType::gauge, {{"", {}, static_cast<double>(value)}}};
}
template <class Number>
MetricFamily counter(std::string name, std::string help, Number value) {
  return {
      std::move(name), std::move(help), MetricType::counter, {{"_total", {}, static_cast<double>(value)}}};
}
/// One sample for each value of the label.
MetricFamily counters(std::string name, std::string help, const std::string& label,
                      const std::map<std::string, std::uint64_t>& values);

/// Prometheus text format 0.0.4.
std::string prometheus_text(const std::vector<MetricFamily>& families);
/// OpenMetrics 1.0, with its closing "# EOF".
std::string openmetrics_text(const std::vector<MetricFamily>& families);

Json to_json(const MetricFamily& family);
base::Result<MetricFamily> metric_family_from(const Json& json);

}  // namespace control
