#include "control/metrics.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace control {
namespace {

constexpr std::string_view type_names[] = {"counter", "gauge", "histogram"};

std::string number(double value) {
  // Whole numbers to the last digit, as far as a double has it.
  return std::floor(value) == value && std::abs(value) < 1e15 ? fmt::format("{:.0f}", value)
                                                              : fmt::format("{}", value);
}

/// Backslash, newline and, in a label, the quotation mark (the same in both formats but for the help text).
std::string escaped(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\' || (quotes && c == '"')) {
      out += '\\';
      out += c;
    } else {
      out += c;
    }
  }
  return out;
}

std::string labels_text(const Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels)
    out += fmt::format("{}{}=\"{}\"", out.empty() ? "" : ",", name, escaped(value, true));
  return out.empty() ? out : "{" + out + "}";
}

/// Prometheus' own format gives a counter the name of its samples.
enum class CounterName { of_family, of_samples };

std::string text(const std::vector<MetricFamily>& families, CounterName counter_name) {
  std::string out;
  for (const auto& family : families) {
    const bool suffixed = family.type == MetricType::counter && counter_name == CounterName::of_samples;
    const auto name = family.name + (suffixed ? "_total" : "");
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name,
                       escaped(family.help, counter_name == CounterName::of_family), name,
                       type_names[static_cast<std::size_t>(family.type)]);
    for (const auto& sample : family.samples)
      out += fmt::format("{}{}{} {}\n", family.name, sample.suffix, labels_text(sample.labels),
                         number(sample.value));
  }
  return out;
}

}  // namespace

void DurationHistogram::observe(base::Duration took) {
  const auto seconds = std::max(0.0, std::chrono::duration<double>(took).count());
  ++counts_[static_cast<std::size_t>(std::ranges::lower_bound(bounds, seconds) - bounds.begin())];
  sum_ += seconds;
}

void DurationHistogram::add_to(MetricFamily& family, const Labels& labels) const {
  std::uint64_t so_far = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    so_far += counts_[i];
    auto with_bound = labels;
    with_bound["le"] = i < bounds.size() ? fmt::format("{}", bounds[i]) : "+Inf";
    family.samples.push_back({"_bucket", std::move(with_bound), static_cast<double>(so_far)});
  }
  family.samples.push_back({"_sum", labels, sum_});
  family.samples.push_back({"_count", labels, static_cast<double>(so_far)});
}

MetricFamily counters(std::string name, std::string help, const std::string& label,
                      const std::map<std::string, std::uint64_t>& values) {
  MetricFamily out{std::move(name), std::move(help), MetricType::counter, {}};
  for (const auto& [value, count] : values)
    out.samples.push_back({"_total", {{label, value}}, static_cast<double>(count)});
  return out;
}

std::string prometheus_text(const std::vector<MetricFamily>& families) {
  return text(families, CounterName::of_samples);
}

std::string openmetrics_text(const std::vector<MetricFamily>& families) {
  return text(families, CounterName::of_family) + "# EOF\n";
}

Json to_json(const MetricFamily& family) {
  auto samples = Json::array();
  for (const auto& sample : family.samples)
    samples.push_back({{"suffix", sample.suffix}, {"labels", sample.labels}, {"value", sample.value}});
  return {{"name", family.name},
          {"help", family.help},
          {"type", type_names[static_cast<std::size_t>(family.type)]},
          {"samples", std::move(samples)}};
}

base::Result<MetricFamily> metric_family_from(const Json& json) {
  const auto bad = [](std::string_view what) { return base::fail(fmt::format("bad metric: {}", what)); };
  const auto has_text = [](const Json& object, const char* member) {
    return object.is_object() && object.contains(member) && object[member].is_string();
  };
  if (!has_text(json, "name") || !has_text(json, "help") || !has_text(json, "type"))
    return bad("name, help or type is missing");
  MetricFamily out{json["name"], json["help"], MetricType::gauge, {}};
  const auto type = std::ranges::find(type_names, json["type"].get<std::string>());
  if (type == std::end(type_names)) return bad("its type is not known");
  out.type = static_cast<MetricType>(type - std::begin(type_names));
  const auto samples = json.find("samples");
  if (samples == json.end() || !samples->is_array()) return bad("samples is no list");
  for (const auto& sample : *samples) {
    if (!has_text(sample, "suffix") || !sample.contains("value") || !sample["value"].is_number() ||
        !sample.contains("labels") || !sample["labels"].is_object())
      return bad("a sample lacks its suffix, labels or value");
    MetricSample taken{sample["suffix"], {}, sample["value"]};
    for (const auto& [name, value] : sample["labels"].items()) {
      if (!value.is_string()) return bad("a label is no string");
      taken.labels[name] = value.get<std::string>();
    }
    out.samples.push_back(std::move(taken));
  }
  return out;
}

}  // namespace control
