// ikd: the IKE daemon of Sameroof.

#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "base/event_log.h"
#include "ikd/credentials.h"
#include "ikd/daemon.h"
#include "ikd/settings.h"
#include "nft/ruleset.h"

namespace {

constexpr int bad_configuration = 2;  // systemd's EXIT_INVALIDARGUMENT

struct Arguments {
  std::string config = "/etc/sameroof/sameroof.toml";
  std::string secrets = "/etc/sameroof/secrets.toml";
  ikd::DaemonOptions options;
  bool ruleset = false, check = false, verbose = false;
};

int complain(const base::Error& error, int status) {
  base::log(base::Severity::error, error.message);
  return status;
}

int run(const Arguments& arguments) {
  if (arguments.verbose) base::set_log_level(base::Severity::debug);
  auto config = config::load(arguments.config);
  if (!config) return complain(config.error(), bad_configuration);
  if (arguments.ruleset) {
    const auto text = nft::ruleset(*config);
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
  }
  auto secrets = config::load_secrets(arguments.secrets);
  if (!secrets) return complain(secrets.error(), bad_configuration);
  if (auto fits = config::check(*config, *secrets); !fits) return complain(fits.error(), bad_configuration);
  if (auto settings = ikd::settings_from(*config); !settings)
    return complain(settings.error(), bad_configuration);
  if (auto credentials = ikd::load_credentials(*config); !credentials)
    return complain(credentials.error(), bad_configuration);
  if (arguments.check) return 0;
  if (config->l2tp.cleartext == config::Cleartext::only)
    return complain(config::complaint(*config, 0, "l2tp.cleartext", "\"only\" leaves nothing for ikd to do"),
                    bad_configuration);
  auto daemon = ikd::Daemon::start(*config, std::move(*secrets), arguments.options);
  if (!daemon) return complain(daemon.error(), 1);
  (*daemon)->run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "The IKE daemon of Sameroof: authenticates peers and gives each its own mark, SAs and alias address."};
  Arguments arguments;
  app.set_version_flag("--version", SAMEROOF_VERSION);
  app.add_option("--config", arguments.config, "the configuration")->capture_default_str();
  app.add_option("--secrets", arguments.secrets, "the secrets beside it")->capture_default_str();
  app.add_option("--run-dir", arguments.options.run_directory, "where the control socket is made")
      ->capture_default_str();
  app.add_flag("--check", arguments.check, "read the configuration, complain or not, and exit");
  app.add_flag("--ruleset", arguments.ruleset, "print the nftables ruleset for the configuration and exit");
  app.add_flag("--verbose", arguments.verbose, "log what is of interest to developers");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(arguments);
  } catch (const std::exception& e) {
    return complain({e.what()}, 1);
  }
}
