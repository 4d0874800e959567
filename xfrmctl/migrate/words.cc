#include "migrate/words.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>
#include <fnmatch.h>

#include "base/text.h"
#include "config/config.h"
#include "ike/proposal.h"

namespace migrate {
namespace {

constexpr std::string_view blanks = " \t\r\n";

/// Each format has its own names for the same.
std::string our_word(std::string_view word, bool first) {
  static const std::map<std::string, std::string, std::less<>> words{{"sha", "sha1"},
                                                                     {"sha2", "sha256"},
                                                                     {"sha2_256", "sha256"},
                                                                     {"sha2_384", "sha384"},
                                                                     {"sha2_512", "sha512"},
                                                                     {"dh1", "modp768"},
                                                                     {"dh2", "modp1024"},
                                                                     {"dh5", "modp1536"},
                                                                     {"dh14", "modp2048"},
                                                                     {"dh15", "modp3072"},
                                                                     {"dh16", "modp4096"},
                                                                     {"dh19", "ecp256"},
                                                                     {"dh20", "ecp384"},
                                                                     {"dh21", "ecp521"},
                                                                     {"hmac_sha1", "sha1"},
                                                                     {"hmac_md5", "md5"},
                                                                     {"aes_gcm", "aes128gcm16"},
                                                                     {"aes_gcm_c", "aes128gcm16"},
                                                                     {"aes_gcm128", "aes128gcm16"},
                                                                     {"aes_gcm256", "aes256gcm16"},
                                                                     {"aes_gcm_c_128", "aes128gcm16"},
                                                                     {"aes_gcm_c_256", "aes256gcm16"},
                                                                     {"aes128gcm128", "aes128gcm16"},
                                                                     {"aes256gcm128", "aes256gcm16"},
                                                                     {"aes_cbc128", "aes128"},
                                                                     {"aes_cbc256", "aes256"},
                                                                     {"aes_128", "aes128"},
                                                                     {"aes_256", "aes256"},
                                                                     {"sha256_128", "sha256"}};
  std::string lower(word);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (first && lower == "aes") return "aes128";
  const auto found = words.find(lower);
  return found == words.end() ? lower : found->second;
}

std::string in_our_words(std::string_view proposal) {
  std::string out;
  for (const auto word : split(proposal, "-;+")) {
    if (word == "null" || word == "noesn") continue;  // of an AEAD, and of every SA here
    out += (out.empty() ? "" : "-") + our_word(word, out.empty());
  }
  return out;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::optional<base::Secret> from_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  auto out = base::Secret::of_size(digits.size() / 2);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto* at = digits.data() + 2 * i;
    if (std::from_chars(at, at + 2, out.writable()[i], 16).ptr != at + 2) return std::nullopt;
  }
  return out;
}

std::optional<base::Secret> from_base64(std::string_view text) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  auto out = base::Secret::of_size(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int have = 0;
  std::size_t at = 0;
  for (const char c : text) {
    const auto value = letters.find(c);
    if (value == letters.npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out.writable()[at++] = static_cast<std::uint8_t>(bits >> have);
  }
  return out;
}

}  // namespace

bool is_text(base::ByteView bytes) {
  while (!bytes.empty()) {
    const auto size = base::utf8_size(base::as_text(bytes));
    if (size == 0) return false;
    bytes = bytes.subspan(size);
  }
  return true;
}

std::string in_comment(std::string text) {
  constexpr std::size_t most = 1000;  // the parser refuses longer lines
  if (text.size() > most) {
    std::size_t end = most;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text = text.substr(0, end) + "…";
  }
  const bool readable = is_text(base::as_bytes(text));
  std::ranges::replace_if(
      text,
      [readable](char c) { return is_control(c) || (!readable && static_cast<unsigned char>(c) >= 0x80); },
      '?');
  return text;
}

void OldSetup::lose(std::string sentence) {
  sentence = in_comment(std::move(sentence));
  if (told.insert(sentence).second) lost.push_back(std::move(sentence));
}

std::string_view text_of(const base::Secret& content) { return base::as_text(content.view()); }

std::string_view trim(std::string_view text) {
  const auto from = text.find_first_not_of(blanks);
  if (from == text.npos) return {};
  return text.substr(from, text.find_last_not_of(blanks) - from + 1);
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    out.push_back(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto from = text.find_first_not_of(separators);
    if (from == text.npos) return out;
    const auto to = std::min(text.find_first_of(separators, from), text.size());
    out.push_back(text.substr(from, to - from));
    text.remove_prefix(to);
  }
}

std::optional<base::Secret> next_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(blanks), rest.size()));
  if (rest.empty() || rest.front() == '#') return std::nullopt;
  auto out = base::Secret::of_size(rest.size());
  std::size_t size = 0, i = 0;
  char quote = 0;
  for (; i < rest.size(); ++i) {
    char c = rest[i];
    if (quote == 0 && blanks.find(c) != blanks.npos) break;
    if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else {
      if (c == '\\' && quote != '\'' && i + 1 < rest.size()) c = rest[++i];
      out.writable()[size++] = static_cast<std::uint8_t>(c);
    }
  }
  rest.remove_prefix(i);
  out.shorten(size);
  return out;
}

