#include "ikd/settings.h"

#include <fmt/format.h>

#include "ike/v1/identification.h"

namespace ikd {
namespace {

template <class T>
base::Result<void> parse_list(const config::Config& config, std::string_view key,
                              const std::vector<config::Located<std::string>>& words,
                              std::optional<T> (*parse)(std::string_view), std::vector<T>& out) {
  if (words.empty()) return {};
  out.clear();
  for (const auto& word : words) {
    const auto value = parse(word.value);
    if (!value)
      return tl::unexpected(
          config::complaint(config, word.line, key, fmt::format("unknown proposal '{}'", word.value)));
    out.push_back(*value);
  }
  return {};
}

base::Bytes identity_from(const config::Config& config) {
  const auto& text = config.ike.identity;
  if (text.empty()) return {};
  if (const auto address = base::Address::parse(text))
    return ike::v1::encode_identification(ike::v1::identification_of(*address));
  return ike::v1::encode_identification(
      {.type = ike::v1::IdType::fqdn, .protocol = 0, .port = 0, .data = base::as_bytes(text)});
}

}  // namespace

base::Result<ike::Settings> settings_from(const config::Config& config) {
  ike::Settings out;
  if (auto ok = parse_list<ike::IkeTransform>(config, "ike.proposals", config.ike.proposals,
                                              ike::parse_ike_transform, out.ike_transforms);
      !ok)
    return tl::unexpected(ok.error());
  if (auto ok = parse_list<ike::EspSuite>(config, "ike.esp_proposals", config.ike.esp_proposals,
                                          ike::parse_esp_suite, out.esp_suites);
      !ok)
    return tl::unexpected(ok.error());
  out.ike_lifetime = config.ike.lifetime;
  out.esp_lifetime = config.ike.esp_lifetime;
  out.esp_kilobytes = config.ike.esp_kilobytes;
  out.dpd = config.ike.dpd;
  out.dpd_timeout = config.ike.dpd_timeout;
  out.silence_timeout = config.ike.silence_timeout;
  out.max_half_open = config.ike.max_half_open;
  out.nat_detection = config.ike.nat_detection == config::NatDetection::echo
                          ? ike::v1::NatDetection::echo
                          : ike::v1::NatDetection::truthful;
  out.identity = identity_from(config);
  out.inner_ids.outer = config.ike.inner_ids.outer;
  if (!config.ike.inner_ids.private_networks) out.inner_ids.networks.clear();
  for (const auto& network : config.ike.inner_ids.networks) out.inner_ids.networks.push_back(network);
  out.accept_psks = !config.ike.psks.empty();
  for (const auto& psk : config.ike.psks) {
    out.psks[psk.name] = {.device = psk.device, .bind_user = psk.bind_user};
    if (psk.aggressive) out.aggressive[psk.identity] = psk.name;
  }
  out.vendor_ids =
      config.ike.vendor_ids == config::VendorIds::all ? ike::VendorIds::all : ike::VendorIds::minimal;
  out.services = services_from(config);
  out.numbering = numbering_from(config);
  return out;
}

ike::Numbering numbering_from(const config::Config& config) {
  return {.mask = config.marks.mask,
          .alias = config.marks.alias,
          .capacity = config.marks.capacity(),
          .quarantine = config.marks.quarantine,
          .lookup = config.l2tp.lns == config::Lns::external &&
                            config.l2tp.external_lookup == config::ExternalLookup::alias
                        ? ike::OutboundLookup::alias
                        : ike::OutboundLookup::alias_and_mark,
          .near_bit = config.l2tp.lns == config::Lns::external ? 0 : config.marks.near_bit(),
          .from_anywhere = config.l2tp.lns == config::Lns::external};
}

std::vector<ike::Service> services_from(const config::Config& config) {
  std::vector<ike::Service> out;
  for (const auto& s : config.services)
    out.push_back({.protocol = static_cast<std::uint8_t>(s.protocol), .port = s.port});
  return out;
}

}  // namespace ikd
