#pragma once
// Tables for people, and numbers in units that people read.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xfrmctl {

enum class Align { left, right };

struct Column {
  std::string_view heading;
  Align align = Align::left;
  bool yields = false;  ///< its cells may be cut where the table would be wider than 120 columns
};

/// Names come from clients: a terminal shall not obey them. "-" where there is nothing.
std::string printable(std::string_view text);

/// `lines` have a cell for each column; an empty cell is shown as "-". Whatever a cell holds, a terminal
/// does not obey it.
std::string table(std::span<const Column> columns, const std::vector<std::vector<std::string>>& lines);

/// "192.0.2.1:500", "[2001:db8::1]:500"; without a port the address alone.
std::string place(const std::string& address, std::uint16_t port);
/// 999, 1.2k, 34M, 5.6G: at most five characters.
std::string short_count(std::uint64_t count);
/// 59s, 12m, 47h, 9d.
std::string short_duration(std::uint64_t seconds);

}  // namespace xfrmctl
