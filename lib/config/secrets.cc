#include <openssl/crypto.h>

#include "config/entry.h"

namespace config {
namespace {

// toml++ owns copies of the secrets in its nodes, and does not wipe them.
void wipe(toml::table& table) {
  for (auto&& [key, node] : table) {
    if (auto* inner = node.as_table()) wipe(*inner);
    if (auto* text = node.as_string()) OPENSSL_cleanse(text->get().data(), text->get().size());
  }
}

constexpr std::size_t longest_psk = 1024;
constexpr std::size_t longest_password = 255;  // PAP has one octet for the length, and pppd no room for more

void read_section(const Entry& section, std::size_t longest,
                  std::map<std::string, base::Secret, std::less<>>& out) {
  for (const auto& [name, e] : section.keys()) {
    const auto* secret = e.node().as_string();
    if (!secret) {
      e.refuse("must be a string");
    } else if (secret->get().empty() || secret->get().size() > longest) {
      e.refuse(fmt::format("must have 1 to {} octets", longest));
    } else {
      out.emplace(name, base::Secret::copy_of(base::as_bytes(secret->get())));
    }
  }
}

Secrets read(const toml::table& root, Complaints& complaints) {
  Secrets out;
  for (const auto& [key, e] : Entry("", root, 1, complaints).keys()) {
    if (key == "psk")
      read_section(e, longest_psk, out.psk);
    else if (key == "user")
      read_section(e, longest_password, out.user);
    else
      e.refuse("unknown key");
  }
  return out;
}

}  // namespace

base::Result<Secrets> parse_secrets(std::string_view text, std::string_view file_name) {
  try {
    toml::table root = toml::parse(text);
    Complaints complaints(file_name);
    Secrets out = read(root, complaints);
    wipe(root);
    if (!complaints.none()) return complaints.result();
    return out;
  } catch (const toml::parse_error& error) {
    // Its description quotes what it saw, which may be part of a secret.
    return base::fail(
        sentence(file_name, line_of(error.source()), "", "this is not TOML, or a key is there twice"));
  }
}

}  // namespace config
