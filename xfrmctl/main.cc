#include <cerrno>
#include <cstdio>
#include <ctime>
#include <map>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "xfrmctl/ask.h"
#include "xfrmctl/command.h"
#include "xfrmctl/disconnect.h"
#include "xfrmctl/doctor.h"
#include "xfrmctl/explain.h"
#include "xfrmctl/kernel.h"
#include "xfrmctl/metrics.h"
#include "xfrmctl/monitor.h"
#include "xfrmctl/peers.h"
#include "xfrmctl/reload.h"
#include "xfrmctl/run_import.h"
#include "xfrmctl/sas.h"
#include "xfrmctl/status.h"
#include "xfrmctl/top.h"
#include "xfrmctl/tunnels.h"
#include "xfrmctl/watch.h"

namespace {

using namespace xfrmctl;

using Peers = base::Result<std::vector<control::Peer>>;

int run_status(const Options& options) {
  const auto ikd = ask_ikd_status(options.run_dir);
  const auto l2tpd = ask_l2tpd_status(options.run_dir);
  if (options.json) {
    fmt::print("{}", status_json(ikd, l2tpd));
  } else {
    fmt::print("{}{}",
               without_ikd(l2tpd) && !ikd ? "ikd is not wanted: L2TP is served without IPsec\n"
                                          : status_line("ikd", ikd),
               without_l2tpd(ikd) ? "l2tpd is not wanted: another daemon serves L2TP\n"
                                  : status_line("l2tpd", l2tpd));
  }
  return (ikd || without_ikd(l2tpd)) && (l2tpd || without_l2tpd(ikd)) ? good : no_answer;
}

int run_peers(const Options& options) {
  auto peers = ask_peers(options.run_dir);
  if (!peers) return complain(peers.error().message, no_answer);
  const auto tunnels = ask_tunnels(options.run_dir);
  const auto sessions = ask_sessions(options.run_dir);
  if ((!tunnels || !sessions) && !without_l2tpd(ask_ikd_status(options.run_dir))) {
    const auto& why = tunnels ? sessions.error() : tunnels.error();
    complain("nothing is known of L2TP and PPP: " + why.message, good);
  }
  const auto rows = join(std::move(*peers), tunnels.value_or(std::vector<control::Tunnel>{}),
                         sessions.value_or(std::vector<control::Session>{}));
  fmt::print("{}", options.json ? peers_json(rows) : peers_table(rows));
  return good;
}

/// The peers that rows shall be joined with; without them rows are worth showing, too.
Peers peers_beside(const Options& options) {
  auto peers = ask_peers(options.run_dir);
  if (!peers && !without_ikd(ask_l2tpd_status(options.run_dir)))
    complain("nothing is known of peers: " + peers.error().message, good);
  return peers;
}

/// The kernel first: a peer whose SAs are listed is then known to ikd.
template <class Row>
int run_kernel(const Options& options, const FromKernel<Row>& rows, auto json, auto table) {
  if (!rows) return complain(rows.error().message, rows.error().forbidden ? forbidden : no_answer);
  const auto peers = peers_beside(options);
  const Owners owners(peers ? &*peers : nullptr);
  fmt::print("{}", options.json ? json(*rows, owners) : table(*rows, owners));
  return good;
}

int run_sas(const Options& options) {
  const auto now = static_cast<std::uint64_t>(std::time(nullptr));
  return run_kernel(
      options, read_sas(), [now](auto& rows, auto& owners) { return sas_json(rows, owners, now); },
      [now](auto& rows, auto& owners) { return sas_table(rows, owners, now); });
}

int run_policies(const Options& options) {
  return run_kernel(options, read_policies(), policies_json, policies_table);
}

template <class Row>
int run_l2tp(const Options& options, const base::Result<std::vector<Row>>& rows, auto json, auto table) {
  if (!rows && without_l2tpd(ask_ikd_status(options.run_dir)))
    return complain("another daemon serves L2TP, and only it knows its tunnels and sessions", no_answer);
  if (!rows) return complain(rows.error().message, no_answer);
  const auto peers = peers_beside(options).value_or(std::vector<control::Peer>{});
  fmt::print("{}", options.json ? json(*rows, peers) : table(*rows, peers));
  return good;
}

int run_tunnels(const Options& options) {
  return run_l2tp(options, ask_tunnels(options.run_dir), tunnels_json, tunnels_table);
}

int run_sessions(const Options& options) {
  return run_l2tp(options, ask_sessions(options.run_dir), sessions_json, sessions_table);
}

void listing_options(CLI::App& command, Options& options) {
  command.add_flag("--json", options.json, "as JSON");
  command.add_flag("--watch{2}", options.watch, "again every 2 seconds, or --watch=SECONDS")
      ->check(CLI::Range(1U, 86400U));
}

void disconnect_options(CLI::App& command, Options& options) {
  command.add_option("PEER|USER", options.subject, "a peer by its number, or a PPP user")->required();
  command.add_flag("--user", options.user, "it is a user, even where it is a number");
}

void import_options(CLI::App& command, Options& options) {
  command.add_flag("--secrets", options.print_secrets, "print secrets.toml instead of sameroof.toml");
  command.add_option("--root", options.root, "read below this folder instead of the host's own /etc");
}

void doctor_options(CLI::App& command, Options& options) {
  command.add_flag("--json", options.json, "as JSON");
  command.add_option("--config", options.config, "the configuration")->capture_default_str();
  command.add_flag("--self-test", options.self_test,
                   "serve two clients behind one NAT on this host, in namespaces that leave nothing behind");
}

void explain_options(CLI::App& command, Options& options) {
  command.add_option("PEER|ADDRESS|USER|last", options.subject, "whose newest attempt; last: anybody's")
      ->required();
  command.add_flag("--json", options.json, "as JSON");
}

void monitor_options(CLI::App& command, Options& options) {
  command.add_flag("--json", options.json, "a JSON object in each line");
}

void top_options(CLI::App& command, Options& options) {
  command
      .add_option("--sort", options.order,
                  "by rate (throughput now), bytes (all in all), age or loss (of what peers send, now)")
      ->check(CLI::IsMember({"rate", "bytes", "age", "loss"}))
      ->capture_default_str();
  command.add_option("--interval", options.watch, "seconds between two looks, 2 by default")
      ->check(CLI::Range(1U, 3600U));
}

void reload_options(CLI::App& command, Options& options) {
  command.add_flag("--dry-run", options.dry_run, "only shows what would change");
  command.add_option("daemon", options.daemon, "ikd or l2tpd; both where it is left out")
      ->check(CLI::IsMember({"ikd", "l2tpd"}));
}

void metrics_options(CLI::App& command, Options& options) {
  command.add_flag("--openmetrics", options.openmetrics, "as OpenMetrics, not in Prometheus' own format");
}

enum class Asks {
  daemons,
  host  ///< and daemons only beside it, if at all
};

struct Command {
  const char* name;
  const char* help;
  int (*run)(const Options&);
  void (*add_options)(CLI::App&, Options&) = listing_options;
  Asks asks = Asks::daemons;
};

/// Not one of the group: a socket is there, and not for us.
bool is_locked_out(const Options& options) {
  const auto locked = [&](const char* daemon) {
    return ::access((options.run_dir + "/" + daemon).c_str(), R_OK | W_OK) != 0 && errno == EACCES;
  };
  return locked("ikd") || locked("l2tpd");
}

constexpr Command commands[] = {
    {"status", "whether both daemons answer, and how many of what they have; --json: all counters",
     run_status},
    {"peers",
     "one row per peer: number, mark, address of its NAT, identity, SPIs, bytes, L2TP, user, PPP address",
     run_peers},
    {"sas", "the kernel's SAs and whose they are: addresses, SPI, mark, algorithms, bytes; never keys",
     run_sas, listing_options, Asks::host},
    {"policies", "the kernel's IPsec policies and whose they are", run_policies, listing_options, Asks::host},
    {"tunnels", "the L2TP tunnels of l2tpd and whose they are", run_tunnels},
    {"sessions", "the sessions in them: user, PPP address, interface", run_sessions},
    {"top", "who moves and loses how much now, again and again until it is interrupted", run_top,
     top_options},
    {"explain", "what happened to an attempt to connect, and what to do about it", run_explain,
     explain_options},
    {"monitor", "what happens, line by line, until it is interrupted", run_monitor, monitor_options},
    {"metrics", "both daemons' counters for a monitoring system, in Prometheus' text format", run_metrics,
     metrics_options},
    {"disconnect", "ends a peer, or the sessions of a user: L2TP first, then its IPsec SAs", run_disconnect,
     disconnect_options},
    {"reload", "ikd and l2tpd read their files again; peers and sessions that are up stay", run_reload,
     reload_options},
    {"import", "prints the files of Libreswan or strongSwan, xl2tpd and pppd as sameroof.toml", run_import,
     import_options, Asks::host},
    {"doctor", "what is wrong with this host, in sentences, and what to do about each", run_doctor,
     doctor_options, Asks::host},
};

constexpr const char* footer =
    "JSON has {\"version\": 1, …}; what is not known is null, and the version changes when a member changes\n"
    "its meaning. sas and policies need CAP_NET_ADMIN, disconnect, reload and doctor root, all else the "
    "group "
    "sameroof.\n"
    "Exit codes: 0 answered; 1 somebody who was asked did not answer (status: either daemon; peers: ikd; "
    "sas\n"
    "and policies: the kernel; tunnels and sessions: l2tpd; what only joins rows may be missing, and "
    "standard\n"
    "error says so); 2 wrong usage; 3 not allowed; 4 there is no such peer, user or attempt;\n"
    "5 the doctor has warnings, 6 it has errors, too; import: 4 there is nothing to read, 5 what is printed "
    "is not\n"
    "complete.\n"
    "Where another daemon serves L2TP (lns = \"external\"), status and peers do not miss l2tpd; where L2TP "
    "is\n"
    "served without IPsec only (cleartext = \"only\"), nobody misses ikd.";

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Looks into a running Sameroof gateway.", "xfrmctl");
  app.footer(footer);
  app.set_version_flag("--version", SAMEROOF_VERSION);
  app.require_subcommand(1);
  Options options;
  app.add_option("--run-dir", options.run_dir, "where the daemons' control sockets are")
      ->capture_default_str();
  std::map<const CLI::App*, const Command*> by_app;
  for (const auto& command : commands) {
    auto* sub = app.add_subcommand(command.name, command.help);
    command.add_options(*sub, options);
    by_app[sub] = &command;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (app.get_subcommands().empty() && !app.remaining().empty())
      return complain(fmt::format("there is no command '{}'; --help lists them", app.remaining().front()),
                      usage);
    return app.exit(error) == 0 ? good : usage;
  }
  const auto& command = *by_app.at(app.get_subcommands().front());
  if (command.asks == Asks::daemons && is_locked_out(options))
    return complain("only root and the group sameroof may ask the daemons", forbidden);
  if (options.watch == 0 || command.add_options != listing_options) return command.run(options);
  return xfrmctl::watch(std::chrono::seconds(options.watch), [&] { return command.run(options); });
}
