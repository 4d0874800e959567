#include "xfrmctl/self_test.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "config/config.h"
#include "self_test/run.h"
#include "self_test/sandbox.h"
#include "xfrmctl/json_text.h"
#include "xfrmctl/table.h"

namespace xfrmctl {

using control::Json;
using self_test::Verdict;

std::string verdict_text(const Verdict& verdict) {
  const auto sentence = printable(verdict.sentence);
  if (verdict.holds) return fmt::format("{:7}  {}\n", "ok", sentence);
  return fmt::format("{:7}  {}\n         -> {}\n", "error", sentence, printable(verdict.remedy));
}

std::string verdicts_json(std::span<const Verdict> verdicts) {
  Json out{{"version", 1}, {"checks", Json::array()}};
  for (const auto& v : verdicts)
    out["checks"].push_back({{"check", v.check},
                             {"holds", v.holds},
                             {"sentence", v.sentence},
                             {"remedy", v.holds ? Json() : Json(v.remedy)}});
  return json_text(out);
}

int run_self_test(const Options& options) {
  const auto config = config::load(options.config);
  if (!config) complain("the self-test takes the built-in marks: " + config.error().message, good);
  const auto settings = config.value_or(config::Config{});
  const auto done = self_test::in_sandbox([&] {
    std::vector<Verdict> verdicts;
    self_test::run(settings, [&](const Verdict& verdict) {
      verdicts.push_back(verdict);
      if (options.json) return;
      fmt::print("{}", verdict_text(verdict));
      std::fflush(stdout);
    });
    if (options.json) fmt::print("{}", verdicts_json(verdicts));
    return std::ranges::all_of(verdicts, &Verdict::holds) ? good : broken;
  });
  if (!done) return complain("the self-test could not be made: " + done.error().message, no_answer);
  return *done;
}

}  // namespace xfrmctl
