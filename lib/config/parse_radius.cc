// [radius].

#include "config/sections.h"

namespace config {
namespace {

constexpr std::uint16_t authentication_port = 1812, accounting_port = 1813;  // RFC 2865, RFC 2866
constexpr std::size_t most_servers = 8;                                      // of pppd's RADIUS plugin

std::optional<base::Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port) {
  base::Endpoint out;
  out.port = default_port;
  const auto colon = text.find(':');
  const auto address = base::Address::parse(text.substr(0, colon));
  if (!address || !address->is_v4() || address->is_unspecified()) return std::nullopt;
  out.address = *address;
  if (colon == text.npos) return out;
  const auto digits = text.substr(colon + 1);
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  if (error != std::errc{} || stop != digits.data() + digits.size() || out.port == 0) return std::nullopt;
  return out;
}

void read_servers(const Entry& e, std::uint16_t default_port, std::vector<base::Endpoint>& out) {
  for (const auto& element : e.elements()) {
    const auto text = element.text();
    if (!text) continue;
    if (const auto server = parse_endpoint(*text, default_port))
      out.push_back(*server);
    else
      element.refuse("must be an IPv4 address, or one with a port: \"192.0.2.1:1812\"");
  }
  if (out.size() > most_servers) e.refuse(fmt::format("must have at most {} servers", most_servers));
}

}  // namespace

void read_radius(const Entry& section, Radius& out) {
  out.line = section.line();
  for (const auto& [key, e] : section.keys()) {
    if (key == "servers")
      read_servers(e, authentication_port, out.servers);
    else if (key == "accounting")
      read_servers(e, accounting_port, out.accounting);
    else if (key == "nas_identifier")
      e.name(out.nas_identifier);
    else if (key == "timeout_seconds")
      e.seconds(out.timeout, 1, 30);
    else if (key == "tries")
      e.number(out.tries, 1, 10);
    else
      e.refuse("unknown key");
  }
  section.require("servers");
  if (!out.accounting.empty()) return;
  for (const auto& server : out.servers) out.accounting.push_back({server.address, accounting_port});
}

}  // namespace config
