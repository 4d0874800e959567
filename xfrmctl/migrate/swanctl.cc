// strongSwan's swanctl.conf.

#include <algorithm>
#include <array>
#include <memory>

#include <fmt/format.h>

#include "migrate/words.h"

namespace migrate {
namespace {

constexpr int deepest = 8;                   // includes
constexpr std::size_t deepest_section = 16;  // within one file

/// A section; values are kept as secrets since some are.
struct Section {
  std::map<std::string, base::Secret, std::less<>> values;
  std::vector<std::pair<std::string, std::unique_ptr<Section>>> sections;

  std::string_view value(std::string_view key) const {
    const auto found = values.find(key);
    return found == values.end() ? std::string_view() : text_of(found->second);
  }
  Section& section(std::string_view name) {
    for (auto& [known, inner] : sections) {
      if (known == name) return *inner;
    }
    return *sections.emplace_back(std::string(name), std::make_unique<Section>()).second;
  }
  const Section* find(std::string_view name) const {
    for (const auto& [known, inner] : sections) {
      if (known == name) return inner.get();
    }
    return nullptr;
  }
};

class Reader {
 public:
  Reader(const Files& files, std::string_view path, OldSetup& out) : files_(files), path_(path), out_(out) {}

  void read(Section& root, int depth) {
    const auto file = files_.find(path_);
    if (file == files_.end() || depth > deepest || !out_.opens(path_)) return;
    std::vector<Section*> open{&root};
    for (auto line : lines_of(text_of(file->second))) {
      line = trim(without_comment(line));
      if (const auto words = split(line, " \t"); words.size() == 2 && words[0] == "include") {
        for (const auto& name : included(files_, path_, words[1]))
          Reader(files_, name, out_).read(*open.back(), depth + 1);
        continue;
      }
      if (!take(line, open))
        return out_.lose(fmt::format("{}: sections within sections, more than {} deep: the rest was not read",
                                     path_, deepest_section));
    }
  }

 private:
  static std::string_view without_comment(std::string_view line) {
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '"') quoted = !quoted;
      if (line[i] == '#' && !quoted) return line.substr(0, i);
    }
    return line;
  }

  /// What a line holds: `name {`, `key = value`, `}`, several of them too. False: too deep.
  static bool take(std::string_view line, std::vector<Section*>& open) {
    while (!(line = trim(line)).empty()) {
      const auto at = line.find_first_of("{}=");
      if (at == line.npos) return true;
      const auto name = trim(line.substr(0, at));
      const char sign = line[at];
      line.remove_prefix(at + 1);
      if (sign == '{') {
        if (open.size() > deepest_section) return false;
        open.push_back(&open.back()->section(name));
      } else if (sign == '}') {
        if (open.size() > 1) open.pop_back();
      } else {
        auto value = trim(line);
        std::size_t taken = line.size();
        if (value.starts_with('"')) {
          value.remove_prefix(1);
          const auto end = std::min(value.find('"'), value.size());
          taken = static_cast<std::size_t>(value.data() + std::min(end + 1, value.size()) - line.data());
          value = value.substr(0, end);
        } else if (const auto close = value.find(" }"); close != value.npos) {
          taken = static_cast<std::size_t>(value.data() + close - line.data());
          value = trim(value.substr(0, close));
        }
        open.back()->values[std::string(name)] = base::Secret::copy_of(base::as_bytes(value));
        line.remove_prefix(taken);
      }
    }
    return true;
  }

  const Files& files_;
  std::string path_;
  OldSetup& out_;
};

bool is_l2tp(const Section& child) {
  return child.value("mode") == "transport" &&
         (child.value("local_ts").find("1701") != std::string_view::npos ||
          child.value("local_ts").find("l2tp") != std::string_view::npos || child.value("local_ts").empty() ||
          child.value("local_ts") == "dynamic");
}

void take_child(const std::string& where, const Section& child, OldSetup& out) {
  add_proposals(child.value("esp_proposals"), where, true, out);
  const auto life =
      seconds_of(child.value("life_time").empty() ? child.value("rekey_time") : child.value("life_time"));
  if (life && *life > 0) out.esp_lifetime = within(*life, 120, 7 * 86400, "life_time", out);
}

void take_connection(const std::string& name, const Section& connection, OldSetup& out) {
  const auto where = "connection " + name;
  const Section* child = nullptr;
  if (const auto* children = connection.find("children")) {
    for (const auto& [child_name, inner] : children->sections) {
      if (is_l2tp(*inner)) child = inner.get();
    }
  }
  if (child == nullptr || connection.value("version") == "2")
    return out.lose(where + " is not for L2TP over IKEv1");
  take_child(where, *child, out);
  add_proposals(connection.value("proposals"), where, false, out);
  for (const auto address : split(connection.value("local_addrs"), ", "))
    add_listen(address, out.ike_listen, out);
  if (const auto life = seconds_of(connection.value("rekey_time")); life && *life > 0)
    out.lifetime = within(*life, 300, 7 * 86400, "rekey_time", out);
  if (const auto delay = seconds_of(connection.value("dpd_delay")))
    out.dpd = within(*delay, 0, 86400, "dpd_delay", out);
  if (const auto timeout = seconds_of(connection.value("dpd_timeout")); timeout && *timeout > 0)
    out.dpd_timeout = within(*timeout, 10, 86400, "dpd_timeout", out);
  if (is_yes(connection.value("encap")))
    out.lose(
        where +
        ": forced UDP encapsulation; behind a NAT of its own the gateway wants ike.nat_detection = \"echo\"");
  if (is_yes(connection.value("aggressive")))
    out.lose(where + ": Aggressive Mode; see aggressive and identity of [[ike.psk]]");
  for (const auto& [part, inner] : connection.sections) {
    const auto auth = inner->value("auth");
    if ((part.starts_with("local") || part.starts_with("remote")) && !auth.empty() && auth != "psk")
      out.lose(fmt::format(
          "{}: {} proves itself by {}; see [[ike.own_certificate]], ike.trust, [[ike.certificate]]", where,
          part, auth));
  }
}

void take_secrets(const Section& secrets, std::string_view path, OldSetup& out) {
  for (const auto& [name, inner] : secrets.sections) {
    const auto where = fmt::format("{}: {}", path, name);
    if (!name.starts_with("ike")) {
      out.lose(fmt::format("{}: a secret that is no pre-shared key of IKE", where));
      continue;
    }
    std::optional<base::Prefix> peer;
    bool several = false;
    for (const auto& [key, value] : inner->values) {
      if (!key.starts_with("id")) continue;
      const auto address = base::Address::parse(text_of(value));
      const bool ours = address && std::ranges::find(out.ike_listen, *address) != out.ike_listen.end();
      if (!address || !address->is_v4()) {
        out.lose(fmt::format("{}: a key for {}; Main Mode tries every key and asks for no name", where,
                             text_of(value)));
      } else if (!ours && !address->is_unspecified()) {
        several |= peer.has_value();
        peer = base::Prefix{*address, 32};
      }
    }
    if (several) out.lose(fmt::format("{}: a key for several addresses; it is now for all", where));
    add_key(base::as_bytes(inner->value("secret")), several ? std::nullopt : peer, where, out);
  }
}

}  // namespace

void read_swanctl(const Files& files, std::string_view path, OldSetup& out) {
  Section root;
  Reader(files, path, out).read(root, 0);
  if (const auto* connections = root.find("connections")) {
    for (const auto& [name, connection] : connections->sections) take_connection(name, *connection, out);
  }
  if (const auto* secrets = root.find("secrets")) take_secrets(*secrets, path, out);
}

}  // namespace migrate
