// l2tpd's counters, as promtool and the dashboard see them.

#include "l2tpd/metrics.h"

#include <gmock/gmock.h>

#include "../metrics_text.h"
#include "served.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MetricsTest : public Served {
 protected:
  std::vector<control::MetricFamily> families() const {
    return metrics_.families(bench_.server, links_, counters_, 1700000000);
  }
  std::string text() const { return control::prometheus_text(families()); }

  Metrics metrics_;
};

TEST_F(MetricsTest, TunnelsPhasesAndRefusalsAreCounted) {
  bench_.establish();
  counters_.clear_text = 4;
  metrics_.took(Phase::ppp, 600ms);
  metrics_.count(Refusal::wrong_password);
  metrics_.count_gone(100, 200);
  for (const auto* line : {"sameroof_l2tp_tunnels 1\n", "sameroof_l2tp_half_open 0\n",
                           "sameroof_l2tp_failures_total{reason=\"wrong_password\"} 1\n",
                           "sameroof_l2tp_dropped_total{reason=\"clear_text\"} 4\n",
                           "sameroof_l2tp_dropped_total{reason=\"wrong_mark\"} 0\n",
                           "sameroof_l2tp_setup_seconds_bucket{le=\"1\",phase=\"ppp\"} 1\n",
                           "sameroof_l2tp_setup_seconds_count{phase=\"tunnel\"} 0\n",
                           "sameroof_ppp_bytes_total{direction=\"in\"} 100\n",
                           "sameroof_ppp_bytes_total{direction=\"out\"} 200\n"})
    EXPECT_THAT(text(), HasSubstr(line));
}

TEST_F(MetricsTest, PromtoolHasNothingToSay) {
  if (!has_promtool()) GTEST_SKIP() << "no promtool (Debian's package prometheus)";
  EXPECT_EQ(promtool_says(text()), "");
}

TEST_F(MetricsTest, TheDashboardAsksForNothingElse) {
  EXPECT_THAT(metrics_of_dashboard("sameroof_l2tp_"), Not(IsEmpty()));
  EXPECT_THAT(unknown_to_dashboard("sameroof_l2tp_", families()), IsEmpty());
  EXPECT_THAT(unknown_to_dashboard("sameroof_ppp_", families()), IsEmpty());
}

}  // namespace
}  // namespace l2tpd
