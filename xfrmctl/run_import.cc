#include "xfrmctl/run_import.h"

#include <cstdio>

#include <fmt/format.h>

#include "config/config.h"
#include "migrate/old_files.h"
#include "migrate/to_toml.h"

namespace xfrmctl {
namespace {

/// What our own parser says of it; empty: nothing.
std::string objection(const std::string& text, const base::Secret& secret_text) {
  const auto config = config::parse(text, "sameroof.toml");
  if (!config) return config.error().message;
  const auto secrets = config::parse_secrets(base::as_text(secret_text.view()), "secrets.toml");
  if (!secrets) return secrets.error().message;
  const auto fits = config::check(*config, *secrets);
  return fits ? std::string() : fits.error().message;
}

}  // namespace

int run_import(const Options& options) {
  const auto files = migrate::old_files(options.root);
  if (!files) return complain(files.error().message, no_answer);
  auto setup = migrate::read_setup(*files);
  if (setup.sources.empty())
    return complain(
        "there is no ipsec.conf, swanctl.conf, xl2tpd.conf or chap-secrets under " + options.root + "/etc",
        no_match);
  const auto text = migrate::to_toml(setup);
  const auto secrets = migrate::to_secrets(setup);
  const auto printed = options.print_secrets ? base::as_text(secrets.view()) : std::string_view(text);
  if (std::fwrite(printed.data(), 1, printed.size(), stdout) != printed.size())
    return complain("standard output does not take it", no_answer);
  if (!options.print_secrets) {
    for (const auto& sentence : setup.lost) complain("not carried over: " + sentence, good);
  }
  if (const auto why = objection(text, secrets); !why.empty())
    return complain("this is not complete yet: " + why, doubts);
  return good;
}

}  // namespace xfrmctl
