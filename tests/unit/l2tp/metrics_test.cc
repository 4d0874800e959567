// l2tpd's counters, as promtool and the dashboard see them.

#include "l2tpd/metrics.h"

#include <thread>

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
    return metrics_.families(told_, links_, hooks_, counters_, 1700000000);
  }
  std::string text() const { return control::prometheus_text(families()); }

  Metrics metrics_;
};

TEST_F(MetricsTest, TunnelsPhasesAndRefusalsAreCounted) {
  bench_.establish();
  tell();
  Counts counts;
  counts.clear_text = 4;
  told_.counted(counts);
  hooks_.dropped = 2;
  metrics_.took(Phase::ppp, 600ms);
  metrics_.count(Refusal::wrong_password);
  metrics_.link_up("ppp0");
  metrics_.link_carries("ppp0", {.in = 100, .out = 200});
  for (const auto* line : {"sameroof_l2tp_tunnels 1\n", "sameroof_l2tp_half_open 0\n",
                           "sameroof_l2tp_failures_total{reason=\"wrong_password\"} 1\n",
                           "sameroof_l2tp_dropped_total{reason=\"clear_text\"} 4\n",
                           "sameroof_l2tp_dropped_total{reason=\"wrong_mark\"} 0\n",
                           "sameroof_l2tp_hooks_total{outcome=\"dropped\"} 2\n",
                           "sameroof_l2tp_setup_seconds_bucket{le=\"1\",phase=\"ppp\"} 1\n",
                           "sameroof_l2tp_setup_seconds_count{phase=\"tunnel\"} 0\n",
                           "sameroof_ppp_bytes_total{direction=\"in\"} 100\n",
                           "sameroof_ppp_bytes_total{direction=\"out\"} 200\n"})
    EXPECT_THAT(text(), HasSubstr(line));
}

TEST_F(MetricsTest, WhatLinksHaveCarriedNeverFallsWhoeverComesAndGoes) {
  const auto in = [this] { return metrics_.carried().in; };
  metrics_.link_up("ppp0");
  metrics_.link_carries("ppp0", {.in = 100, .out = 0});
  metrics_.link_carries("ppp0", {.in = 150, .out = 0});
  EXPECT_EQ(in(), 150U);
  metrics_.link_carries("ppp0", {});  // it could not be read
  metrics_.link_carries("ppp0", {.in = 160, .out = 0});
  EXPECT_EQ(in(), 160U);
  metrics_.link_down("ppp0");
  metrics_.link_carries("ppp0", {.in = 500, .out = 0});  // of nobody any more
  EXPECT_EQ(in(), 160U);
  metrics_.link_up("ppp0");
  metrics_.link_carries("ppp0", {.in = 7, .out = 0});
  EXPECT_EQ(in(), 167U) << "another link of the same name";
  metrics_.link_down("ppp0");
  metrics_.link_up("ppp0", {.in = 7, .out = 0});
  metrics_.link_carries("ppp0", {.in = 9, .out = 0});
  EXPECT_EQ(in(), 169U) << "the same one, up again";
}

TEST_F(MetricsTest, ManyLinksAreLookedAtAFewAtATime) {
  constexpr int links = 600;
  int looked = 0, most_in_a_turn = 0;
  serve_metrics(*control_, metrics_, told_, links_, hooks_, counters_, base::Clock::now(),
                [&looked](const std::string&) {
                  ++looked;
                  std::this_thread::sleep_for(200us);
                  return InterfaceBytes{.in = 1, .out = 2};
                });
  for (int i = 0; i < links; ++i) metrics_.link_up("ppp" + std::to_string(i));
  std::string text;
  client_->call("sameroof.L2tp.Metrics", control::Json::object(), control::AsyncClient::Want::one,
                [&text](const control::Answer& answer) { text = answer.parameters.dump(); });
  for (int turns = 0; turns < 5000 && text.empty(); ++turns) {
    const int before = looked;
    loop_.run_once(5ms);
    most_in_a_turn = std::max(most_in_a_turn, looked - before);
  }
  EXPECT_EQ(looked, links);
  EXPECT_EQ(metrics_.carried().in, static_cast<std::uint64_t>(links));
  EXPECT_THAT(text, HasSubstr("sameroof_ppp_bytes"));
  EXPECT_LE(most_in_a_turn, 20) << "packets wait meanwhile";
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