std::optional<base::Address> address_of(std::string_view text) {
  const auto address = base::Address::parse(text);
  const bool somebodys =
      address && address->is_v4() && !address->is_unspecified() && !config::Marks{}.alias.contains(*address);
  return somebodys ? address : std::nullopt;
}

std::vector<std::string> included(const Files& files, std::string_view from, std::string_view pattern) {
  std::string path(pattern);
  if (!path.starts_with('/')) path = std::string(from.substr(0, from.rfind('/') + 1)) + path;
  std::vector<std::string> out;
  for (const auto& [name, content] : files) {
    if (::fnmatch(path.c_str(), name.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0 && name != from)
      out.push_back(name);
  }
  return out;
}

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t out = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return out;
}

std::optional<std::int64_t> seconds_of(std::string_view text) {
  constexpr std::array<std::pair<char, std::int64_t>, 4> units{
      {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}}};
  for (const auto& [letter, seconds] : units) {
    if (!text.ends_with(letter)) continue;
    const auto count = number_of(text.substr(0, text.size() - 1));
    if (!count || *count < 0 || *count > 1'000'000'000) return std::nullopt;
    return *count * seconds;
  }
  return number_of(text);
}

bool is_yes(std::string_view text) { return text == "yes" || text == "true" || text == "1"; }

std::optional<std::string> ike_proposal(std::string_view text) {
  auto out = in_our_words(text);
  if (!ike::parse_ike_transform(out)) return std::nullopt;
  return out;
}

std::optional<std::string> esp_proposal(std::string_view text) {
  auto out = in_our_words(text);
  if (!ike::parse_esp_suite(out)) return std::nullopt;
  return out;
}

void add_proposals(std::string_view list, std::string_view where, bool esp, OldSetup& out) {
  auto& known = esp ? out.esp_proposals : out.proposals;
  for (auto text : split(list, ", \t")) {
    if (text.ends_with('!')) text.remove_suffix(1);
    if (text.empty() || text == "default") continue;
    auto proposal = esp ? esp_proposal(text) : ike_proposal(text);
    if (!proposal) {
      out.lose(fmt::format("{}: ikd has no proposal like {}", where, text));
    } else if (std::ranges::find(known, *proposal) == known.end()) {
      known.push_back(std::move(*proposal));
    }
  }
}

std::int64_t within(std::int64_t value, std::int64_t least, std::int64_t most, std::string_view what,
                    OldSetup& out) {
  const auto kept = std::clamp(value, least, most);
  if (kept != value)
    out.lose(fmt::format("{} was {} and must be {} to {}: it is {} now", what, value, least, most, kept));
  return kept;
}

void add_key(base::ByteView secret, std::optional<base::Prefix> peer, std::string_view where, OldSetup& out) {
  const auto text = base::as_text(secret);
  auto bytes = std::optional(base::Secret::copy_of(secret));
  if (text.starts_with("0x") || text.starts_with("0X")) bytes = from_hex(text.substr(2));
  if (text.starts_with("0s") || text.starts_with("0S")) bytes = from_base64(text.substr(2));
  if (!bytes || bytes->empty() || bytes->size() > 1024 || !is_text(bytes->view()) ||
      std::ranges::any_of(text_of(*bytes), is_control))
    return out.lose(
        fmt::format("{}: a pre-shared key is no text of 1 to 1024 octets, which secrets.toml needs", where));
  for (const auto& key : out.keys) {
    if (key.peer == peer && base::same_in_constant_time(key.secret.view(), bytes->view())) return;
  }
  out.keys.push_back({std::move(*bytes), peer});
}

void add_listen(std::string_view text, std::vector<base::Address>& list, OldSetup& out) {
  const auto address = address_of(text);
  if (!address || std::ranges::find(list, *address) != list.end()) return;
  if (list.size() == config::most_listen)
    return out.lose(fmt::format("{} is one address too many to listen on", text));
  list.push_back(*address);
}

}  // namespace migrate
