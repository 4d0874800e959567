#include "base/address.h"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Address, ParsesAndPrintsBothFamilies) {
  EXPECT_EQ(Address::parse("192.0.2.1")->to_string(), "192.0.2.1");
  EXPECT_EQ(Address::parse("2001:db8::1")->to_string(), "2001:db8::1");
  EXPECT_EQ(Address::parse("192.0.2.1"), Address::v4(0xc0000201));
  EXPECT_FALSE(Address::parse("192.0.2"));
  EXPECT_FALSE(Address::parse("192.0.2.256"));
  EXPECT_FALSE(Address::parse(""));
}

TEST(Address, FromBytesTakesFourOrSixteen) {
  EXPECT_EQ(Address::from_bytes(from_hex("c0000201"))->v4_value(), 0xc0000201u);
  EXPECT_FALSE(Address::from_bytes(from_hex("c00002")));
}

TEST(Endpoint, SurvivesTheSocketCalls) {
  for (const auto* text : {"192.0.2.1", "2001:db8::1"}) {
    const Endpoint endpoint{*Address::parse(text), 4500};
    sockaddr_storage raw{};
    endpoint.to_sockaddr(raw);
    EXPECT_EQ(Endpoint::from_sockaddr(raw), endpoint);
  }
}

TEST(Prefix, RefusesHostBitsAndContainsItsOwn) {
  const auto prefix = Prefix::parse("10.99.0.0/16");
  ASSERT_TRUE(prefix);
  EXPECT_TRUE(prefix->contains(*Address::parse("10.99.255.1")));
  EXPECT_FALSE(prefix->contains(*Address::parse("10.100.0.1")));
  EXPECT_FALSE(prefix->contains(*Address::parse("2001:db8::1")));
  EXPECT_EQ(prefix->size(), 65536u);
  EXPECT_FALSE(Prefix::parse("10.99.0.1/16"));
  EXPECT_FALSE(Prefix::parse("10.99.0.0/33"));
  EXPECT_FALSE(Prefix::parse("10.99.0.0/"));
  EXPECT_EQ(Prefix::parse("10.0.0.1")->length, 32);
}

TEST(Hex, RoundTripsAndRefusesNonsense) {
  EXPECT_EQ(hex(from_hex("00 ff:7A")), "00ff7a");
  EXPECT_TRUE(from_hex("0").empty());
  EXPECT_TRUE(from_hex("zz").empty());
}

}  // namespace
}  // namespace base
