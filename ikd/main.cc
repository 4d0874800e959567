// ikd: the IKE daemon of Sameroof.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <CLI/CLI.hpp>
#include <fcntl.h>

#include "base/event_log.h"
#include "ikd/broker_process.h"
#include "ikd/daemon.h"
#include "ikd/provision.h"
#include "nft/ruleset.h"

namespace {

constexpr int bad_configuration = 2;  // systemd's EXIT_INVALIDARGUMENT

struct Arguments {
  std::string config = "/etc/sameroof/sameroof.toml";
  std::string secrets = "/etc/sameroof/secrets.toml";
  ikd::BrokerOptions broker;
  int packets = -1;
  bool ruleset = false, check = false, wanted = false, verbose = false;
};

int complain(const base::Error& error, int status) {
  base::log(base::Severity::error, error.message);
  return status;
}

/// The other process: all that it has comes through this descriptor.
int parse_packets(int channel) {
  ::fcntl(channel, F_SETFD, FD_CLOEXEC);
  auto daemon = ikd::Daemon::start(os::Channel(base::Fd(channel)));
  if (!daemon) return complain(daemon.error(), 1);
  (*daemon)->run();
  daemon->reset();
  // What libraries and sanitizers do at the end may need more than this process has left.
  std::_Exit(0);
}

/// A configuration that says nothing of it wants us, too: what is wrong with it a start says.
int wanted(const Arguments& arguments) {
  const auto config = config::load(arguments.config);
  return config && config->l2tp.cleartext == config::Cleartext::only ? 1 : 0;
}

int run(const Arguments& arguments) {
  if (arguments.wanted) return wanted(arguments);
  if (arguments.verbose) base::set_log_level(base::Severity::debug);
  if (arguments.packets >= 0) return parse_packets(arguments.packets);
  if (arguments.ruleset) {
    const auto config = config::load(arguments.config);
    if (!config) return complain(config.error(), bad_configuration);
    const auto text = nft::ruleset(*config);
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
  }
  auto options = arguments.broker;
  options.load = [&arguments] { return ikd::load(arguments.config, arguments.secrets); };
  auto loaded = options.load();
  if (!loaded) return complain(loaded.error(), bad_configuration);
  if (arguments.check) return 0;
  if (loaded->config.l2tp.cleartext == config::Cleartext::only)
    return complain(config::complaint(loaded->config, loaded->config.l2tp.line, "l2tp.cleartext",
                                      "\"only\" leaves nothing for ikd to do"),
                    bad_configuration);
  options.partner.argv = {std::filesystem::read_symlink("/proc/self/exe")};
  if (arguments.verbose) options.log_level = base::Severity::debug;
  auto broker = ikd::BrokerProcess::start(std::move(*loaded), options);
  if (!broker) return complain(broker.error(), 1);
  return (*broker)->run() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "The IKE daemon of Sameroof: authenticates peers and gives each its own mark, SAs and alias address."};
  Arguments arguments;
  app.set_version_flag("--version", SAMEROOF_VERSION);
  app.add_option("--config", arguments.config, "the configuration")->capture_default_str();
  app.add_option("--secrets", arguments.secrets, "the secrets beside it")->capture_default_str();
  app.add_option("--run-dir", arguments.broker.run_directory, "where the control socket is made")
      ->capture_default_str();
  app.add_option("--launcher", arguments.broker.partner.launcher,
                 "the socket behind which a service manager starts the process that reads packets");
  app.add_flag("--check", arguments.check, "read the configuration, complain or not, and exit");
  app.add_flag("--wanted", arguments.wanted,
               "exit with 1 where the configuration has nothing for ikd to do, with 0 otherwise");
  app.add_flag("--ruleset", arguments.ruleset, "print the nftables ruleset for the configuration and exit");
  app.add_option("--packets", arguments.packets)->group("");  // how ikd starts its other process
  app.add_flag("--verbose", arguments.verbose, "log what is of interest to developers");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(arguments);
  } catch (const std::exception& e) {
    return complain({e.what()}, 1);
  }
}
