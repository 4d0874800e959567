#include "config/entry.h"

#include <algorithm>

#include "base/text.h"

namespace config {

std::string sentence(std::string_view file_name, int line, std::string_view key, std::string_view why) {
  std::string out(file_name);
  if (line > 0) out += fmt::format(": line {}", line);
  if (!key.empty()) out += fmt::format(": {}", key);
  return out += fmt::format(": {}", why);
}

base::Result<void> check_lines(std::string_view text, std::string_view file_name) {
  constexpr std::size_t longest = 4096;
  for (int line = 1;; ++line) {
    const auto end = std::min(text.find('\n'), text.size());
    if (end > longest)
      return base::fail(sentence(file_name, line, "", fmt::format("is longer than {} octets", longest)));
    for (auto rest = text.substr(0, end); !rest.empty();) {
      const auto size = base::utf8_size(rest);
      if (size == 0) return base::fail(sentence(file_name, line, "", "is not UTF-8"));
      rest.remove_prefix(size);
    }
    if (end == text.size()) return {};
    text.remove_prefix(end + 1);
  }
}

base::Error complaint(const Config& config, int line, std::string_view key, std::string_view why) {
  return {sentence(config.file_name, line, key, why)};
}

std::optional<std::string> Entry::text() const {
  if (const auto* value = node_.as_string()) return value->get();
  refuse("must be a string");
  return std::nullopt;
}

void Entry::name(std::string& out) const {
  auto value = text();
  if (!value) return;
  const bool printable = std::ranges::none_of(*value, [](char c) {
    const auto octet = static_cast<unsigned char>(c);
    return octet < 0x20 || octet == 0x7f;
  });
  if (value->empty() || value->size() > 255 || !printable) {
    return refuse("must have 1 to 255 octets and no control characters");
  }
  out = std::move(*value);
}

void Entry::absolute_path(std::string& out) const {
  const auto path = text();
  if (!path) return;
  if (!path->starts_with('/')) return refuse("must be an absolute path");
  out = *path;
}

void Entry::address(base::Address& out) const {
  const auto value = text();
  if (!value) return;
  const auto parsed = base::Address::parse(*value);
  if (!parsed || !parsed->is_v4()) return refuse("must be an IPv4 address");
  out = *parsed;
}

void Entry::address_of_any_family(base::Address& out) const {
  static const auto link_local = *base::Prefix::parse("fe80::/10");
  static const auto mapped_v4 = *base::Prefix::parse("::ffff:0:0/96");
  const auto value = text();
  if (!value) return;
  const auto parsed = base::Address::parse(*value);
  if (!parsed || link_local.contains(*parsed) || mapped_v4.contains(*parsed))
    return refuse("must be an IPv4 or IPv6 address, not a link-local one");
  out = *parsed;
}

void Entry::address(std::optional<base::Address>& out) const {
  base::Address value;
  address(value);
  if (value.is_unspecified()) return refuse("must be an IPv4 address of a host");
  out = value;
}

void Entry::prefix(base::Prefix& out) const {
  const auto value = text();
  if (!value) return;
  const auto parsed = base::Prefix::parse(*value);
  if (!parsed || !parsed->network.is_v4()) {
    return refuse("must be an IPv4 network such as \"10.99.1.0/24\", without host bits");
  }
  out = *parsed;
}

std::optional<std::int64_t> Entry::integer(std::int64_t least, std::int64_t most) const {
  const auto* value = node_.as_integer();
  if (!value) {
    refuse("must be a whole number");
    return std::nullopt;
  }
  if (value->get() < least || value->get() > most) {
    refuse(fmt::format("must be from {} to {}", least, most));
    return std::nullopt;
  }
  return value->get();
}

void Entry::truth(bool& out) const {
  const auto* value = node_.as_boolean();
  if (!value) return refuse("must be true or false");
  out = value->get();
}

std::vector<Entry> Entry::elements() const {
  std::vector<Entry> out;
  const auto* array = node_.as_array();
  if (!array || array->empty()) {
    refuse("must be a list with something in it");
    return out;
  }
  for (const auto& element : *array) {
    out.emplace_back(path_, element, line_of(element.source()), complaints_);
  }
  return out;
}

std::vector<std::pair<std::string, Entry>> Entry::keys() const {
  std::vector<std::pair<std::string, Entry>> out;
  const auto* table = node_.as_table();
  if (!table) {
    refuse(fmt::format("must be a table: [{}]", path_));
    return out;
  }
  for (const auto& [key, value] : *table) {
    std::string name(key.str());
    std::string path = path_.empty() ? name : fmt::format("{}.{}", path_, name);
    out.emplace_back(std::move(name), Entry(std::move(path), value, line_of(key.source()), complaints_));
  }
  return out;
}

}  // namespace config
