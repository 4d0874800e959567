// One function per section, one `if` per key.

#include <bit>
#include <set>

#include "config/entry.h"
#include "config/sections.h"

namespace config {
namespace {

void read_mask(const Entry& e, std::uint32_t& out) {
  std::int64_t value = -1;
  if (const auto* number = e.node().as_integer()) {
    value = number->get();
  } else if (const auto* text = e.node().as_string()) {
    const std::string& digits = text->get();
    std::uint32_t parsed = 0;
    const bool hex = digits.starts_with("0x");
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data() + (hex ? 2 : 0), end, parsed, hex ? 16 : 10);
    if (error == std::errc{} && stop == end) value = parsed;
  }
  if (value <= 0 || value > 0xffffffff) return e.refuse("must be a number of 32 bits such as \"0x0fffff00\"");
  const auto mask = static_cast<std::uint32_t>(value);
  const std::uint32_t run = mask >> std::countr_zero(mask);
  if (!std::has_single_bit(std::uint64_t{run} + 1)) return e.refuse("its bits must be one unbroken run");
  out = mask;
}

void read_marks(const Entry& section, Marks& out) {
  out.line = section.line();
  for (const auto& [key, e] : section.keys()) {
    if (key == "mask")
      read_mask(e, out.mask);
    else if (key == "alias")
      e.prefix(out.alias);
    else if (key == "quarantine_seconds")
      e.seconds(out.quarantine, 0, one_day);
    else
      e.refuse("unknown key");
  }
  if (out.capacity() == 0) section.refuse("mask and alias leave no number for a peer");
}

void read_listen(const Entry& e, std::vector<base::Address>& out) {
  out.clear();
  for (const auto& element : e.elements()) {
    auto address = base::Address::v4(0xffffffff);
    element.address_of_any_family(address);
    if (std::ranges::find(out, address) != out.end()) element.refuse("is listed twice");
    out.push_back(address);
  }
  if (out.size() > most_listen) e.refuse(fmt::format("must have at most {} addresses", most_listen));
  for (const auto& address : out) {
    if (address.is_unspecified() && std::ranges::count(out, address.family(), &base::Address::family) > 1)
      e.refuse(
          fmt::format("\"{}\" is every address of its kind: list no other beside it", address.to_string()));
  }
}

void read_proposals(const Entry& e, std::vector<Located<std::string>>& out) {
  out.clear();
  if (const auto* word = e.node().as_string()) {
    if (word->get() != "default") e.refuse("must be \"default\" or a list");
    return;
  }
  for (const auto& element : e.elements()) {
    if (auto text = element.text()) out.push_back({std::move(*text), element.line()});
  }
}

void read_psk(const Entry& table, std::vector<Psk>& out) {
  Psk psk{.name = {},
          .peer = {},
          .device = false,
          .bind_user = false,
          .aggressive = false,
          .identity = {},
          .line = table.line()};
  for (const auto& [key, e] : table.keys()) {
    if (key == "name")
      e.name(psk.name);
    else if (key == "peer")
      e.prefix(psk.peer.emplace());
    else if (key == "device")
      e.truth(psk.device);
    else if (key == "bind_user")
      e.truth(psk.bind_user);
    else if (key == "aggressive")
      e.truth(psk.aggressive);
    else if (key == "identity")
      e.name(psk.identity);
    else
      e.refuse("unknown key");
  }
  table.require("name");
  if (!psk.identity.empty() && !psk.aggressive)
    table.refuse("identity tells keys apart in Aggressive Mode only: aggressive = true");
  if (psk.identity.empty()) psk.identity = psk.name;
  for (const auto& other : out) {
    if (psk.aggressive && other.aggressive && other.identity == psk.identity)
      table.refuse(fmt::format("identity \"{}\" is there twice", psk.identity));
    if (!psk.name.empty() && other.name == psk.name)
      table.refuse(fmt::format("\"{}\" is there twice", psk.name));
  }
  out.push_back(std::move(psk));
}

void read_paths(const Entry& e, std::vector<Located<std::string>>& out) {
  for (const auto& element : e.elements())
    element.absolute_path(out.emplace_back(Located<std::string>{{}, element.line()}).value);
}

void read_own_certificate(const Entry& table, std::vector<OwnCertificate>& out) {
  auto& own = out.emplace_back(OwnCertificate{.file = {}, .key = {}, .identity = {}, .line = table.line()});
  for (const auto& [key, e] : table.keys()) {
    if (key == "file")
      e.absolute_path(own.file);
    else if (key == "key")
      e.absolute_path(own.key);
    else if (key == "identity")
      e.name(own.identity);
    else
      e.refuse("unknown key");
  }
  table.require("file");
  table.require("key");
}

void read_certificate(const Entry& table, std::vector<CertificateClass>& out) {
  CertificateClass wanted{
      .name = {}, .subject = {}, .issuer = {}, .san = {}, .bind_user = false, .line = table.line()};
  for (const auto& [key, e] : table.keys()) {
    if (key == "name")
      e.name(wanted.name);
    else if (key == "subject")
      e.name(wanted.subject);
    else if (key == "issuer")
      e.name(wanted.issuer);
    else if (key == "san")
      e.name(wanted.san);
    else if (key == "bind_user")
      e.truth(wanted.bind_user);
    else
      e.refuse("unknown key");
  }
  table.require("name");
  if (!wanted.name.empty() && std::ranges::find(out, wanted.name, &CertificateClass::name) != out.end())
    table.refuse(fmt::format("\"{}\" is there twice", wanted.name));
  out.push_back(std::move(wanted));
}

void read_nat_detection(const Entry& e, NatDetection& out) {
  e.choice<NatDetection>(out, {{"truthful", NatDetection::truthful}, {"echo", NatDetection::echo}});
}

void read_inner_ids(const Entry& e, InnerIds& out) {
  out = {.private_networks = false, .outer = false, .networks = {}};
  for (const auto& element : e.elements()) {
    const auto word = element.text();
    if (!word) continue;
    if (*word == "private")
      out.private_networks = true;
    else if (*word == "outer")
      out.outer = true;
    else if (const auto network = base::Prefix::parse(*word); network && network->network.is_v4())
      out.networks.push_back(*network);
    else
      element.refuse("must be \"private\", \"outer\" or an IPv4 network such as \"25.0.0.0/8\"");
  }
}

void read_kilobytes(const Entry& e, std::uint64_t& out) {
  constexpr std::int64_t least = 1000, most = std::int64_t{1} << 40;
  const auto value = e.integer(0, most);
  if (value && *value != 0 && *value < least) return e.refuse("must be 0 or at least 1000");
  if (value) out = static_cast<std::uint64_t>(*value);
}

void read_ike(const Entry& section, Ike& out) {
  out.line = section.line();
  for (const auto& [key, e] : section.keys()) {
    if (key == "listen")
      read_listen(e, out.listen);
    else if (key == "proposals")
      read_proposals(e, out.proposals);
    else if (key == "esp_proposals")
      read_proposals(e, out.esp_proposals);
    else if (key == "lifetime_seconds")
      e.seconds(out.lifetime, 300, 7 * one_day);
    else if (key == "esp_lifetime_seconds")
      e.seconds(out.esp_lifetime, 120, 7 * one_day);
    else if (key == "esp_kilobytes")
      read_kilobytes(e, out.esp_kilobytes);
    else if (key == "dpd_seconds")
      e.seconds(out.dpd, 0, one_day);
    else if (key == "dpd_timeout_seconds")
      e.seconds(out.dpd_timeout, 10, one_day);
    else if (key == "silence_timeout_seconds")
      e.seconds(out.silence_timeout, 0, one_day);
    else if (key == "max_half_open")
      e.number(out.max_half_open, 1, 1'000'000);
    else if (key == "nat_detection")
      read_nat_detection(e, out.nat_detection);
    else if (key == "identity")
      e.name(out.identity);
    else if (key == "inner_ids")
      read_inner_ids(e, out.inner_ids);
    else if (key == "vendor_ids")
      e.choice<VendorIds>(out.vendor_ids, {{"all", VendorIds::all}, {"minimal", VendorIds::minimal}});
    else if (key == "psk")
      for (const auto& table : e.elements()) read_psk(table, out.psks);
    else if (key == "trust")
      read_paths(e, out.trust);
    else if (key == "revocation")
      read_paths(e, out.revocation);
    else if (key == "revocation_required")
      e.truth(out.revocation_required);
    else if (key == "own_certificate")
      for (const auto& table : e.elements()) read_own_certificate(table, out.own_certificates);
    else if (key == "certificate")
      for (const auto& table : e.elements()) read_certificate(table, out.certificates);
    else
      e.refuse("unknown key");
  }
  if (out.dpd.count() > 0 && out.dpd_timeout <= out.dpd) {
    section.refuse("dpd_timeout_seconds must be longer than dpd_seconds");
  }
  if (!out.certificates.empty() && (out.trust.empty() || out.own_certificates.empty()))
    section.refuse("[[ike.certificate]] needs trust, and an [[ike.own_certificate]]");
}

void read_l2tp(const Entry& section, L2tp& out) {
  out.line = section.line();
  for (const auto& [key, e] : section.keys()) {
    if (key == "listen") {
      read_listen(e, out.listen);
    } else if (key == "cleartext") {
      e.choice<Cleartext>(
          out.cleartext, {{"off", Cleartext::off}, {"beside", Cleartext::beside}, {"only", Cleartext::only}});
    } else if (key == "lns") {
      e.choice<Lns>(out.lns, {{"l2tpd", Lns::l2tpd}, {"external", Lns::external}});
    } else if (key == "external_lookup") {
      e.choice<ExternalLookup>(out.external_lookup,
                               {{"alias", ExternalLookup::alias}, {"conntrack", ExternalLookup::conntrack}});
    } else if (key == "hello_seconds") {
      e.seconds(out.hello, 0, one_day);
    } else if (key == "hello_timeout_seconds") {
      e.seconds(out.hello_timeout, 31, one_day);  // the retransmissions of RFC 2661 §5.8 take so long
    } else {
      e.refuse("unknown key");
    }
  }
  if (out.external_lookup != ExternalLookup::alias && out.lns != Lns::external)
    section.refuse("external_lookup needs lns = \"external\"");
}

void read_service(const Entry& table, std::vector<Service>& out) {
  Service service;
  for (const auto& [key, e] : table.keys()) {
    if (key == "protocol")
      e.choice<Service::Protocol>(service.protocol,
                                  {{"tcp", Service::Protocol::tcp}, {"udp", Service::Protocol::udp}});
    else if (key == "port")
      e.number(service.port, 1, 65535);
    else
      e.refuse("unknown key");
  }
  table.require("protocol");
  table.require("port");
  if (service == Service{Service::Protocol::udp, 1701}) table.refuse("L2TP is served without being named");
  if (service == Service{Service::Protocol::udp, 500} || service == Service{Service::Protocol::udp, 4500})
    table.refuse("IKE is not spoken inside IPsec");
  if (std::ranges::find(out, service) != out.end()) table.refuse("is there twice");
  out.push_back(service);
}

/// What no section can judge alone.
void compare_sections(const Config& config, Complaints& complaints) {
  const int ppp_line = config.ppp.line, ike_line = config.ike.line;
  const auto& alias = config.marks.alias;
  const auto& pool = config.ppp.pool;
  if (ppp_line != 0 && (alias.contains(pool.network) || pool.contains(alias.network))) {
    complaints.add(ppp_line, "ppp.pool", fmt::format("overlaps marks.alias, {}", alias.to_string()));
  }
  if (ppp_line != 0 && alias.contains(config.ppp.local_address)) {
    complaints.add(ppp_line, "ppp.local_address", fmt::format("lies in marks.alias, {}", alias.to_string()));
  }
  if (config.ppp.users == UserSource::radius && config.radius.servers.empty())
    complaints.add(ppp_line, "ppp.users", "\"radius\" needs the section [radius] with its servers");
  const auto has_ipv6 = [](const std::vector<base::Address>& listen) {
    return std::ranges::any_of(listen, [](const base::Address& a) { return !a.is_v4(); });
  };
  if (has_ipv6(config.ike.listen) && config.l2tp.lns == Lns::external)
    complaints.add(ike_line, "ike.listen",
                   "IPv6 needs l2tp.lns = \"l2tpd\": other daemons are served over IPv4");
  else if (has_ipv6(config.ike.listen) && !has_ipv6(config.l2tp.listen))
    complaints.add(ike_line, "ike.listen",
                   "has IPv6 and l2tp.listen has none, so that nobody would be served over it");
  std::set<std::string_view> names;
  std::set<base::Address> addresses;
  for (const auto& user : config.users) {
    if (!names.insert(user.name).second) {
      complaints.add(user.line, "user.name", fmt::format("\"{}\" is there twice", user.name));
    }
    if (!user.address) continue;
    const auto refuse = [&](std::string_view why) {
      complaints.add(user.line, "user.address", fmt::format("{} {}", user.address->to_string(), why));
    };
    if (!addresses.insert(*user.address).second) refuse("belongs to another user already");
    if (*user.address == config.ppp.local_address) refuse("is ppp.local_address");
    if (alias.contains(*user.address)) refuse("lies in marks.alias");
  }
  for (const auto& psk : config.ike.psks) {
    if (psk.bind_user && !names.contains(psk.name))
      complaints.add(psk.line, "ike.psk.bind_user", fmt::format("there is no [[user]] \"{}\"", psk.name));
  }
}

Config read(const toml::table& root, std::string_view file_name, Complaints& complaints) {
  Config out;
  out.file_name = file_name;
  std::vector<Entry> of_l2tpd;
  for (const auto& [key, e] : Entry("", root, 1, complaints).keys()) {
    if (key == "marks")
      read_marks(e, out.marks);
    else if (key == "ike")
      read_ike(e, out.ike);
    else if (key == "l2tp")
      read_l2tp(e, out.l2tp);
    else if (key == "ppp")
      read_ppp(e, out.ppp);
    else if (key == "service")
      for (const auto& table : e.elements()) read_service(table, out.services);
    else if (key == "hooks")
      read_hooks(e, out.hooks), of_l2tpd.push_back(e);
    else if (key == "radius")
      read_radius(e, out.radius), of_l2tpd.push_back(e);
    else if (key == "user")
      for (const auto& table : e.elements()) read_user(table, out.ppp.limits, out.users);
    else
      e.refuse("unknown key");
  }
  if (out.ppp.line.number == 0 && out.l2tp.lns == Lns::l2tpd)
    complaints.add(1, "ppp", "the section [ppp] is missing");
  // Somebody would rely on them. [ppp] and [[user]] only stay behind when l2tp.lns changes.
  for (const auto& e : of_l2tpd) {
    if (out.l2tp.lns == Lns::external) e.refuse("serves l2tpd only, and l2tp.lns is \"external\"");
  }
  if (complaints.none()) compare_sections(out, complaints);
  return out;
}

}  // namespace

base::Result<Config> parse(std::string_view text, std::string_view file_name) {
  if (auto lines = check_lines(text, file_name); !lines) return tl::unexpected(lines.error());
  try {
    const toml::table root = toml::parse(text);
    Complaints complaints(file_name);
    Config out = read(root, file_name, complaints);
    if (!complaints.none()) return complaints.result();
    return out;
  } catch (const toml::parse_error& error) {
    return base::fail(sentence(file_name, line_of(error.source()), "", error.description()));
  }
}

}  // namespace config
