#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <sys/resource.h>

#include "base/event_log.h"
#include "config/config.h"
#include "l2tpd/daemon.h"
#include "l2tpd/packet_process.h"
#include "os/loop.h"

namespace {

enum Exit { good = 0, failed = 1, misconfigured = 2 };

struct Arguments {
  std::string config = "/etc/sameroof/sameroof.toml";
  std::string secrets = "/etc/sameroof/secrets.toml";
  std::string run_dir = "/run/sameroof";
  std::string launcher;
  int packets = -1;
  bool wanted = false, verbose = false;
};

int refuse(const base::Error& error, Exit status = failed) {
  base::log(base::Severity::error, error.message);
  return status;
}

/// A tunnel and its session hold half a dozen descriptors.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

base::Result<l2tpd::Configuration> load(const Arguments& arguments) {
  auto config = config::load(arguments.config);
  if (!config) return tl::unexpected(config.error());
  auto secrets = config::load_secrets(arguments.secrets);
  if (!secrets) return tl::unexpected(secrets.error());
  if (const auto checked = config::check(*config, *secrets); !checked) return tl::unexpected(checked.error());
  secrets->psk.clear();  // ikd's alone
  return l2tpd::Configuration{std::move(*config), std::move(*secrets)};
}

/// A configuration that says nothing of it wants us, too: what is wrong with it a start says.
int wanted(const Arguments& arguments) {
  const auto config = config::load(arguments.config);
  return config && config->l2tp.lns == config::Lns::external ? failed : good;
}

/// The other process: all that it has comes through this descriptor.
int read_packets(int channel) {
  ::fcntl(channel, F_SETFD, FD_CLOEXEC);
  auto process = l2tpd::PacketProcess::start(os::Channel(base::Fd(channel)));
  if (!process) return refuse(process.error());
  (*process)->run();
  return failed;
}

int run(const Arguments& arguments) {
  if (arguments.wanted) return wanted(arguments);
  raise_descriptor_limit();
  if (arguments.packets >= 0) return read_packets(arguments.packets);
  auto files = load(arguments);
  if (!files) return refuse(files.error(), misconfigured);
  if (files->config.l2tp.lns == config::Lns::external)
    return refuse(config::complaint(files->config, files->config.l2tp.line, "l2tp.lns",
                                    "\"external\" leaves nothing for l2tpd to do"),
                  misconfigured);
  os::Loop loop;
  l2tpd::Daemon daemon(
      loop, files->config, files->secrets,
      {.run_dir = arguments.run_dir,
       .partner = {.argv = {std::filesystem::read_symlink("/proc/self/exe")}, .launcher = arguments.launcher},
       .log_level = arguments.verbose ? base::Severity::debug : base::Severity::info,
       .pppd = {.log = arguments.verbose ? l2tpd::PppdLog::verbose : l2tpd::PppdLog::syslog_only},
       .load = [&arguments] { return load(arguments); }});
  if (const auto started = daemon.start(); !started) return refuse(started.error());
  loop.run();
  return daemon.well() ? good : failed;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The L2TP network server of Sameroof.", "l2tpd");
  app.set_version_flag("--version", SAMEROOF_VERSION);
  Arguments arguments;
  app.add_option("--config", arguments.config, "the configuration")->capture_default_str();
  app.add_option("--secrets", arguments.secrets, "the secrets")->capture_default_str();
  app.add_option("--run-dir", arguments.run_dir, "where the control sockets are")->capture_default_str();
  app.add_option("--launcher", arguments.launcher,
                 "the socket behind which a service manager starts the process that reads packets");
  app.add_option("--packets", arguments.packets)->group("");  // how l2tpd starts its other process
  app.add_flag("--wanted", arguments.wanted,
               "exit with 1 where the configuration has nothing for l2tpd to do, with 0 otherwise");
  app.add_flag("--verbose", arguments.verbose, "also log what pppd negotiates");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? good : misconfigured;
  }
  base::set_log_level(arguments.verbose ? base::Severity::debug : base::Severity::info);
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    return refuse({error.what()});
  }
}
