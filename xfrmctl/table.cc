#include "xfrmctl/table.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace xfrmctl {
namespace {

constexpr std::size_t widest = 120;
constexpr std::size_t least = 6;  ///< of a column that yields

std::string cut(const std::string& text, std::size_t width) {
  return text.size() <= width ? text : text.substr(0, width - 1) + "~";
}

/// The widest of the columns that yield gives way until the table fits, or none has anything left to give.
void make_fit(std::span<const Column> columns, std::vector<std::size_t>& widths) {
  while (std::accumulate(widths.begin(), widths.end(), widths.size() - 1) > widest) {
    std::size_t* longest = nullptr;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].yields && (longest == nullptr || widths[i] > *longest)) longest = &widths[i];
    }
    if (longest == nullptr || *longest <= least) return;
    --*longest;
  }
}

}  // namespace

std::string printable(std::string_view text) {
  if (text.empty()) return "-";
  std::string out;
  for (const char c : text) out += c >= 0x20 && c < 0x7f ? c : '?';
  return out;
}

std::string table(std::span<const Column> columns, const std::vector<std::vector<std::string>>& lines) {
  std::vector<std::vector<std::string>> cells(1);
  for (const auto& column : columns) cells.front().emplace_back(column.heading);
  for (const auto& line : lines) {
    auto& shown = cells.emplace_back();
    for (const auto& cell : line) shown.push_back(printable(cell));
  }
  std::vector<std::size_t> widths(columns.size());
  for (const auto& line : cells) {
    for (std::size_t i = 0; i < columns.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  make_fit(columns, widths);
  std::string text;
  for (const auto& line : cells) {
    std::string shown;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto format = columns[i].align == Align::right ? "{:>{}} " : "{:<{}} ";
      shown += fmt::format(fmt::runtime(format), cut(line[i], widths[i]), widths[i]);
    }
    shown.erase(shown.find_last_not_of(' ') + 1);
    text += shown + "\n";
  }
  return text;
}

std::string place(const std::string& address, std::uint16_t port) {
  if (port == 0) return address;
  if (address.find(':') != std::string::npos) return fmt::format("[{}]:{}", address, port);
  return fmt::format("{}:{}", address, port);
}

std::string short_count(std::uint64_t count) {
  if (count < 1000) return fmt::format("{}", count);
  auto value = static_cast<double>(count);
  std::string_view units = "kMGTPE";
  for (value /= 1000; value >= 999.5; value /= 1000) units.remove_prefix(1);
  return fmt::format(fmt::runtime(value < 9.95 ? "{:.1f}{}" : "{:.0f}{}"), value, units.front());
}

std::string short_duration(std::uint64_t seconds) {
  if (seconds < 120) return fmt::format("{}s", seconds);
  if (seconds < 7200) return fmt::format("{}m", seconds / 60);
  if (seconds < 172800) return fmt::format("{}h", seconds / 3600);
  return fmt::format("{}d", seconds / 86400);
}

}  // namespace xfrmctl
