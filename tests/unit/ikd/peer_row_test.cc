// A peer's row in `xfrmctl peers`: whole, so that a field which gets lost is missed.

#include "ikd/peer_row.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace ikd {
namespace {

using namespace std::chrono_literals;

constexpr base::Time now{10'000s};
const auto alias = base::Address::v4(0xf0000007);

ike::ChildSa child(std::uint32_t number, ike::ChildState state, base::Duration age) {
  return {.in = xfrm::Spi(0x1000 + number),
          .out = xfrm::Spi(0x2000 + number),
          .suite = {.key_bits = 256, .integrity = xfrm::Integrity::hmac_sha2_256_128},
          .service = {.protocol = 6, .port = 8080},
          .state = state,
          .installed = now - age};
}

ike::Peer peer() {
  ike::Peer out;
  out.number = ike::PeerNumber(7);
  out.key.psk = "family";
  out.identity = "192.168.1.2";
  out.authentication = {.method = ike::AuthMethod::psk,
                        .name = "home",
                        .secret = 1,
                        .certificate = "CN=bob",
                        .bind_user = true,
                        .logins = {"bob", "rob"}};
  out.client = ike::Client::windows;
  out.mark = base::Mark(0x700);
  out.alias = alias;
  out.local = {base::Address::v4(0xcb007101), 4500};
  out.remote = {base::Address::v4(0xc6336401), 40001};
  out.nat = out.peer_behind_nat = true;
  out.authenticated = now - 90s;
  out.children = {child(1, ike::ChildState::superseded, 80s), child(2, ike::ChildState::active, 20s)};
  return out;
}

xfrm::SaStatistics counted(std::uint64_t number) {
  xfrm::SaStatistics out;
  out.bytes = number * 1000;
  out.packets = number;
  out.newest = number + 3;
  return out;
}
const std::vector<xfrm::SaStatistics> all_counted{counted(1), counted(2), counted(3), counted(4)};

TEST(PeerRow, SaysAllThatIsKnown) {
  ike::IsakmpSa newest;
  newest.transform = {.key_bits = 256, .hash = crypto::Hash::sha2_256, .group = crypto::Group::modp2048};
  newest.initiator = {1, 2, 3, 4, 5, 6, 7, 8};
  newest.responder = {9, 10, 11, 12, 13, 14, 15, 16};
  const control::Peer wanted{.peer = 7,
                             .mark = 0x700,
                             .alias = "240.0.0.7",
                             .identity = "192.168.1.2",
                             .client = "windows",
                             .psk = "family",
                             .authentication = "PSK home (secret 2)",
                             .certificate = "CN=bob",
                             .connection = "home",
                             .bound_to = std::vector<std::string>{"bob", "rob"},
                             .nat = true,
                             .address = "198.51.100.1",
                             .port = 40001,
                             .local_address = "203.0.113.1",
                             .established_seconds = 90,
                             .ike = control::IkeSa{.proposal = "aes256-sha256-modp2048",
                                                   .cookie_i = "0102030405060708",
                                                   .cookie_r = "090a0b0c0d0e0f10"},
                             .sas = {{.spi_in = "0x00001002",
                                      .spi_out = "0x00002002",
                                      .transform = "aes256-sha256",
                                      .service = "tcp/8080",
                                      .state = "active",
                                      .bytes_in = 3000,
                                      .bytes_out = 4000,
                                      .packets_in = 3,
                                      .packets_out = 4,
                                      .packets_lost = 3,
                                      .age_seconds = 20},
                                     {.spi_in = "0x00001001",
                                      .spi_out = "0x00002001",
                                      .transform = "aes256-sha256",
                                      .service = "tcp/8080",
                                      .state = "superseded",
                                      .bytes_in = 1000,
                                      .bytes_out = 0,
                                      .packets_in = 1,
                                      .packets_out = 0,
                                      .packets_lost = 3,
                                      .age_seconds = 80}}};
  const auto row = row_of(peer(), &newest, all_counted, now);
  EXPECT_EQ(row, wanted) << to_json(row).dump(1);
}

TEST(PeerRow, AsksForTheStatisticsInTheOrderInWhichItUsesThem) {
  const auto of = peer();
  const auto asked = counted_sas_of(of);
  ASSERT_EQ(asked.size(), 4U);
  EXPECT_EQ(asked[0], peer().inbound_id(xfrm::Spi(0x1001)));
  EXPECT_EQ(asked[1], of.outbound_id(of.children[0]));
  EXPECT_EQ(asked[2], peer().inbound_id(xfrm::Spi(0x1002)));
  EXPECT_EQ(asked[3], of.outbound_id(of.children[1]));
}

TEST(PeerRow, WhatIsNotThereIsNotMadeUp) {
  auto bare = peer();
  bare.nat = bare.peer_behind_nat = bare.authentication.bind_user = false;
  for (const auto state : {ike::ChildState::answering, ike::ChildState::installing}) {
    bare.children = {child(1, state, 1s)};
    const auto row = row_of(bare, nullptr, {counted(1), counted(2)}, now);
    EXPECT_TRUE(row.sas.empty()) << "a pair that is no pair yet";
    EXPECT_FALSE(row.ike) << "its ISAKMP SA ran out";
    EXPECT_FALSE(row.bound_to);
    EXPECT_FALSE(row.nat);
    EXPECT_EQ(row.port, 0) << "ESP without UDP";
  }
}

TEST(PeerRow, OfAPeerThatIsGoneItsNameAndPlaceAreLeft) {
  const ike::Event event{.kind = ike::EventKind::peer_gone,
                         .peer = ike::PeerNumber(7),
                         .mark = base::Mark(0x700),
                         .remote = {base::Address::v4(0xc6336401), 40001},
                         .identity = "192.168.1.2",
                         .detail = {}};
  const auto row = row_of_gone(event, alias);
  const control::Peer wanted{.peer = 7,
                             .mark = 0x700,
                             .alias = "240.0.0.7",
                             .identity = "192.168.1.2",
                             .client = {},
                             .psk = {},
                             .address = "198.51.100.1",
                             .port = 40001,
                             .local_address = {},
                             .ike = {},
                             .sas = {}};
  EXPECT_EQ(row, wanted) << to_json(row).dump(1);
}

}  // namespace
}  // namespace ikd
