// ikd's counters, as promtool and the dashboard see them.

#include "ikd/metrics.h"

#include <gmock/gmock.h>

#include "../metrics_text.h"
#include "harness/world.h"

namespace ikd {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ike::Event event(ike::EventKind kind, ike::Refusal refusal = ike::Refusal::none, base::Duration took = {}) {
  return {kind, ike::PeerNumber(1), base::Mark(0x100), {}, "somebody", "for a test", refusal, 0, took};
}

class MetricsTest : public ::testing::Test {
 protected:
  std::vector<control::MetricFamily> families() const {
    return metrics_.families({.engine = engine_,
                              .key_exchanges_waiting = 3,
                              .rules = {{"leak", 3}, {"no_alias", 0}},
                              .send_failures = 0,
                              .started = 1700000000});
  }
  std::string text() const { return control::prometheus_text(families()); }

  Metrics metrics_;
  ike::Engine engine_{{}, [](std::span<std::uint8_t> out) { std::ranges::fill(out, std::uint8_t{7}); }};
};

TEST_F(MetricsTest, EventsAreCountedByKindAndByReason) {
  metrics_.count(event(ike::EventKind::peer_authenticated, ike::Refusal::none, 200ms));
  metrics_.count(event(ike::EventKind::peer_up, ike::Refusal::none, 20ms));
  metrics_.count(event(ike::EventKind::rekeyed));
  metrics_.count(event(ike::EventKind::authentication_failed, ike::Refusal::wrong_psk));
  metrics_.count(event(ike::EventKind::authentication_failed, ike::Refusal::wrong_psk));
  for (const auto* line :
       {"sameroof_ike_peers_up_total 1\n", "sameroof_ike_rekeys_total 1\n",
        "sameroof_ike_failures_total{reason=\"wrong_psk\"} 2\n",
        "sameroof_ike_failures_total{reason=\"certificate_expired\"} 0\n",
        "sameroof_ike_setup_seconds_bucket{le=\"0.25\",phase=\"main_mode\"} 1\n",
        "sameroof_ike_setup_seconds_bucket{le=\"0.1\",phase=\"main_mode\"} 0\n",
        "sameroof_ike_setup_seconds_count{phase=\"quick_mode\"} 1\n",
        "sameroof_nft_packets_total{rule=\"leak\"} 3\n", "sameroof_ike_key_exchanges_waiting 3\n"})
    EXPECT_THAT(text(), HasSubstr(line));
}

TEST_F(MetricsTest, BytesOfSasThatAreGoneStayCounted) {
  metrics_.count_gone({.in = 1000, .out = 10});
  auto all = metrics_.gone();
  all += {.in = 5, .out = 7};
  metrics_.carried(all);
  EXPECT_THAT(text(), HasSubstr("sameroof_ipsec_bytes_total{direction=\"in\"} 1005\n"));
  EXPECT_THAT(text(), HasSubstr("sameroof_ipsec_bytes_total{direction=\"out\"} 17\n"));
}

TEST_F(MetricsTest, BytesNeverFall) {
  metrics_.carried({.in = 1005, .out = 17});
  metrics_.carried({.in = 5, .out = 18});  // one went that was to be counted next
  EXPECT_THAT(text(), HasSubstr("sameroof_ipsec_bytes_total{direction=\"in\"} 1005\n"));
  EXPECT_THAT(text(), HasSubstr("sameroof_ipsec_bytes_total{direction=\"out\"} 18\n"));
}

TEST_F(MetricsTest, PromtoolHasNothingToSay) {
  if (!has_promtool()) GTEST_SKIP() << "no promtool (Debian's package prometheus)";
  EXPECT_EQ(promtool_says(text()), "");
  EXPECT_NE(promtool_says("# TYPE Bad counter\nBad 1\n"), "") << "it would say so";
}

TEST_F(MetricsTest, TheDashboardAsksForNothingElse) {
  EXPECT_THAT(metrics_of_dashboard("sameroof_ike_"), Not(IsEmpty()));
  EXPECT_THAT(unknown_to_dashboard("sameroof_i", families()), IsEmpty());
  EXPECT_THAT(unknown_to_dashboard("sameroof_nft_", families()), IsEmpty());
}

}  // namespace
}  // namespace ikd
