// What a peer hears of its IPv6 router, and when.

#include "l2tpd/router_advertisement.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;

const auto prefix = *base::Prefix::parse("2001:db8:7:42::/64");

TEST(RouterAdvertisement, OffersThePrefixTheMtuAndTheDnsServers) {
  const auto server = *base::Address::parse("2001:db8::53");
  EXPECT_EQ(base::hex(encode({.prefix = prefix, .mtu = 1398, .dns = {server}})),
            "86000000"          // type 134, checksum by the kernel
            "40000708"          // hop limit 64, no DHCPv6, a router for half an hour
            "0000000000000000"  // the host's own timers
            "0304"              // prefix
            "4040"              // of 64 bits, for addresses but not on the link
            "00001c20"          // valid for two hours
            "00000708"          // preferred for half an hour
            "00000000"
            "20010db8000700420000000000000000"
            "0501000000000576"  // MTU
            "1903000000000708"  // RDNSS, half an hour
            "20010db8000000000000000000000053");
}

TEST(RouterAdvertisement, NamesNoDnsServerWhereNoneIsConfigured) {
  EXPECT_EQ(encode({.prefix = prefix, .mtu = 1280, .dns = {}}).size(), 16u + 32 + 8);
}

base::Bytes message(const char* hex) { return base::from_hex(hex); }

TEST(RouterSolicitation, IsTakenFromTheLinkOnly) {
  const auto bare = message("8500000000000000");
  EXPECT_TRUE(is_router_solicitation(bare, 255));
  EXPECT_FALSE(is_router_solicitation(bare, 254)) << "it came through a router";
  EXPECT_TRUE(is_router_solicitation(message("85000000000000000101020304050607"), 255));
}

TEST(RouterSolicitation, ThatIsMalformedIsNone) {
  for (const auto* hex : {"", "85", "85000000000000", "8600000000000000", "8501000000000000",
                          "850000000000000001",                // half an option header
                          "85000000000000000100020304050607",  // an option of no length
                          "85000000000000000102020304050607",  // one that reaches outside
                          "8500000000000000010102030405060701"}) {
    EXPECT_FALSE(is_router_solicitation(message(hex), 255)) << hex;
  }
}

TEST(AdvertisingTimes, AreAFewSoonAndThenNowAndAgain) {
  auto now = base::Time(1000s);
  AdvertisingTimes times(now);
  EXPECT_EQ(times.next(), now);
  for (const auto wait : {16s, 16s, 198s, 198s}) {
    times.sent(now, 0);
    EXPECT_EQ(times.next() - now, wait);
    now = times.next();
  }
  times.sent(now, UINT16_MAX);
  EXPECT_EQ(times.next() - now, 600s);
}

TEST(AdvertisingTimes, AHostThatAsksIsAnsweredSoonButNotMoreOftenThanEveryThreeSeconds) {
  const auto start = base::Time(1000s);
  AdvertisingTimes times(start);
  times.sent(start, 0);
  auto now = start + 10s;
  times.solicited(now, UINT16_MAX);
  EXPECT_EQ(times.next(), now + 500ms);
  times.solicited(now, 0);
  EXPECT_EQ(times.next(), now);
  times.sent(now, 0);
  for (int i = 0; i < 100; ++i) times.solicited(now + 1ms * i, static_cast<std::uint16_t>(i));
  EXPECT_EQ(times.next(), now + 3s);
}

}  // namespace
}  // namespace l2tpd
