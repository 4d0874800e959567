#include "xfrmctl/metrics.h"

#include <cstdio>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "control/metrics.h"
#include "xfrmctl/ask.h"

namespace xfrmctl {
namespace {

using Families = std::vector<control::MetricFamily>;

base::Result<Families> ask_metrics(const std::string& socket, std::string_view method) {
  const auto answer = ask(socket, method, control::Json::object());
  if (!answer) return tl::unexpected(answer.error());
  Families out;
  for (const auto& json : answer->value("families", control::Json::array())) {
    auto family = control::metric_family_from(json);
    if (!family) return base::fail(fmt::format("{} answers with a {}", socket, family.error().message));
    out.push_back(std::move(*family));
  }
  return out;
}

}  // namespace

int run_metrics(const Options& options) {
  const auto ikd = ask_metrics(options.run_dir + "/ikd", "sameroof.Ike.Metrics");
  const auto l2tpd = ask_metrics(options.run_dir + "/l2tpd", "sameroof.L2tp.Metrics");
  // A monitoring system that hears nothing would not know which of the two is missing.
  Families all{
      {"sameroof_up",
       "Whether the daemon answers.",
       control::MetricType::gauge,
       {{"", {{"daemon", "ikd"}}, ikd ? 1.0 : 0.0}, {"", {{"daemon", "l2tpd"}}, l2tpd ? 1.0 : 0.0}}}};
  for (const auto* families : {&ikd, &l2tpd}) {
    if (*families) all.insert(all.end(), (**families).begin(), (**families).end());
  }
  fmt::print("{}", options.openmetrics ? control::openmetrics_text(all) : control::prometheus_text(all));
  const bool wanted_ikd = !ikd && !without_ikd(ask_l2tpd_status(options.run_dir));
  const bool wanted_l2tpd = !l2tpd && !without_l2tpd(ask_ikd_status(options.run_dir));
  if (wanted_ikd) complain(ikd.error().message, no_answer);
  if (wanted_l2tpd) complain(l2tpd.error().message, no_answer);
  return wanted_ikd || wanted_l2tpd ? no_answer : good;
}

}  // namespace xfrmctl
