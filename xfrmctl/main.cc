#include <cstdio>
#include <ctime>
#include <map>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "xfrmctl/ask.h"
#include "xfrmctl/kernel.h"
#include "xfrmctl/peers.h"
#include "xfrmctl/sas.h"
#include "xfrmctl/status.h"
#include "xfrmctl/tunnels.h"
#include "xfrmctl/watch.h"

namespace {

enum Exit { good = 0, no_answer = 1, usage = 2, forbidden = 3 };

struct Options {
  std::string run_dir = "/run/sameroof";
  bool json = false;
  unsigned watch = 0;  ///< seconds; 0: once
};

using Peers = base::Result<std::vector<control::Peer>>;

int complain(std::string_view why, int status) {
  fmt::print(stderr, "xfrmctl: {}\n", why);
  return status;
}

/// Another daemon serves L2TP, and nobody misses l2tpd.
bool without_l2tpd(const base::Result<control::Status>& ikd) { return ikd && ikd->lns == "external"; }

int run_status(const Options& options) {
  const auto ikd = xfrmctl::ask_ikd_status(options.run_dir);
  const auto l2tpd = xfrmctl::ask_l2tpd_status(options.run_dir);
  if (options.json) {
    fmt::print("{}", xfrmctl::status_json(ikd, l2tpd));
  } else {
    fmt::print("{}{}", xfrmctl::status_line("ikd", ikd),
               without_l2tpd(ikd) ? "l2tpd is not wanted: another daemon serves L2TP\n"
                                  : xfrmctl::status_line("l2tpd", l2tpd));
  }
  return ikd && (l2tpd || without_l2tpd(ikd)) ? good : no_answer;
}

int run_peers(const Options& options) {
  auto peers = xfrmctl::ask_peers(options.run_dir);
  if (!peers) return complain(peers.error().message, no_answer);
  const auto tunnels = xfrmctl::ask_tunnels(options.run_dir);
  const auto sessions = xfrmctl::ask_sessions(options.run_dir);
  if ((!tunnels || !sessions) && !without_l2tpd(xfrmctl::ask_ikd_status(options.run_dir))) {
    const auto& why = tunnels ? sessions.error() : tunnels.error();
    complain("nothing is known of L2TP and PPP: " + why.message, good);
  }
  const auto rows = xfrmctl::join(std::move(*peers), tunnels.value_or(std::vector<control::Tunnel>{}),
                                  sessions.value_or(std::vector<control::Session>{}));
  fmt::print("{}", options.json ? xfrmctl::peers_json(rows) : xfrmctl::peers_table(rows));
  return good;
}

/// The peers that rows shall be joined with; without them rows are worth showing, too.
Peers peers_beside(const Options& options) {
  auto peers = xfrmctl::ask_peers(options.run_dir);
  if (!peers) complain("nothing is known of peers: " + peers.error().message, good);
  return peers;
}

/// The kernel first: a peer whose SAs are listed is then known to ikd.
template <class Row>
int run_kernel(const Options& options, const xfrmctl::FromKernel<Row>& rows, auto json, auto table) {
  if (!rows) return complain(rows.error().message, rows.error().forbidden ? forbidden : no_answer);
  const auto peers = peers_beside(options);
  const xfrmctl::Owners owners(peers ? &*peers : nullptr);
  fmt::print("{}", options.json ? json(*rows, owners) : table(*rows, owners));
  return good;
}

int run_sas(const Options& options) {
  const auto now = static_cast<std::uint64_t>(std::time(nullptr));
  return run_kernel(
      options, xfrmctl::read_sas(), [now](auto& rows, auto& owners) { return sas_json(rows, owners, now); },
      [now](auto& rows, auto& owners) { return sas_table(rows, owners, now); });
}

int run_policies(const Options& options) {
  return run_kernel(options, xfrmctl::read_policies(), xfrmctl::policies_json, xfrmctl::policies_table);
}

template <class Row>
int run_l2tp(const Options& options, const base::Result<std::vector<Row>>& rows, auto json, auto table) {
  if (!rows && without_l2tpd(xfrmctl::ask_ikd_status(options.run_dir)))
    return complain("another daemon serves L2TP, and only it knows its tunnels and sessions", no_answer);
  if (!rows) return complain(rows.error().message, no_answer);
  const auto peers = peers_beside(options).value_or(std::vector<control::Peer>{});
  fmt::print("{}", options.json ? json(*rows, peers) : table(*rows, peers));
  return good;
}

int run_tunnels(const Options& options) {
  return run_l2tp(options, xfrmctl::ask_tunnels(options.run_dir), xfrmctl::tunnels_json,
                  xfrmctl::tunnels_table);
}

int run_sessions(const Options& options) {
  return run_l2tp(options, xfrmctl::ask_sessions(options.run_dir), xfrmctl::sessions_json,
                  xfrmctl::sessions_table);
}

struct Command {
  const char* name;
  const char* help;
  int (*run)(const Options&);
};

int run_reload(const Options& options) {
  const auto changes = xfrmctl::reload_l2tpd(options.run_dir);
  if (!changes) return complain(changes.error().message, no_answer);
  fmt::print("l2tpd: {}\n", *changes);
  return good;
}

constexpr Command commands[] = {
    {"status", "whether both daemons answer, and how many of what they have; --json: all counters",
     run_status},
    {"peers",
     "one row per peer: number, mark, address of its NAT, identity, SPIs, bytes, L2TP, user, PPP address",
     run_peers},
    {"sas", "the kernel's SAs and whose they are: addresses, SPI, mark, algorithms, bytes; never keys",
     run_sas},
    {"policies", "the kernel's IPsec policies and whose they are", run_policies},
    {"tunnels", "the L2TP tunnels of l2tpd and whose they are", run_tunnels},
    {"sessions", "the sessions in them: user, PPP address, interface", run_sessions},
    {"reload", "l2tpd reads users, [ppp], [radius] and [hooks] again; sessions that are up stay", run_reload},
};

constexpr const char* footer =
    "JSON has {\"version\": 1, …}; what is not known is null, and the version changes when a member changes\n"
    "its meaning. sas and policies need CAP_NET_ADMIN, all else the group sameroof.\n"
    "Exit codes: 0 answered; 1 somebody who was asked did not answer (status: either daemon; peers: ikd; "
    "sas\n"
    "and policies: the kernel; tunnels and sessions: l2tpd; what only joins rows may be missing, and "
    "standard\n"
    "error says so); 2 wrong usage; 3 not allowed.\n"
    "Where another daemon serves L2TP (lns = \"external\"), status and peers do not miss l2tpd.";

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
    sub->add_flag("--json", options.json, "as JSON");
    sub->add_flag("--watch{2}", options.watch, "again every 2 seconds, or --watch=SECONDS")
        ->check(CLI::Range(1U, 86400U));
    by_app[sub] = &command;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? good : usage;
  }
  const auto& command = *by_app.at(app.get_subcommands().front());
  if (options.watch == 0) return command.run(options);
  return xfrmctl::watch(std::chrono::seconds(options.watch), [&] { return command.run(options); });
}
