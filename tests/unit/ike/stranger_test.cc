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
  NatBox crowded(nat_b), nat(public_host);
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
    w.run(1ms);
  }
  EXPECT_EQ(w.engine().counters().authentication_failures, 200u);
  EXPECT_EQ(w.kernel().events_of(EventKind::authentication_failed), 1u);
}

std::size_t bytes_of(const std::vector<harness::Datagram>& datagrams, std::size_t first = 0) {
  std::size_t out = 0;
  for (std::size_t i = first; i < datagrams.size(); ++i) out += datagrams[i].bytes.size();
  return out;
}

TEST(Stranger, IsAnsweredOnceAndNeverAgainUnasked) {
  World w(cheap());
  w.inject({stranger, 500}, gateway_500, message_1(1));
  const auto message_2 = w.left().back().bytes;
  w.run(60s);
  EXPECT_THAT(w.left(), SizeIs(1)) << "message 2";
  // Another, up to message 4.
  w.inject({stranger, 500}, gateway_500, message_1(2));
  const auto header = *ike::v1::decode_header(w.left().back().bytes);
  const Bytes ke(256, 2), nonce(20, 1);
  w.inject({stranger, 500}, gateway_500,
           ike::v1::encode_clear(
               header, {{ike::v1::PayloadType::key_exchange, ke}, {ike::v1::PayloadType::nonce, nonce}}));
  w.run(60s);
  EXPECT_THAT(w.left(), SizeIs(3)) << "message 2 and message 4";
  EXPECT_TRUE(w.nothing_left());
}

TEST(Stranger, RepeatedMessage1IsAnsweredAFewTimesAndNeverWithThreeTimesTheBytes) {
  World w(cheap());
  const auto question = message_1(1);
  for (std::size_t asked = 1; asked <= 500; ++asked) {
    w.inject({stranger, 500}, gateway_500, question);
    ASSERT_LE(bytes_of(w.left()), 3 * asked * question.size());
  }
  EXPECT_THAT(w.left(), SizeIs(24));
  EXPECT_EQ(w.dropped(DropReason::answer_limit), 476u);
  EXPECT_EQ(w.engine().half_open(), 1u);
}

TEST(Stranger, OffersNobodyTakesAreRefusedInFewWords) {
  auto ws = cheap();
  ws.engine.ike_transforms = ike_transforms({"aes128-sha1-ecp256"});
  World w(ws);
  for (std::uint32_t i = 0; i < 500; ++i)
    w.inject({Address::v4(0x0a000000 + i), 500}, gateway_500, message_1(i));
  EXPECT_THAT(w.left(), SizeIs(50));
  EXPECT_LT(bytes_of(w.left()), 50 * message_1(0).size());
  EXPECT_EQ(w.kernel().events_of(EventKind::proposal_refused), 50u);
  EXPECT_EQ(w.engine().counters().refused_proposals, 500u);
  w.run(5s);
  w.inject({stranger, 500}, gateway_500, message_1(1));
  EXPECT_THAT(w.left(), SizeIs(51)) << "later it is told again";
}

/// Message 1 from `a_second` different networks, for as long as the world runs `span`.
void flood_for(World& w, base::Duration span, std::uint32_t a_second) {
  std::uint32_t n = 0;
  for (const auto end = w.now() + span; w.now() < end; w.run(base::Duration(1s) / a_second), ++n)
    w.inject({Address::v4(0x0a000001 + ((n * 257 % 65536) << 8)), 500}, gateway_500, message_1(n));
}

TEST(Stranger, CarrierNatWhosePeersAreConnectedIsNotLockedOutByAFlood) {
  World w(small_table());
  NatBox carrier(nat_a);
  for (std::uint8_t i = 0; i < 10; ++i)
    w.add(host(static_cast<std::uint8_t>(10 + i)), &carrier).connect(w.now());
  w.run(5s);
  ASSERT_THAT(w.engine().peers(), SizeIs(10));
  flood_for(w, 3s, 500);
  std::vector<Initiator*> late;
  for (std::uint8_t i = 0; i < 10; ++i) {
    late.push_back(&w.add(host(static_cast<std::uint8_t>(30 + i)), &carrier));
    late.back()->connect(w.now());
  }
  flood_for(w, 1s, 500);
  for (auto* client : late) EXPECT_EQ(w.disagreement(*client), "");
  EXPECT_GT(w.dropped(DropReason::half_open_limit), 1000u);
}

TEST(Stranger, WholeOfficeComesBackAtOnceAfterARestart) {
  auto ws = cheap();
  ws.kernel.dh_delay = 20ms;
  ws.kernel.jitter = 200ms;
  World w(ws);
  NatBox office(nat_a);
  std::vector<Initiator*> clients;
  for (std::uint32_t i = 0; i < 700; ++i) {
    auto s = host(2, i + 1);
    s.local.address = Address::v4(0xc0a80002 + i);
    clients.push_back(&w.add(s, &office));
    clients.back()->connect(w.now());
  }
  w.run(20s);
  std::size_t up = 0;
  for (auto* client : clients) up += w.disagreement(*client).empty();
  EXPECT_EQ(up, clients.size());
  EXPECT_THAT(w.complaints(), IsEmpty());
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
