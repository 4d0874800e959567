#include <algorithm>

#include <openssl/crypto.h>

#include "config/entry.h"

namespace config {
namespace {

// toml++ owns copies of the secrets in its nodes, and does not wipe them.
void wipe(toml::node& node) {
  if (auto* table = node.as_table()) {
    for (auto&& [key, inner] : *table) wipe(inner);
  }
  if (auto* array = node.as_array()) {
    for (auto& inner : *array) wipe(inner);
  }
  if (auto* text = node.as_string()) OPENSSL_cleanse(text->get().data(), text->get().size());
}

constexpr std::size_t longest_psk = 1024;
constexpr std::size_t most_secrets = 4;  // of one PSK: the one in use, and those that are on their way out
constexpr std::size_t longest_l2tp_secret = 255;
constexpr std::size_t longest_radius_secret = 48;  // what pppd's RADIUS plugin has room for
constexpr std::size_t longest_password = 255;  // PAP has one octet for the length, and pppd no room for more

std::optional<base::Secret> read_secret(const Entry& e, std::size_t longest) {
  const auto* secret = e.node().as_string();
  if (!secret) {
    e.refuse("must be a string");
  } else if (secret->get().empty() || secret->get().size() > longest) {
    e.refuse(fmt::format("must have 1 to {} octets", longest));
  } else {
    return base::Secret::copy_of(base::as_bytes(secret->get()));
  }
  return std::nullopt;
}

void read_psk(const Entry& e, std::vector<base::Secret>& out) {
  if (!e.node().is_array()) {
    if (auto secret = read_secret(e, longest_psk)) out.push_back(std::move(*secret));
    return;
  }
  const auto elements = e.elements();
  if (elements.size() > most_secrets) e.refuse(fmt::format("must have at most {} secrets", most_secrets));
  for (const auto& element : elements) {
    if (auto secret = read_secret(element, longest_psk)) out.push_back(std::move(*secret));
  }
}

void read_l2tp(const Entry& section, base::Secret& out) {
  for (const auto& [key, e] : section.keys()) {
    if (key != "secret")
      e.refuse("unknown key");
    else if (auto secret = read_secret(e, longest_l2tp_secret))
      out = std::move(*secret);
  }
}

std::optional<base::Secret> read_radius_secret(const Entry& e) {
  auto secret = read_secret(e, longest_radius_secret);
  if (!secret) return secret;
  const bool one_word =
      std::ranges::all_of(base::as_text(secret->view()), [](char c) { return c > ' ' && c < 0x7f; });
  if (!one_word) {
    e.refuse("must be ASCII characters without blanks: pppd's RADIUS plugin takes no others");
    return std::nullopt;
  }
  return secret;
}

Secrets read(const toml::table& root, Complaints& complaints) {
  Secrets out;
  for (const auto& [key, e] : Entry("", root, 1, complaints).keys()) {
    if (key == "psk") {
      for (const auto& [name, secret] : e.keys()) read_psk(secret, out.psk[name]);
    } else if (key == "l2tp") {
      read_l2tp(e, out.l2tp);
    } else if (key == "user") {
      for (const auto& [name, password] : e.keys()) {
        if (auto secret = read_secret(password, longest_password)) out.user.emplace(name, std::move(*secret));
      }
    } else if (key == "radius") {
      for (const auto& [server, shared] : e.keys()) {
        if (auto secret = read_radius_secret(shared)) out.radius.emplace(server, std::move(*secret));
      }
    } else {
      e.refuse("unknown key");
    }
  }
  return out;
}

}  // namespace

base::Result<Secrets> parse_secrets(std::string_view text, std::string_view file_name) {
  if (auto lines = check_lines(text, file_name); !lines) return tl::unexpected(lines.error());
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
