#include "pki/pattern.h"

#include <algorithm>
#include <set>

namespace pki {
namespace {

constexpr std::size_t longest_text = 1024;  // glob() is quadratic

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

/// Splits at commas that no backslash precedes, and takes the backslashes out.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> out(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      out.back() += text[++i];
    } else if (text[i] == ',') {
      out.emplace_back();
    } else {
      out.back() += text[i];
    }
  }
  return out;
}

/// Each of `values` fits a pattern of its own.
bool all_fit(const std::vector<std::string_view>& patterns, std::vector<std::string_view> values) {
  if (patterns.size() != values.size()) return false;
  std::ranges::sort(values);
  do {
    bool fits = true;
    for (std::size_t i = 0; i < values.size() && fits; ++i) fits = glob(patterns[i], values[i]);
    if (fits) return true;
  } while (std::ranges::next_permutation(values).found);
  return false;
}

}  // namespace

bool glob(std::string_view pattern, std::string_view text, char barrier) {
  if (text.size() > longest_text || pattern.size() > longest_text) return false;
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, after_star = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      after_star = t;
    } else if (p < pattern.size() && lower(pattern[p]) == lower(text[t])) {
      ++p, ++t;
    } else if (star != std::string_view::npos && (barrier == '\0' || text[after_star] != barrier)) {
      p = star + 1;  // the last star takes one character more
      t = ++after_star;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

base::Result<NamePattern> NamePattern::parse(std::string_view text) {
  constexpr std::size_t most_of_a_kind = 4;  // all_fit() tries every order
  NamePattern out;
  for (const auto& part : split(text)) {
    const auto equals = part.find('=');
    const auto kind = trimmed(std::string_view(part).substr(0, std::min(equals, part.size())));
    if (equals == std::string::npos || kind.empty())
      return base::fail("must be a name such as \"CN=*, O=Example\"");
    out.wanted_.emplace_back(kind, trimmed(std::string_view(part).substr(equals + 1)));
    if (std::ranges::count_if(out.wanted_, [&](const auto& w) { return same(w.first, kind); }) >
        static_cast<std::ptrdiff_t>(most_of_a_kind))
      return base::fail("names one kind of attribute more than four times");
  }
  return out;
}

bool NamePattern::matches(const Attributes& name) const {
  for (const auto& wanted : wanted_) {
    const auto of_kind = [&](const Attributes& from) {
      std::vector<std::string_view> out;
      for (const auto& attribute : from) {
        if (same(attribute.first, wanted.first)) out.push_back(attribute.second);
      }
      return out;
    };
    if (!all_fit(of_kind(wanted_), of_kind(name))) return false;
  }
  return true;
}

bool alternative_name_matches(std::string_view pattern, std::string_view name) {
  const bool mail = pattern.find('@') != std::string_view::npos;
  if (mail != (name.find('@') != std::string_view::npos)) return false;
  return glob(pattern, name, mail ? '@' : '.');
}

}  // namespace pki
