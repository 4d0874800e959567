// What somebody without a pre-shared key can take from those who have one.

#include "scene.h"

namespace {

using namespace scene;

const Endpoint gateway_500{gateway, 500};

/// Message 1 of somebody else each time.
Bytes message_1(std::uint32_t who) {
  Initiator sample(host());
  sample.main_mode(base::Time{});
  auto out = sample.next_send()->bytes;
  out[0] = static_cast<std::uint8_t>(who >> 8 | 0x10);
  out[1] = static_cast<std::uint8_t>(who);
  return out;
}

WorldSettings small_table() {
  auto ws = cheap();
  ws.engine.max_half_open = 40;
  return ws;
}

void flood(World& w, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i)
    w.inject({Address::v4(0x0a000000 + i), 500}, gateway_500, message_1(i));
}

TEST(Stranger, FloodFromForgedAddressesKeepsNobodyOut) {
  World w(small_table());
  NatBox nat(nat_a);
  flood(w, 100);
  auto& client = w.add(host(), &nat);
  client.connect(w.now());
  w.run(1s);
  EXPECT_EQ(w.disagreement(client), "");
  EXPECT_LE(w.engine().half_open(), 40u);
  w.run(31s);
  EXPECT_EQ(w.engine().half_open(), 0u);
}

TEST(Stranger, NegotiationUnderWayIsNotEvictedByAFlood) {
  auto ws = small_table();
  ws.kernel.dh_delay = 1s;
  World w(ws);
  NatBox nat(nat_a);
  auto& client = w.add(host(), &nat);
  client.connect(w.now());
  w.run(500ms);  // its message 3 is in
  flood(w, 200);
  w.run(3s);
  EXPECT_EQ(w.disagreement(client), "");
}

TEST(Stranger, OneAddressGetsAShareOfTheTable) {
  World w(small_table());
  NatBox crowded(nat_b), nat(nat_a);
  for (std::uint8_t i = 0; i < 60; ++i) {
    auto s = host(static_cast<std::uint8_t>(10 + i));
    s.psk = "guessed";
    w.add(s, &crowded).connect(w.now());
  }
  w.run(2s);
  EXPECT_EQ(w.kernel().computed_dh(), 10u) << "a quarter of 40";
  auto& client = w.add(host(), &nat);
  client.connect(w.now());
  w.run(1s);
  EXPECT_EQ(w.disagreement(client), "");
}

TEST(Stranger, ShareIsGivenBackByWhoAuthenticatesAndByWhoGivesUp) {
  World w(small_table());
  NatBox nat(nat_a);
  for (std::uint8_t i = 0; i < 30; ++i) {
    w.add(host(static_cast<std::uint8_t>(10 + i)), &nat).connect(w.now());
    w.run(1s);
  }
  EXPECT_THAT(w.engine().peers(), SizeIs(30));
  auto wrong = host(200);
  wrong.psk = "guessed";
  for (std::uint8_t i = 0; i < 20; ++i) {
    wrong.local.address = Address::v4(0xc0a80200u + i);
    wrong.seed = 1000u + i;
    w.add(wrong, &nat).connect(w.now());
  }
  w.run(120s);
  auto& late = w.add(host(201), &nat);
  late.connect(w.now());
  w.run(1s);
  EXPECT_EQ(w.disagreement(late), "");
}

TEST(Stranger, BadPublicValueHoldsItsPlaceInTheShare) {
  auto ws = small_table();
  ws.kernel.dh = harness::Dh::real;
  World w(ws);
  Initiator prober(without_nat());
  std::size_t tried = 0;
  for (std::uint32_t i = 0; i < 25; ++i) {
    const auto before = w.left().size();
    w.inject({stranger, 500}, gateway_500, message_1(i));
    ASSERT_EQ(w.left().size(), before + 1);
    const auto message_2 = w.left().back().bytes;
    auto header = *ike::v1::decode_header(message_2);
    const Bytes zero(256), nonce(20, 1);  // MODP2048: not in the group (RFC 6989 §2.1)
    const auto message_3 = ike::v1::encode_clear(
        header, {{ike::v1::PayloadType::key_exchange, zero}, {ike::v1::PayloadType::nonce, nonce}});
    w.inject({stranger, 500}, gateway_500, message_3);
    w.run(1ms);
    ++tried;
  }
  EXPECT_EQ(tried, 25u);
  EXPECT_EQ(w.kernel().computed_dh(), 10u);
  EXPECT_EQ(w.kernel().events_of(EventKind::authentication_failed), 10u);
  w.run(31s);
  EXPECT_TRUE(w.nothing_left());
}

TEST(Stranger, OneExchangeIsNoPlaceForGuessing) {
  World w(cheap());
  NatBox nat(nat_a);
  auto s = host();
  s.psk = "guessed";
  auto& client = w.add(s, &nat);
  client.connect(w.now());
  w.run(1s);
  ASSERT_EQ(w.engine().counters().authentication_failures, 1u);
  auto guess = w.arrived().back();
  for (std::uint32_t i = 0; i < 1000; ++i) {
    guess.bytes[guess.bytes.size() - 1] = static_cast<std::uint8_t>(i);
    guess.bytes[guess.bytes.size() - 2] = static_cast<std::uint8_t>(i >> 8);
    w.inject(guess.from, guess.to, guess.bytes);
  }
  EXPECT_EQ(w.engine().counters().authentication_failures, 200u);
  EXPECT_EQ(w.kernel().events_of(EventKind::authentication_failed), 1u);
}

TEST(Stranger, MonstrousMessage1IsNotKept) {
  World w(cheap());
  Initiator sample(host());
  sample.main_mode(w.now());
  const auto message = sample.next_send()->bytes;
  const auto header = *ike::v1::decode_header(message);
  auto chain = *ike::v1::decode_chain(header.next, base::ByteView(message).subspan(ike::v1::header_size));
  const Bytes ballast(9000);
  chain.payloads.push_back({ike::v1::PayloadType::vendor_id, ballast});
  w.inject({stranger, 500}, gateway_500, ike::v1::encode_clear(header, chain.payloads));
  EXPECT_EQ(w.engine().half_open(), 0u);
  EXPECT_EQ(w.dropped(DropReason::malformed), 1u);
}

}  // namespace
