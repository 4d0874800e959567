#include "control/metrics.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace control {
namespace {

using namespace std::chrono_literals;

TEST(Metrics, ACounterIsNamedAsEachFormatWantsIt) {
  const std::vector families{counters("sameroof_x_dropped", "Why \"so\".", "reason", {{"a\\b\"c\nd", 7}})};
  EXPECT_EQ(prometheus_text(families),
            "# HELP sameroof_x_dropped_total Why \"so\".\n"
            "# TYPE sameroof_x_dropped_total counter\n"
            "sameroof_x_dropped_total{reason=\"a\\\\b\\\"c\\nd\"} 7\n");
  EXPECT_EQ(openmetrics_text(families),
            "# HELP sameroof_x_dropped Why \\\"so\\\".\n"
            "# TYPE sameroof_x_dropped counter\n"
            "sameroof_x_dropped_total{reason=\"a\\\\b\\\"c\\nd\"} 7\n"
            "# EOF\n");
}

TEST(Metrics, NumbersAreWholeWhereTheyCan) {
  EXPECT_NE(prometheus_text({gauge("x", "y", 1234567890123)}).find("x 1234567890123\n"), std::string::npos);
  EXPECT_NE(prometheus_text({gauge("x", "y", 0.25)}).find("x 0.25\n"), std::string::npos);
}

TEST(Metrics, AHistogramCountsUpToEachBoundAndAllOfThem) {
  DurationHistogram histogram;
  histogram.observe(1ms);  // a bound belongs to what it bounds
  histogram.observe(300ms);
  histogram.observe(31s);
  histogram.observe(-1s);  // a clock that was set back
  MetricFamily family{"x_seconds", "y", MetricType::histogram, {}};
  histogram.add_to(family, {{"phase", "p"}});
  ASSERT_EQ(family.samples.size(), DurationHistogram::bounds.size() + 3);
  const auto count_at = [&](const char* bound) {
    for (const auto& s : family.samples) {
      if (s.labels.contains("le") && s.labels.at("le") == bound) return s.value;
    }
    return -1.0;
  };
  EXPECT_EQ(count_at("0.001"), 2);
  EXPECT_EQ(count_at("0.25"), 2);
  EXPECT_EQ(count_at("0.5"), 3);
  EXPECT_EQ(count_at("30"), 3);
  EXPECT_EQ(count_at("+Inf"), 4);
  EXPECT_EQ(family.samples.back().suffix, "_count");
  EXPECT_EQ(family.samples.back().value, 4);
  EXPECT_NEAR(family.samples[family.samples.size() - 2].value, 31.301, 1e-9);
}

TEST(Metrics, AFamilySurvivesTheWayThroughTheSocket) {
  MetricFamily family{"x_seconds", "y", MetricType::histogram, {}};
  DurationHistogram().add_to(family, {{"phase", "p"}});
  EXPECT_EQ(metric_family_from(to_json(family)).value(), family);
  for (const char* member : {"name", "help", "type", "samples"}) {
    auto json = to_json(family);
    json.erase(member);
    EXPECT_FALSE(metric_family_from(json)) << member;
    json[member] = 7;
    EXPECT_FALSE(metric_family_from(json)) << member;
  }
  auto json = to_json(family);
  json["samples"][0]["labels"]["phase"] = 7;
  EXPECT_EQ(metric_family_from(json).error().message, "bad metric: a label is no string");
  EXPECT_FALSE(metric_family_from(Json::array()));
}

}  // namespace
}  // namespace control
