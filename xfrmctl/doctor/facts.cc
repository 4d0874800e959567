#include "doctor/facts.h"

#include <bit>
#include <charconv>
#include <sstream>

#include <nlohmann/json.hpp>

namespace doctor {
namespace {

/// None unless all of it is a number.
template <class T = std::uint32_t>
std::optional<T> number(std::string_view text, int base) {
  T out = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), out, base);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return out;
}

std::vector<std::string> words(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

template <class Line>
void each_line(std::string_view text, Line&& take) {
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);) take(line);
}

/// The kernel prints addresses as words of the host's order.
std::optional<base::Address> address_of(std::string_view hex) {
  base::Bytes bytes;
  for (; hex.size() >= 8; hex.remove_prefix(8)) {
    const auto word = number(hex.substr(0, 8), 16);
    if (!word) return std::nullopt;
    const auto raw = std::bit_cast<std::array<std::uint8_t, 4>>(*word);
    bytes.insert(bytes.end(), raw.begin(), raw.end());
  }
  return hex.empty() ? base::Address::from_bytes(bytes) : std::nullopt;
}

/// modprobe takes - and _ for the same.
std::string module_name(std::string name) {
  for (auto& c : name)
    if (c == '-') c = '_';
  return name;
}

/// iproute2 prints marks as text, "0x1/0xff", in either member.
std::optional<std::uint32_t> mark_in(const nlohmann::json& rule, const char* member) {
  const auto it = rule.find(member);
  if (it == rule.end() || !it->is_string()) return std::nullopt;
  const auto text = it->get<std::string>();
  return text.starts_with("0x") ? number(std::string_view(text).substr(2), 16) : number(text, 10);
}

}  // namespace

std::vector<Ban> bans_in(std::string_view text, const std::string& file) {
  std::vector<Ban> out;
  each_line(text, [&](const std::string& line) {
    const auto w = words(line);
    const bool listed = w.size() >= 2 && w[0] == "blacklist";
    const bool replaced =
        w.size() >= 3 && w[0] == "install" && (w[2].ends_with("/false") || w[2].ends_with("/true"));
    if (listed || replaced) out.push_back({module_name(w[1]), file, line});
  });
  return out;
}

std::vector<UdpSocket> sockets_in(std::string_view proc_net_udp) {
  std::vector<UdpSocket> out;
  each_line(proc_net_udp, [&](const std::string& line) {
    const auto w = words(line);
    if (w.size() < 10 || !w[0].ends_with(':')) return;  // the heading
    const auto colon = w[1].find(':');
    if (colon == std::string::npos || !w[2].ends_with(":0000")) return;  // connected
    const auto address = address_of(std::string_view(w[1]).substr(0, colon));
    const auto port = number<std::uint16_t>(std::string_view(w[1]).substr(colon + 1), 16);
    const auto inode = number<std::uint64_t>(w[9], 10);
    if (address && port && inode) out.push_back({.address = *address, .port = *port, .inode = *inode});
  });
  return out;
}

std::vector<Route> routes_in(std::string_view proc_net_route) {
  constexpr std::uint32_t up = 1, reject = 0x200;  // RTF_UP, RTF_REJECT
  std::vector<Route> out;
  each_line(proc_net_route, [&](const std::string& line) {
    const auto w = words(line);
    if (w.size() < 8) return;
    const auto to = address_of(w[1]), mask = address_of(w[7]);
    const auto flags = number(w[3], 16);
    if (!to || !mask || !flags || (*flags & up) == 0 || (*flags & reject) != 0) return;
    out.push_back(
        {.to = {*to, static_cast<std::uint8_t>(std::popcount(mask->v4_value()))}, .interface = w[0]});
  });
  return out;
}

std::vector<MarkRule> mark_rules_in(std::string_view json) {
  std::vector<MarkRule> out;
  const auto rules = nlohmann::json::parse(json, nullptr, false);
  if (!rules.is_array()) return out;
  for (const auto& rule : rules) {
    if (!rule.is_object()) continue;
    const auto value = mark_in(rule, "fwmark");
    if (!value) continue;
    out.push_back({.priority = rule.value("priority", 0U),
                   .value = *value,
                   .mask = mark_in(rule, "fwmask").value_or(0xffffffff)});
  }
  return out;
}

}  // namespace doctor
