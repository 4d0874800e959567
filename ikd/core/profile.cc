#include "ike/profile.h"

#include <algorithm>
#include <bit>

#include "ike/v1/vendor_ids.h"
#include "wire/reader.h"

namespace ike {
namespace {

using v1::has_vendor;
using v1::has_vendor_like;

/// Group, cipher and hash of a phase 1 transform as numbers of RFC 2409 Appendix A; 0 where it says none.
struct Numbers {
  std::uint64_t cipher = 0, key_bits = 0, hash = 0, group = 0;
  bool operator==(const Numbers&) const = default;
};

Numbers numbers_of(const v1::Transform& transform) {
  Numbers out;
  for (const auto& a : transform.attributes) {
    const auto value = a.number().value_or(0);
    switch (a.type) {
      case v1::ike_attribute::encryption: out.cipher = value; break;
      case v1::ike_attribute::key_length: out.key_bits = value; break;
      case v1::ike_attribute::hash: out.hash = value; break;
      case v1::ike_attribute::group: out.group = value; break;
      default: break;
    }
  }
  return out;
}

std::vector<Numbers> transforms_of(const v1::SaPayload& offered) {
  std::vector<Numbers> out;
  for (const auto& proposal : offered.proposals) {
    for (const auto& t : proposal.transforms) out.push_back(numbers_of(t));
  }
  return out;
}

bool is_windows(const v1::Chain& m) {
  return has_vendor_like(m, v1::vendor_microsoft) || has_vendor(m, v1::vendor_ms_negotiation) ||
         has_vendor(m, v1::vendor_ms_initial_contact) || has_vendor(m, v1::vendor_ms_cga);
}

bool is_cisco(const v1::Chain& m) {
  static constexpr auto capable = v1::detail::from_hex("4048b7d56ebce88525e7de7f00d6c2d3c0000000");
  return has_vendor(m, capable) || has_vendor_like(m, v1::vendor_cisco_ios) ||
         has_vendor_like(m, v1::vendor_cisco_vpn3000);
}

/// clients.md §3: racoon's vendor IDs, and MODP1024 alone.
bool is_android(const v1::Chain& m, const std::vector<Numbers>& offered) {
  constexpr std::uint64_t modp1024 = 2;
  return has_vendor(m, v1::vendor_fragmentation_main) && has_vendor(m, v1::vendor_natt_00) &&
         !offered.empty() &&
         std::ranges::all_of(offered, [](const Numbers& t) { return t.group == modp1024; });
}

/// Without `charon.send_vendor_id` it names itself by no ID of its own, but what it sends instead is always
/// the same (isakmp_vendor.c): XAUTH, DPD, and of NAT-T the RFC and "-02\n" alone.
bool is_charon(const v1::Chain& m) {
  return has_vendor(m, v1::vendor_strongswan) ||
         (has_vendor(m, v1::vendor_xauth) && has_vendor(m, v1::vendor_dpd) &&
          has_vendor(m, v1::vendor_rfc3947) && has_vendor(m, v1::vendor_natt_02n) &&
          !has_vendor(m, v1::vendor_natt_02) && !has_vendor(m, v1::vendor_natt_03));
}

/// ChromeOS's shill runs charon with a list of its own (clients.md §5).
bool is_shill(const std::vector<Numbers>& offered) {
  static constexpr Numbers first[] = {{7, 128, 4, 15}, {7, 128, 2, 14}, {5, 0, 2, 5}, {5, 0, 2, 2}};
  return offered.size() >= std::size(first) &&
         std::equal(std::begin(first), std::end(first), offered.begin());
}

bool is_libreswan(const v1::Chain& m) {
  // By default pluto does not name itself; it then sends FRAGMENTATION without capabilities, and DPD, which
  // Windows does not.
  return has_vendor_like(m, base::as_bytes(v1::vendor_libreswan)) ||
         (has_vendor(m, v1::vendor_fragmentation) && has_vendor(m, v1::vendor_dpd));
}

/// The number a cookie is compared by.
std::uint64_t number_of(const v1::Cookie& cookie) { return wire::Reader(cookie).u64(); }

}  // namespace

std::string_view name_of(Client client) {
  static constexpr std::string_view names[] = {"unknown",    "windows",   "apple",    "android", "chromeos",
                                               "strongswan", "libreswan", "mikrotik", "cisco"};
  return names[static_cast<std::size_t>(client)];
}

Client recognise(const v1::Chain& message_1, const v1::SaPayload& offered) {
  const auto& m = message_1;
  const auto transforms = transforms_of(offered);
  if (is_windows(m)) return Client::windows;
  if (has_vendor(m, v1::vendor_natt_apple)) return Client::apple;
  if (is_cisco(m)) return Client::cisco;
  if (is_android(m, transforms)) return Client::android;
  if (is_charon(m)) return is_shill(transforms) ? Client::chromeos : Client::strongswan;
  if (is_libreswan(m)) return Client::libreswan;
  // RouterOS names itself by nothing; no quirk hangs on it (clients.md §6).
  if (has_vendor(m, v1::vendor_xauth) && has_vendor(m, v1::vendor_dpd)) return Client::mikrotik;
  return Client::unknown;
}

std::vector<EspSuite> suites_for(Client client, const std::vector<EspSuite>& acceptable) {
  auto out = acceptable;
  if (client == Client::android)
    std::erase_if(out, [](const EspSuite& s) { return s.integrity == xfrm::Integrity::hmac_sha2_256_128; });
  return out;
}

std::size_t largest_datagram(Client client) {
  constexpr std::size_t ipv6_header = 40, udp_header = 8, non_esp_marker = 4;
  return client == Client::android ? 552 - non_esp_marker : 1280 - ipv6_header - udp_header - non_esp_marker;
}

v1::Cookie responder_cookie(Client client, const v1::Cookie& initiator,
                            const std::function<void(std::span<std::uint8_t>)>& random) {
  constexpr std::uint64_t enough = std::uint64_t{1} << 56;
  const auto theirs = number_of(initiator);
  const bool below = client == Client::apple && theirs > enough;
  v1::Cookie out{};
  // The bits that matter are drawn until they fit, twice on average.
  const auto mask = ~std::uint64_t{0} >> (below ? std::countl_zero(theirs) : 0);
  do {
    random(out);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] &= static_cast<std::uint8_t>(mask >> (56 - 8 * i));
  } while (out == v1::Cookie{} || (below && number_of(out) >= theirs));
  return out;
}

}  // namespace ike
