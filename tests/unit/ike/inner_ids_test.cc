// What a Quick Mode may ask for.

#include "ike/inner_ids.h"

#include <gmock/gmock.h>

#include "ike/v1/payload.h"

namespace {

using namespace ike;
using base::Address;
using ::testing::HasSubstr;
using v1::Identification;
using v1::IdType;

const auto outer = Address::v4(0xc6336401);    // 198.51.100.1
const auto ours = Address::v4(0xcb007101);     // 203.0.113.1
const auto inside = Address::v4(0xc0a80102);   // 192.168.1.2
const auto carrier = Address::v4(0x19010203);  // 25.1.2.3: some carriers' idea of a private address
const Ends plain{.client = outer, .ours = ours};
const Ends natted{.client = outer, .ours = Address::v4(0x0a000002), .our_address = OurAddress::behind_nat};
const std::vector<Service> none;

Identification at(const Address& address, std::uint8_t protocol = 17, std::uint16_t port = 1701) {
  auto id = v1::identification_of(address);
  id.protocol = protocol;
  id.port = port;
  return id;
}

struct Ports {
  const char* name;
  std::uint8_t their_protocol;
  std::uint16_t their_port;
  std::uint8_t our_protocol;
  std::uint16_t our_port;
  bool accepted;
};

TEST(InnerIds, OnlyL2tpIsServedWithoutServices) {
  const Ports rows[] = {
      {"Windows", 17, 1701, 17, 1701, true},
      {"Android", 17, 0, 17, 1701, true},
      {"Apple", 17, 54321, 17, 1701, true},
      {"racoon", 17, 0, 17, 0, true},
      {"TCP of ours", 17, 1701, 6, 1701, false},
      {"TCP of theirs", 6, 1701, 17, 1701, false},
      {"TCP", 6, 40000, 6, 8080, false},
      {"any protocol", 0, 0, 0, 0, false},
      {"any protocol of ours", 17, 1701, 0, 0, false},
      {"another port", 17, 1701, 17, 9999, false},
  };
  for (const auto& row : rows) {
    const auto got = service_asked(at(inside, row.their_protocol, row.their_port),
                                   at(ours, row.our_protocol, row.our_port), plain, {}, none);
    EXPECT_EQ(got.has_value(), row.accepted) << row.name;
    EXPECT_EQ(got.value_or(l2tp_service), l2tp_service) << row.name;
  }
}

TEST(InnerIds, ServiceIsServedExactlyAsConfigured) {
  const std::vector<Service> services{{6, 8080}, {17, 5000}};
  const auto ask = [&](std::uint8_t protocol, std::uint16_t port) {
    return service_asked(at(inside, protocol, 40000), at(ours, protocol, port), plain, {}, services);
  };
  EXPECT_EQ(ask(6, 8080), (Service{6, 8080}));
  EXPECT_EQ(ask(17, 5000), (Service{17, 5000}));
  EXPECT_EQ(ask(17, 1701), l2tp_service);
  EXPECT_FALSE(ask(6, 8081));
  EXPECT_FALSE(ask(6, 0));
  EXPECT_FALSE(ask(17, 8080));
}

TEST(InnerIds, ClientMayBeAtAPrivateAddressOrTheOneItIsSeenAt) {
  const auto accepted = [](const Address& a, const InnerIds& rules) {
    return service_asked(at(a), at(ours), plain, rules, none).has_value();
  };
  for (const auto* text : {"10.1.2.3", "172.31.255.254", "192.168.1.2", "100.64.0.1", "169.254.7.7"})
    EXPECT_TRUE(accepted(*Address::parse(text), {})) << text;
  EXPECT_TRUE(accepted(outer, {}));
  for (const auto* text : {"172.32.0.1", "198.51.100.2", "25.1.2.3", "0.0.0.0", "203.0.113.1"})
    EXPECT_FALSE(accepted(*Address::parse(text), {})) << text;
  EXPECT_TRUE(accepted(carrier, {.outer = false, .networks = {*base::Prefix::parse("25.0.0.0/8")}}));
  EXPECT_FALSE(accepted(outer, {.outer = false, .networks = private_networks()}));
  EXPECT_FALSE(accepted(inside, {.outer = true, .networks = {}}));
}

TEST(InnerIds, RefusalNamesTheAddressAndTheKey) {
  const auto got = service_asked(at(carrier), at(ours), plain, {}, none);
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().message, HasSubstr("25.1.2.3"));
  EXPECT_THAT(got.error().message, HasSubstr("ike.inner_ids"));
}

TEST(InnerIds, NameStandsForTheHostThatSpeaks) {
  for (const auto type : {IdType::fqdn, IdType::user_fqdn}) {
    const Identification name{
        .type = type, .protocol = 17, .port = 1701, .data = base::as_bytes("laptop.example")};
    EXPECT_TRUE(service_asked(name, at(ours), plain, {}, none));
    EXPECT_FALSE(service_asked(at(inside), name, plain, {}, none)) << "we have an address";
  }
}

TEST(InnerIds, SubnetMustBeOneHost) {
  const auto one = base::from_hex("c0a80102 ffffffff"), many = base::from_hex("c0a80100 ffffff00");
  const auto subnet = [](const base::Bytes& data) {
    return Identification{.type = IdType::ipv4_addr_subnet, .protocol = 17, .port = 1701, .data = data};
  };
  EXPECT_TRUE(service_asked(subnet(one), at(ours), plain, {}, none));
  EXPECT_FALSE(service_asked(subnet(many), at(ours), plain, {}, none));
  EXPECT_FALSE(service_asked(at(inside), subnet(many), plain, {}, none));
}

TEST(InnerIds, OurEndIsOurAddressUnlessANatHidesIt) {
  EXPECT_TRUE(service_asked(at(inside), at(ours), plain, {}, none));
  EXPECT_FALSE(service_asked(at(inside), at(Address::v4(0x0a000002)), plain, {}, none));
  EXPECT_TRUE(service_asked(at(inside), at(natted.ours), natted, {}, none)) << "our private address";
  EXPECT_TRUE(service_asked(at(inside), at(ours), natted, {}, none)) << "our public one";
}

}  // namespace
