#include "xfrmctl/doctor.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "doctor/checks.h"
#include "doctor/gather.h"
#include "xfrmctl/ask.h"
#include "xfrmctl/json_text.h"
#include "xfrmctl/self_test.h"
#include "xfrmctl/table.h"

namespace xfrmctl {
namespace {

using control::Json;
using doctor::Finding;
using doctor::Findings;
using doctor::Severity;

const char* word(Severity severity) { return severity == Severity::error ? "error" : "warning"; }

void append(Findings& to, Findings&& more) { std::ranges::move(more, std::back_inserter(to)); }

Findings examine(const Options& options) {
  const auto config = config::load(options.config);
  if (!config)
    return {{"configuration", Severity::error, config.error().message,
             "mend it, then see what else there is; sameroof.toml(5) explains each key"}};
  auto facts = doctor::look_at_host(*config, options.config);
  if (const auto l2tpd = ask_l2tpd_status(options.run_dir); l2tpd && l2tpd->gauges.contains("sessions"))
    facts.sessions = static_cast<std::uint32_t>(l2tpd->gauges.at("sessions"));
  auto out = doctor::check_host(facts, *config);
  const auto tables = doctor::look_at_tables(*config);
  if (!tables) {
    out.push_back({"table", Severity::error,
                   "the nftables rules cannot be looked at: " + tables.error().message,
                   "install nftables, and see that the kernel has its modules"});
    return out;
  }
  append(out, doctor::check_table(tables->ours, tables->shipped));
  append(out, doctor::check_firewall(tables->others, *config));
  append(out, doctor::check_marks(tables->others, facts.mark_rules, *config));
  return out;
}

}  // namespace

std::string findings_text(const Findings& findings) {
  if (findings.empty()) return "nothing is wrong with this host, as far as it can be seen from here\n";
  std::string out;
  for (const auto& f : findings)
    out += fmt::format("{:7}  {}\n         -> {}\n", word(f.severity), printable(f.sentence),
                       printable(f.remedy));
  return out;
}

std::string findings_json(const Findings& findings) {
  Json out{{"version", 1}, {"findings", Json::array()}};
  for (const auto& f : findings)
    out["findings"].push_back(
        {{"check", f.check}, {"severity", word(f.severity)}, {"sentence", f.sentence}, {"remedy", f.remedy}});
  return json_text(out);
}

int verdict_of(const Findings& findings) {
  if (findings.empty()) return good;
  return std::ranges::any_of(findings, [](const Finding& f) { return f.severity == Severity::error; })
             ? broken
             : doubts;
}

int run_doctor(const Options& options) {
  if (::geteuid() != 0) return complain("only root sees enough of the host to judge it", forbidden);
  if (options.self_test) return run_self_test(options);
  auto findings = examine(options);
  std::stable_partition(findings.begin(), findings.end(),
                        [](const Finding& f) { return f.severity == Severity::error; });
  fmt::print("{}", options.json ? findings_json(findings) : findings_text(findings));
  return verdict_of(findings);
}

}  // namespace xfrmctl
