#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "xfrmctl/ask.h"
#include "xfrmctl/peers.h"
#include "xfrmctl/status.h"

namespace {

enum Exit { good = 0, no_answer = 1, usage = 2 };

/// Another daemon serves L2TP, and nobody misses l2tpd.
bool without_l2tpd(const base::Result<control::Status>& ikd) { return ikd && ikd->lns == "external"; }

int run_status(const std::string& run_dir, bool json) {
  const auto ikd = xfrmctl::ask_ikd_status(run_dir);
  const auto l2tpd = xfrmctl::ask_l2tpd_status(run_dir);
  if (json) {
    fmt::print("{}", xfrmctl::status_json(ikd, l2tpd));
  } else {
    fmt::print("{}{}", xfrmctl::status_line("ikd", ikd),
               without_l2tpd(ikd) ? "l2tpd is not wanted: another daemon serves L2TP\n"
                                  : xfrmctl::status_line("l2tpd", l2tpd));
  }
  return ikd && (l2tpd || without_l2tpd(ikd)) ? good : no_answer;
}

int run_peers(const std::string& run_dir, bool json) {
  auto peers = xfrmctl::ask_peers(run_dir);
  if (!peers) {
    fmt::print(stderr, "xfrmctl: {}\n", peers.error().message);
    return no_answer;
  }
  const auto tunnels = xfrmctl::ask_tunnels(run_dir);
  const auto sessions = xfrmctl::ask_sessions(run_dir);
  if ((!tunnels || !sessions) && !without_l2tpd(xfrmctl::ask_ikd_status(run_dir))) {
    const auto& why = tunnels ? sessions.error() : tunnels.error();
    fmt::print(stderr, "xfrmctl: nothing is known of L2TP and PPP: {}\n", why.message);
  }
  const auto rows = xfrmctl::join(std::move(*peers), tunnels.value_or(std::vector<control::Tunnel>{}),
                                  sessions.value_or(std::vector<control::Session>{}));
  fmt::print("{}", json ? xfrmctl::peers_json(rows) : xfrmctl::peers_table(rows));
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Looks into a running Sameroof gateway.", "xfrmctl");
  app.footer(
      "Exit codes: 0 answered; 1 a daemon did not answer (status: either of the two; peers: ikd; without\n"
      "l2tpd, peers are still listed and standard error says what is missing); 2 wrong usage.");
  app.set_version_flag("--version", SAMEROOF_VERSION);
  app.require_subcommand(1);
  std::string run_dir = "/run/sameroof";
  app.add_option("--run-dir", run_dir, "where the daemons' control sockets are")->capture_default_str();
  bool json = false;
  auto* status = app.add_subcommand("status", "whether both daemons answer, and how many of what they have");
  status->add_flag("--json", json, "as JSON, with all counters");
  auto* peers = app.add_subcommand(
      "peers",
      "one row per peer: number, mark, address of its NAT, identity, SPIs, bytes, L2TP, user, PPP address");
  peers->add_flag("--json", json, "as JSON: {\"version\": 1, \"peers\": [...]}, what is not known is null");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? good : usage;
  }
  return peers->parsed() ? run_peers(run_dir, json) : run_status(run_dir, json);
}
