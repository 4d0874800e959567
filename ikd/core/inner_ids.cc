#include "ike/inner_ids.h"

#include <algorithm>

#include "wire/reader.h"

namespace ike {
namespace {

using base::Address;
using v1::Identification;
using v1::IdType;

constexpr std::uint8_t protocol_tcp = 6, protocol_udp = 17;
constexpr std::uint32_t one_host = 0xffffffff;

std::string words(const Identification& id) {
  return v1::describe(id) + " " + std::to_string(id.protocol) + "/" + std::to_string(id.port);
}

/// Also where it is written as a subnet of one host.
std::optional<Address> host_of(const Identification& id) {
  if (id.type != IdType::ipv4_addr_subnet) return id.address();
  wire::Reader in(id.data);
  const auto address = in.u32();
  return in.u32() == one_host ? std::optional(Address::v4(address)) : std::nullopt;
}

bool is_name(const Identification& id) { return id.type == IdType::fqdn || id.type == IdType::user_fqdn; }

/// Any port of UDP at our end is L2TP's: racoon asks so, and the selector narrows it (clients.md §3).
std::optional<Service> service_of(const Identification& idcr, std::span<const Service> services) {
  if (idcr.protocol == protocol_udp && (idcr.port == 0 || idcr.port == l2tp_service.port))
    return l2tp_service;
  const Service asked{idcr.protocol, idcr.port};
  return std::ranges::find(services, asked) == services.end() ? std::nullopt : std::optional(asked);
}

}  // namespace

std::string to_string(const Service& s) {
  const std::string protocol = s.protocol == protocol_udp   ? "udp"
                               : s.protocol == protocol_tcp ? "tcp"
                                                            : std::to_string(s.protocol);
  return protocol + "/" + std::to_string(s.port);
}

std::vector<base::Prefix> private_networks() {
  return {{Address::v4(0x0a000000), 8},  {Address::v4(0xac100000), 12}, {Address::v4(0xc0a80000), 16},
          {Address::v4(0x64400000), 10}, {Address::v4(0xa9fe0000), 16}, *base::Prefix::parse("fc00::/7")};
}

base::Result<Service> service_asked(const Identification& idci, const Identification& idcr, const Ends& ends,
                                    const InnerIds& inner, std::span<const Service> services) {
  // A server may know nothing of marks, and only an alias keeps what finds no SA from leaving in clear text.
  if (!ends.client.is_v4()) services = {};
  const auto service = service_of(idcr, services);
  if (!service || idci.protocol != service->protocol) {
    auto served = to_string(l2tp_service);
    for (const auto& s : services) served += ", " + to_string(s);
    return base::fail("it asks for " + words(idci) + " to " + words(idcr) + ", served is " + served);
  }
  const auto ours = host_of(idcr);
  if (!ours || (ends.our_address == OurAddress::seen_by_all && *ours != ends.ours))
    return base::fail("it asks for " + v1::describe(idcr) + " at our end, which is " + ends.ours.to_string());
  // Old Windows names itself when it rekeys (MS-818043): that is the host that speaks.
  if (is_name(idci)) return *service;
  const auto theirs = host_of(idci);
  const bool known =
      theirs &&
      ((inner.outer && *theirs == ends.client) ||
       std::ranges::any_of(inner.networks, [&](const base::Prefix& n) { return n.contains(*theirs); }));
  if (!known)
    return base::fail("it calls itself " + v1::describe(idci) + ", which ike.inner_ids does not allow");
  return *service;
}

}  // namespace ike
