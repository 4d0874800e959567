#include "ikd/provision.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "ikd/credentials.h"
#include "ikd/settings.h"

namespace ikd {
base::Result<Loaded> load(const std::string& config_path, const std::string& secrets_path) {
  const auto text = config::read_file(config_path);
  if (!text) return tl::unexpected(text.error());
  Provision provision{.file_name = std::filesystem::path(config_path).filename(),
                      .configuration = std::string(base::as_text(text->view())),
                      .files = {},
                      .certificates = {}};
  auto config = config::parse(provision.configuration, provision.file_name);
  if (!config) return tl::unexpected(config.error());
  auto secrets = config::load_secrets(secrets_path);
  if (!secrets) return tl::unexpected(secrets.error());
  if (auto fits = config::check(*config, *secrets); !fits) return tl::unexpected(fits.error());
  if (auto settings = settings_from(*config); !settings) return tl::unexpected(settings.error());
  const auto read = [&provision](const std::string& path) -> base::Result<base::Secret> {
    // One that is named twice is read once.
    const auto known = std::ranges::find(provision.files, path, &Provision::File::path);
    if (known != provision.files.end()) return base::Secret::copy_of(known->bytes);
    auto bytes = config::read_file(path);
    if (bytes) provision.files.push_back({path, base::to_bytes(bytes->view())});
    return bytes;
  };
  if (auto authorities = load_authorities(*config, read); !authorities)
    return tl::unexpected(authorities.error());
  auto own = load_own_certificates(*config);
  if (!own) return tl::unexpected(own.error());
  for (const auto& identity : own->identities) provision.certificates.push_back(identity.certificate);
  auto keys = std::make_shared<const Keys>(config->ike, std::move(*secrets), std::move(own->identities));
  return Loaded{std::move(*config), std::move(provision), std::move(keys), std::move(own->doubts)};
}

base::Result<Prepared> prepare(const Provision& provision) {
  auto config = config::parse(provision.configuration, provision.file_name);
  if (!config) return tl::unexpected(config.error());
  auto settings = settings_from(*config);
  if (!settings) return tl::unexpected(settings.error());
  const auto read = [&provision](const std::string& path) -> base::Result<base::Secret> {
    const auto file = std::ranges::find(provision.files, path, &Provision::File::path);
    if (file == provision.files.end()) return base::fail(path + " was not handed over");
    return base::Secret::copy_of(file->bytes);
  };
  auto authorities = load_authorities(*config, read);
  if (!authorities) return tl::unexpected(authorities.error());
  settings->trusted_names = std::move(authorities->trusted_names);
  settings->certificates = provision.certificates;
  return Prepared{std::move(*config), std::move(*settings),
                  std::make_shared<const pki::Verifier>(std::move(authorities->verifier))};
}

}  // namespace ikd
