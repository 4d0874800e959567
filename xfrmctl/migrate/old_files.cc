#include "migrate/old_files.h"

#include <filesystem>

#include "config/config.h"

namespace migrate {
namespace {

namespace fs = std::filesystem;

constexpr const char* single_files[] = {"/etc/ipsec.conf", "/etc/ipsec.secrets"};
constexpr const char* folders[] = {"/etc/ipsec.d",
                                   "/etc/strongswan",
                                   "/etc/strongswan/ipsec.d",
                                   "/etc/strongswan/swanctl",
                                   "/etc/strongswan/swanctl/conf.d",
                                   "/etc/swanctl",
                                   "/etc/swanctl/conf.d",
                                   "/etc/xl2tpd",
                                   "/etc/ppp"};

/// Certificates and NSS databases lie there, too.
bool is_wanted(const fs::path& path) {
  const auto suffix = path.extension();
  return suffix == ".conf" || suffix == ".secrets" || path.parent_path().filename() == "ppp" ||
         path.parent_path().filename() == "xl2tpd";
}

}  // namespace

base::Result<Files> old_files(const std::string& root) {
  std::vector<std::string> paths(std::begin(single_files), std::end(single_files));
  for (const std::string folder : folders) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(root + folder, error)) {
      if (is_wanted(entry.path())) paths.push_back(folder + "/" + entry.path().filename().string());
    }
  }
  Files out;
  for (const auto& path : paths) {
    std::error_code error;
    if (!fs::is_regular_file(root + path, error)) continue;
    auto content = config::read_file(root + path);
    if (!content) return tl::unexpected(content.error());
    out.emplace(path, std::move(*content));
  }
  return out;
}

}  // namespace migrate
