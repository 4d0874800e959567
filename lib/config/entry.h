#pragma once
// One key of a TOML file and the sentences that refuse it. Inside this folder only: it brings toml.hpp in.

#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "base/address.h"
#include "base/result.h"
#include "config/config.h"

namespace config {

/// "sameroof.toml: line 3: ike.max_halfopen: unknown key"
std::string sentence(std::string_view file_name, int line, std::string_view key, std::string_view why);

/// Refuses what is not UTF-8, of which the parser does not know the line, and a line that is longer than any
/// of ours: a key of many parts ("a.a.a...") becomes as many tables in one another, too deep for whoever
/// walks them.
base::Result<void> check_lines(std::string_view text, std::string_view file_name);

inline int line_of(const toml::source_region& source) { return static_cast<int>(source.begin.line); }

/// Keeps the refusal that stands first in the file: tables are walked in the order of their keys.
class Complaints {
 public:
  explicit Complaints(std::string_view file_name) : file_name_(file_name) {}
  void add(int line, std::string_view key, std::string_view why) {
    if (first_ && first_->first <= line) return;
    first_ = {line, sentence(file_name_, line, key, why)};
  }
  bool none() const { return !first_; }
  tl::unexpected<base::Error> result() const { return base::fail(first_->second); }

 private:
  std::string file_name_;
  std::optional<std::pair<int, std::string>> first_;
};

/// Each reader changes `out` only when the value is good and complains otherwise.
class Entry {
 public:
  Entry(std::string path, const toml::node& node, int line, Complaints& complaints)
      : path_(std::move(path)), node_(node), line_(line), complaints_(complaints) {}

  void refuse(std::string_view why) const { complaints_.add(line_, path_, why); }
  const toml::node& node() const { return node_; }
  const std::string& path() const { return path_; }
  int line() const { return line_; }

  std::optional<std::string> text() const;
  /// 1 to 255 octets without control characters: what IKE, PPP and a log line can all carry.
  void name(std::string& out) const;
  void absolute_path(std::string& out) const;
  void address(base::Address& out) const;
  /// IPv6 as well, but for link-local addresses, which name no host without their link.
  void address_of_any_family(base::Address& out) const;
  void address(std::optional<base::Address>& out) const;
  void prefix(base::Prefix& out) const;
  std::optional<std::int64_t> integer(std::int64_t least, std::int64_t most) const;
  template <class Number>
  void number(Number& out, std::int64_t least, std::int64_t most) const {
    if (const auto value = integer(least, most)) out = static_cast<Number>(*value);
  }
  void seconds(std::chrono::seconds& out, std::int64_t least, std::int64_t most) const {
    if (const auto value = integer(least, most)) out = std::chrono::seconds(*value);
  }
  void truth(bool& out) const;
  template <class Choice>
  void choice(Choice& out, std::initializer_list<std::pair<std::string_view, Choice>> choices) const {
    const auto word = text();
    if (!word) return;
    std::string known;
    for (const auto& [name, value] : choices) {
      if (name == *word) {
        out = value;
        return;
      }
      known += fmt::format("{}\"{}\"", known.empty() ? "" : ", ", name);
    }
    refuse(fmt::format("must be one of {}", known));
  }
  /// The elements of an array that is not empty, each with its own line.
  std::vector<Entry> elements() const;
  /// Complains when a table lacks `key`.
  void require(std::string_view key) const {
    const auto* table = node_.as_table();
    if (table && !table->contains(key)) refuse(fmt::format("{} is missing", key));
  }
  /// The keys of a table.
  std::vector<std::pair<std::string, Entry>> keys() const;

 private:
  std::string path_;
  const toml::node& node_;
  int line_;
  Complaints& complaints_;
};

}  // namespace config
