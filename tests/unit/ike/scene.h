#pragma once
// What most of these tests begin with: a world whose Diffie-Hellman costs nothing, and clients behind NATs.

#include <gmock/gmock.h>

#include "harness/world.h"
#include "ike/v1/identification.h"

namespace scene {

using namespace std::chrono_literals;
using base::Address;
using base::Bytes;
using base::Endpoint;
using harness::Initiator;
using harness::InitiatorSettings;
using harness::NatBox;
using harness::World;
using harness::WorldSettings;
using ike::DropReason;
using ike::EventKind;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

inline const auto nat_a = Address::v4(0xc6336401);        // 198.51.100.1
inline const auto nat_b = Address::v4(0xc6336402);        // 198.51.100.2
inline const auto gateway = Address::v4(0xcb007101);      // 203.0.113.1
inline const auto public_host = Address::v4(0xc0000207);  // 192.0.2.7
inline const auto stranger = Address::v4(0xc0000242);     // 192.0.2.66

inline WorldSettings cheap() {
  WorldSettings s;
  s.kernel.dh = harness::Dh::pretended;
  return s;
}

/// 192.168.1.`last`, with randomness of its own.
inline InitiatorSettings host(std::uint8_t last = 2, std::uint64_t seed = 0) {
  InitiatorSettings s;
  s.local = {Address::v4(0xc0a80100u + last), 500};
  s.dh = harness::Dh::pretended;
  s.seed = seed == 0 ? last : seed;
  return s;
}

inline InitiatorSettings without_nat() {
  auto s = host();
  s.local.address = public_host;
  return s;
}

/// A client that is up: one world, one NAT, one pair of SAs.
struct Connected {
  World world;
  NatBox nat{nat_a};
  Initiator& client;
  explicit Connected(WorldSettings w = cheap(), InitiatorSettings s = host())
      : world(std::move(w)), client(world.add(std::move(s), &nat)) {
    client.connect(world.now());
    world.run(2s);
  }
};

/// The SPIs of a client's pair, as the client sees them.
struct Spis {
  xfrm::Spi in, out;
};
inline Spis spis_of(const Initiator& client, std::size_t child = 0) {
  const auto& c = client.children().at(child);
  return {c.in, c.out};
}

inline Bytes udp_id(const Address& address, std::uint8_t protocol, std::uint16_t port) {
  auto id = ike::v1::identification_of(address);
  id.protocol = protocol;
  id.port = port;
  return ike::v1::encode_identification(id);
}

inline std::vector<ike::IkeTransform> ike_transforms(std::initializer_list<std::string_view> names) {
  std::vector<ike::IkeTransform> out;
  for (const auto name : names) out.push_back(ike::parse_ike_transform(name).value());
  return out;
}
inline std::vector<ike::EspSuite> esp_suites(std::initializer_list<std::string_view> names) {
  std::vector<ike::EspSuite> out;
  for (const auto name : names) out.push_back(ike::parse_esp_suite(name).value());
  return out;
}

}  // namespace scene
