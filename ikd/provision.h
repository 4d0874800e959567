#pragma once
// What ikd works with, as its files say at one moment. The broker reads them all; the process that parses
// packets gets what it needs of them, and opens none.

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "ikd/keys.h"
#include "ike/engine.h"
#include "pki/verifier.h"

namespace ikd {

/// What the process that parses packets gets. Nothing in it is secret.
struct Provision {
  struct File {
    std::string path;
    base::Bytes bytes;
  };

  std::string file_name, configuration;  ///< as config::parse() takes them
  std::vector<File> files;               ///< that ike.trust and ike.revocation name
  std::vector<ike::OwnCertificate> certificates;
};

/// The broker's side of the same.
struct Loaded {
  config::Config config;
  Provision provision;
  std::shared_ptr<const Keys> keys;
  std::vector<std::string> doubts;  ///< sentences for the log; nothing is refused for them
};

/// Everything, or what is wrong with it.
base::Result<Loaded> load(const std::string& config_path, const std::string& secrets_path);

/// What the core and its workers want of a provision.
struct Prepared {
  config::Config config;
  ike::Settings settings;
  std::shared_ptr<const pki::Verifier> verifier;
};
base::Result<Prepared> prepare(const Provision& provision);

}  // namespace ikd
