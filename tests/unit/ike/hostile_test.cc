// Strangers, recordings and floods.

#include <set>

#include "scene.h"

namespace {

using namespace scene;

const Endpoint gateway_500{gateway, 500}, gateway_4500{gateway, 4500};

TEST(Hostile, DuplicateOfMessage5IsAnsweredWithTheSameBytesEvenWhenUp) {
  Connected c;
  const auto arrived = c.world.arrived();
  const auto answers = c.world.left();
  ASSERT_THAT(arrived, SizeIs(5)) << "three of Main Mode, two of Quick Mode";
  ASSERT_THAT(answers, SizeIs(4));
  const auto dh = c.world.kernel().computed_dh();
  // Message 5 still stands as the last of its exchange; of Quick Mode that is message 3.
  for (const std::size_t i : {std::size_t{2}, std::size_t{3}}) {
    const auto before = c.world.left().size();
    c.world.inject(arrived[i].from, arrived[i].to, arrived[i].bytes);
    if (i == 3) {
      EXPECT_EQ(c.world.left().size(), before) << "after message 3 message 1 is over";
      continue;
    }
    ASSERT_EQ(c.world.left().size(), before + 1);
    EXPECT_EQ(c.world.left().back().bytes, answers[i].bytes);
  }
  EXPECT_EQ(c.world.kernel().computed_dh(), dh);
  EXPECT_EQ(c.world.kernel().sas().size(), 2u);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Hostile, DuplicatesDuringTheExchangeGetTheSameBytes) {
  auto ws = cheap();
  World w(ws);
  NatBox nat(nat_a);
  w.network().conditions.duplicate = 1;
  auto& client = w.add(host(), &nat);
  client.connect(w.now());
  w.run(10s);
  EXPECT_THAT(w.complaints(), IsEmpty()) << "the initiator compares repetitions of message 2";
  EXPECT_EQ(w.disagreement(client), "");
  EXPECT_EQ(w.kernel().computed_dh(), 1u);
  EXPECT_EQ(w.kernel().sas().size(), 2u);
  EXPECT_GT(w.engine().counters().duplicates, 3u);
  std::set<Bytes> distinct;
  for (const auto& d : w.left()) distinct.insert(d.bytes);
  EXPECT_THAT(distinct, SizeIs(4)) << "messages 2, 4 and 6 of Main Mode, 2 of Quick Mode";
  EXPECT_GT(w.left().size(), distinct.size());
}

TEST(Hostile, FloodOfMessage1IsBoundedAndOver30SecondsLater) {
  auto ws = cheap();
  ws.engine.max_half_open = 50;
  World w(ws);
  Initiator sample(host());
  sample.main_mode(w.now());
  auto message = sample.next_send()->bytes;
  for (std::uint32_t i = 0; i < 500; ++i) {
    message[0] = static_cast<std::uint8_t>(i >> 8 | 0x10);
    message[1] = static_cast<std::uint8_t>(i);
    w.inject({Address::v4(0x0a000000 + i), 500}, gateway_500, message);
  }
  EXPECT_LE(w.engine().half_open(), 50u);
  EXPECT_GE(w.engine().half_open(), 40u);
  EXPECT_EQ(w.dropped(DropReason::half_open_limit) + w.engine().half_open(), 500u);
  EXPECT_EQ(w.kernel().computed_dh(), 0u) << "message 1 costs no public-key arithmetic";
  w.run(31s);
  EXPECT_TRUE(w.nothing_left());
}

TEST(Hostile, ReplayedQuickModeIsNotAnsweredAfterItIsForgotten) {
  Connected c;
  const auto quick_1 = c.world.arrived()[3], quick_3 = c.world.arrived()[4];
  c.world.run(120s);
  const auto sent = c.world.left().size();
  c.world.inject(quick_1.from, quick_1.to, quick_1.bytes);
  c.world.inject(quick_3.from, quick_3.to, quick_3.bytes);
  c.world.run(1s);
  EXPECT_EQ(c.world.left().size(), sent);
  EXPECT_EQ(c.world.dropped(DropReason::message_id_used), 2u);
  EXPECT_EQ(c.world.disagreement(c.client), "");
}

TEST(Hostile, WhoWasPutOffInAFloodIsServedWhenItRepeatsMessage3) {
  Connected c;
  c.world.kernel().put_off_dh(1);
  NatBox nat(nat_b);
  auto& client = c.world.add(host(), &nat);
  client.connect(c.world.now());
  c.client.quick_mode(c.world.now());
  c.world.run(500ms);
  EXPECT_EQ(c.world.dropped(DropReason::worker_queue_full), 1u);
  EXPECT_EQ(c.world.disagreement(c.client, 1), "") << "who is up renews its keys meanwhile";
  c.world.run(10s);
  EXPECT_EQ(c.world.disagreement(client), "");
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Hostile, OnePeerMayNotRenewItsKeysAllTheTime) {
  Connected c;
  for (int i = 0; i < 500; ++i) {
    c.client.quick_mode(c.world.now());
    c.world.run(20ms);
  }
  EXPECT_GT(c.world.dropped(DropReason::quick_mode_limit), 300u);
  EXPECT_LE(c.client.children().size(), 200u);
  c.world.run(60s);
  c.client.quick_mode(c.world.now());
  c.world.run(10s);
  EXPECT_EQ(c.world.disagreement(c.client, c.client.children().size() - 1), "");
}

TEST(Hostile, MonstrousQuickModeIsNotKept) {
  Connected c;
  const Bytes name(20000, 'a');
  c.client.ask_for(ike::v1::encode_identification(
                       {.type = ike::v1::IdType::fqdn, .protocol = 17, .port = 1701, .data = name}),
                   {});
  c.client.quick_mode(c.world.now());
  c.world.run(1s);
  EXPECT_THAT(c.client.children(), SizeIs(1));
  EXPECT_EQ(c.world.dropped(DropReason::malformed), 1u);
}

TEST(Hostile, QuickModeWithAMessageIdThatWasUsedIsDropped) {
  Connected c;
  c.client.quick_mode_with(harness::MessageId(0x1234567), c.world.now());
  c.world.run(2s);
  ASSERT_THAT(c.client.children(), SizeIs(2));
  c.world.run(100s);
  c.client.quick_mode_with(harness::MessageId(0x1234567), c.world.now());
  c.world.run(10s);
  EXPECT_THAT(c.client.children(), SizeIs(2));
  EXPECT_GT(c.world.dropped(DropReason::message_id_used), 0u);
}

TEST(Hostile, RecordingsPlayedFromAnotherAddressMoveNothing) {
  Connected c;
  c.client.r_u_there(1);
  c.client.quick_mode(c.world.now());
  c.world.run(2s);
  const auto& peer = *c.world.peer_of(c.client);
  const auto remote = peer.remote;
  const auto sa_remote = c.world.engine().isakmp_sa(*peer.isakmp_sas.begin())->remote;
  const auto recorded = c.world.arrived();
  for (const auto& d : recorded) c.world.inject({stranger, d.from.port}, d.to, d.bytes);
  c.world.run(1s);
  EXPECT_EQ(peer.remote, remote);
  EXPECT_EQ(c.world.engine().isakmp_sa(*peer.isakmp_sas.begin())->remote, sa_remote);
  EXPECT_EQ(c.world.disagreement(c.client, 1), "");
  c.client.r_u_there(2);
  c.world.run(1s);
  EXPECT_EQ(c.client.notified().back().data, (Bytes{0, 0, 0, 2})) << "it still hears us";
}

TEST(Hostile, EveryTruncationAndEveryFlippedByteOfEveryMessageIsSurvived) {
  // The responder is shown damaged copies of each datagram before the true one.
  World w(cheap());
  NatBox nat(nat_a);
  auto& client = w.add(host(), &nat);
  Connected rehearsal;
  client.connect(w.now());
  std::size_t seen = 0;
  for (int i = 0; i < 400 && client.children().empty(); ++i) {
    w.run(5ms);
    for (; seen < w.arrived().size() && seen < 8; ++seen) {
      const auto d = w.arrived()[seen];
      for (std::size_t cut = 0; cut < d.bytes.size(); ++cut)
        w.engine().input(d.from, d.to, base::ByteView(d.bytes).first(cut), w.now());
      for (std::size_t at = 0; at < d.bytes.size(); ++at) {
        auto bad = d.bytes;
        bad[at] ^= 0x55;
        w.engine().input({stranger, 500}, d.to, bad, w.now());
      }
    }
  }
  w.run(2s);
  EXPECT_EQ(w.disagreement(client), "");
  w.run(60s);
  EXPECT_EQ(w.kernel().sas().size(), 2u);
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST(Hostile, WhatIsDroppedIsCountedByItsReason) {
  Connected c;
  auto& w = c.world;
  const auto keepalive = Bytes{0xff};
  w.inject({nat_a, 40002}, gateway_4500, keepalive);
  EXPECT_EQ(w.engine().counters().keepalives, 1u);
  w.inject({stranger, 4500}, gateway_4500, Bytes{0, 0, 0});
  w.inject({stranger, 500}, gateway_500, {});
  EXPECT_EQ(w.dropped(DropReason::malformed), 2u);
  auto unknown = w.arrived()[1].bytes;
  unknown[9] ^= 1;
  w.inject({stranger, 500}, gateway_500, unknown);
  EXPECT_EQ(w.dropped(DropReason::unknown_cookies), 1u);
  auto aggressive = w.arrived()[0].bytes;
  aggressive[18] = 4;
  w.inject({stranger, 500}, gateway_500, aggressive);
  EXPECT_EQ(w.dropped(DropReason::unsupported_exchange), 1u);
  auto in_clear = w.arrived()[3].bytes;
  in_clear[4 + 19] = 0;
  w.inject({stranger, 4500}, gateway_4500, in_clear);
  EXPECT_EQ(w.dropped(DropReason::not_encrypted), 1u);
  auto altered = w.arrived()[3].bytes;
  altered.back() ^= 1;
  altered[4 + 20] ^= 1;  // a message id that was not used
  w.inject({stranger, 4500}, gateway_4500, altered);
  EXPECT_EQ(w.dropped(DropReason::hash_mismatch), 1u);
}

}  // namespace
