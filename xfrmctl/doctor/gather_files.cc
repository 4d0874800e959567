#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "doctor/gather.h"
#include "pki/own_certificate.h"

namespace doctor {
namespace {

namespace fs = std::filesystem;

}  // namespace

std::string text_of_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::vector<Module> look_for_modules(const std::string& kernel, const std::vector<std::string>& names) {
  const auto folder = "/lib/modules/" + kernel;
  const auto builtin = text_of_file(folder + "/modules.builtin"),
             there = text_of_file(folder + "/modules.dep");
  std::vector<Module> out;
  std::error_code ignored;
  for (const auto& name : names) {
    const auto file = "/" + name + ".ko";
    Module module{.name = name};
    module.present = fs::exists("/sys/module/" + name, ignored) || builtin.find(file) != std::string::npos;
    // In a container, say, there is no list, and modprobe will tell.
    module.available = module.present || there.empty() || there.find(file) != std::string::npos;
    out.push_back(module);
  }
  return out;
}

std::vector<Ban> look_for_bans() {
  std::vector<Ban> out;
  std::set<std::string> seen;  // a file of one name in an earlier folder stands for those of later ones
  std::error_code ignored;
  for (const char* folder :
       {"/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"}) {
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
      const auto& path = entry.path();
      if (path.extension() != ".conf" || !seen.insert(path.filename()).second) continue;
      std::ranges::copy(bans_in(text_of_file(path), path), std::back_inserter(out));
    }
  }
  return out;
}

void look_at_certificates(const config::Config& config, HostFacts& facts) {
  for (const auto& own : config.ike.own_certificates) {
    const auto text = config::read_file(own.file);
    if (!text) {
      facts.unread.push_back(text.error().message);
      continue;
    }
    const auto chain = pki::Certificate::from_pem(text->view());
    if (!chain) {
      facts.unread.push_back(own.file + " " + chain.error().message);
      continue;
    }
    const auto& first = chain->front();
    const auto life = first.validity();
    facts.certificates.push_back({.file = own.file,
                                  .not_before = life.not_before,
                                  .not_after = life.not_after,
                                  .has_names = !first.alternative_names().empty(),
                                  .serves_windows = pki::serves_windows(first)});
  }
}

}  // namespace doctor
