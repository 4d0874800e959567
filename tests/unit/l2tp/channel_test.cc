#include "l2tp/channel.h"

#include <array>
#include <vector>

#include <gtest/gtest.h>

namespace l2tp {
namespace {

using namespace std::chrono_literals;

const base::Time start{};

Bytes body(std::uint8_t mark) { return {mark}; }

Header message(std::uint16_t ns, std::uint16_t nr, const Bytes& contents) {
  return {.tunnel = TunnelId(1), .session = {}, .ns = SeqNo(ns), .nr = SeqNo(nr), .body = contents};
}

struct Sent {
  std::uint16_t ns, nr;
  bool zlb;
  bool operator==(const Sent&) const = default;
};
std::vector<Sent> drain(Channel& channel) {
  std::vector<Sent> out;
  while (const auto datagram = channel.next_datagram()) {
    const auto header = decode_header(*datagram);
    out.push_back({header->ns.value(), header->nr.value(), header->body.empty()});
  }
  return out;
}

struct Silence {
  int sent = 0;
  std::vector<base::Duration> waits;  ///< after each
};
Silence into_silence(base::Duration patience) {
  Channel channel(8);
  channel.set_peer(TunnelId(9), 8);
  channel.send(SessionId(), body(1), start, patience);
  auto now = start;
  Silence out;
  while (!channel.failed()) {
    while (channel.next_datagram()) ++out.sent;
    out.waits.push_back(*channel.next_timeout() - now);
    now = *channel.next_timeout();
    channel.timeout(now);
  }
  return out;
}

TEST(Channel, GivesUpAfterSixSendsIn31Seconds) {
  const auto silence = into_silence(usual_patience);
  EXPECT_EQ(silence.sent, 6);
  EXPECT_EQ(silence.waits, (std::vector<base::Duration>{1s, 2s, 4s, 8s, 8s, 8s}));
}

TEST(Channel, WaitsFiveMinutesForADozingPhone) {
  const auto silence = into_silence(300s);
  EXPECT_EQ(silence.sent, 15);
  std::vector<base::Duration> waits{1s, 2s, 4s, 8s, 8s, 8s};
  waits.resize(15, 30s);
  EXPECT_EQ(silence.waits, waits);
}

TEST(Channel, TimeoutsThatAreEarlyOrRepeatedDoNothing) {
  Channel channel(8);
  channel.set_peer(TunnelId(9), 4);
  channel.timeout(start);
  channel.send(SessionId(), body(1), start);
  drain(channel);
  channel.timeout(start + 999ms);
  EXPECT_TRUE(drain(channel).empty());
  channel.timeout(start + 1s);
  channel.timeout(start + 1s);
  EXPECT_EQ(drain(channel).size(), 1u);
}

TEST(Channel, AWindowOfOneHoldsTheSecondMessageUntilTheFirstIsAcknowledged) {
  Channel channel(8);
  channel.set_peer(TunnelId(9), 1);
  channel.send(SessionId(), body(1), start);
  channel.send(SessionId(), body(2), start);
  EXPECT_EQ(drain(channel), (std::vector<Sent>{{0, 0, false}}));
  channel.receive(message(0, 1, {}), start);
  EXPECT_EQ(drain(channel), (std::vector<Sent>{{1, 0, false}}));
  channel.receive(message(0, 2, {}), start);
  EXPECT_TRUE(channel.all_acknowledged());
  EXPECT_FALSE(channel.next_timeout());
}

TEST(Channel, StartsSlowlyAndNeverExceedsThePeersWindow) {
  Channel channel(8);
  channel.set_peer(TunnelId(9), 3);
  for (std::uint8_t i = 0; i < 10; ++i) channel.send(SessionId(), body(i), start);
  EXPECT_EQ(drain(channel).size(), 1u);
  channel.receive(message(0, 1, {}), start);
  EXPECT_EQ(drain(channel).size(), 2u);
  channel.receive(message(0, 3, {}), start);
  EXPECT_EQ(drain(channel).size(), 3u);
  channel.receive(message(0, 6, {}), start);
  EXPECT_EQ(drain(channel).size(), 3u);
}

/// So many unanswered sends that everything is lost, until the next timeout has been served.
void lose_everything(Channel& channel) {
  drain(channel);
  channel.timeout(*channel.next_timeout());
}

TEST(Channel, AfterALossItAvoidsCongestion) {
  Channel channel(8);
  channel.set_peer(TunnelId(9), 8);
  for (std::uint8_t i = 0; i < 60; ++i) channel.send(SessionId(), body(i), start);
  std::uint16_t nr = 0;
  const auto acknowledge_one = [&] { channel.receive(message(0, ++nr, {}), start); };
  for (int i = 0; i < 7; ++i) acknowledge_one();
  EXPECT_EQ(channel.congestion_window(), 8);
  lose_everything(channel);
  // Appendix A: slow start from one again, to half of what it was, and from there one more per window.
  EXPECT_EQ(channel.congestion_window(), 1);
  std::vector<std::uint16_t> windows;
  for (int i = 0; i < 12; ++i) {
    acknowledge_one();
    windows.push_back(channel.congestion_window());
  }
  EXPECT_EQ(windows, (std::vector<std::uint16_t>{2, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6}));
}

TEST(Channel, WhatWasLostWithTheFirstFollowsItAndNotASecondLaterEach) {
  Channel channel(8);
  channel.set_peer(TunnelId(9), 4);
  for (std::uint8_t i = 0; i < 7; ++i) channel.send(SessionId(), body(i), start);
  channel.receive(message(0, 1, {}), start);
  channel.receive(message(0, 3, {}), start);
  EXPECT_EQ(drain(channel).size(), 7u);  // of which 3, 4, 5 and 6 are on their way, and lost
  channel.timeout(start + 1s);
  EXPECT_EQ(drain(channel), (std::vector<Sent>{{3, 0, false}}));
  channel.receive(message(0, 4, {}), start + 1s);
  EXPECT_EQ(drain(channel), (std::vector<Sent>{{4, 0, false}, {5, 0, false}}));
  // The peer had 6 all along: that it is acknowledged, though sent before the loss, is no bad
  // acknowledgement.
  EXPECT_EQ(channel.receive(message(0, 7, {}), start + 1s), Arrival::in_window);
  EXPECT_TRUE(channel.all_acknowledged());
  EXPECT_FALSE(channel.next_timeout());
}

TEST(Channel, AnsweringAnythingStartsThePatienceAnew) {
  Channel channel(8);
  channel.set_peer(TunnelId(9), 2);
  auto now = start;
  for (std::uint8_t i = 0; i < 3; ++i) channel.send(SessionId(), body(i), now);
  for (std::uint16_t nr = 1; nr <= 2; ++nr) {
    for (int i = 0; i < 5; ++i) {
      now = *channel.next_timeout();
      channel.timeout(now);
    }
    ASSERT_FALSE(channel.failed());
    channel.receive(message(0, nr, {}), now);
  }
  EXPECT_EQ(*channel.next_timeout() - now, 1s);
}

TEST(Channel, AcknowledgesWithAZLBThatTakesNoSequenceNumber) {
  Channel channel(8);
  channel.set_peer(TunnelId(9), 4);
  EXPECT_EQ(channel.receive(message(0, 0, body(1)), start), Arrival::in_window);
  channel.acknowledge();
  EXPECT_EQ(drain(channel), (std::vector<Sent>{{0, 1, true}}));
  channel.send(SessionId(), body(1), start);
  channel.receive(message(1, 0, body(2)), start);
  channel.acknowledge();
  // The ZLB bears the number that the next message will have.
  EXPECT_EQ(drain(channel), (std::vector<Sent>{{0, 1, false}, {1, 2, true}}));
}

TEST(Channel, AnAnswerCarriesTheAcknowledgementItself) {
  Channel channel(8);
  channel.set_peer(TunnelId(9), 4);
  channel.receive(message(0, 0, body(1)), start);
  channel.send(SessionId(), body(1), start);
  channel.acknowledge();
  EXPECT_EQ(drain(channel), (std::vector<Sent>{{0, 1, false}}));
}

TEST(Channel, DeliversInOrderWhatArrivesOutOfOrder) {
  Channel channel(8);
  channel.set_peer(TunnelId(9), 4);
  for (const auto ns : std::array<std::uint16_t, 3>{2, 1, 3}) {
    channel.receive(message(ns, 0, body(static_cast<std::uint8_t>(ns))), start);
    EXPECT_FALSE(channel.next_message());
  }
  channel.receive(message(0, 0, body(0)), start);
  for (std::uint8_t i = 0; i < 4; ++i) EXPECT_EQ(channel.next_message()->body, body(i));
  EXPECT_FALSE(channel.next_message());
  channel.acknowledge();
  EXPECT_EQ(drain(channel), (std::vector<Sent>{{0, 4, true}}));
}

TEST(Channel, AcknowledgesADuplicateAndDeliversItOnce) {
  Channel channel(8);
  channel.set_peer(TunnelId(9), 4);
  channel.receive(message(0, 0, body(0)), start);
  EXPECT_TRUE(channel.next_message());
  channel.acknowledge();
  drain(channel);
  EXPECT_EQ(channel.receive(message(0, 0, body(0)), start), Arrival::duplicate);
  EXPECT_FALSE(channel.next_message());
  channel.acknowledge();
  EXPECT_EQ(drain(channel), (std::vector<Sent>{{0, 1, true}}));
}

TEST(Channel, HoldsNoMoreThanItsWindow) {
  Channel channel(8);
  channel.set_peer(TunnelId(9), 4);
  EXPECT_EQ(channel.receive(message(7, 0, body(7)), start), Arrival::in_window);
  EXPECT_EQ(channel.receive(message(7, 0, body(7)), start), Arrival::duplicate);
  EXPECT_EQ(channel.receive(message(8, 0, body(8)), start), Arrival::outside_window);
  EXPECT_EQ(channel.receive(message(0x7fff, 0, body(8)), start), Arrival::outside_window);
  EXPECT_EQ(channel.receive(message(0xffff, 0, body(8)), start), Arrival::duplicate);
}

TEST(Channel, RefusesAnAcknowledgementOfWhatWasNeverSent) {
  Channel channel(8);
  channel.set_peer(TunnelId(9), 4);
  channel.send(SessionId(), body(0), start);
  channel.send(SessionId(), body(1), start);  // held back by slow start
  EXPECT_EQ(channel.receive(message(0, 2, body(0)), start), Arrival::bad_ack);
  EXPECT_FALSE(channel.next_message());
  EXPECT_EQ(channel.receive(message(0, 1, body(0)), start), Arrival::in_window);
  EXPECT_EQ(channel.receive(message(1, 0, body(1)), start), Arrival::in_window);  // an old Nr, come late
}

TEST(Channel, SequenceNumbersWrap) {
  Channel sender(8);
  Channel receiver(8);
  sender.set_peer(TunnelId(9), 8);
  receiver.set_peer(TunnelId(8), 8);
  for (int i = 0; i < 70'000; ++i) {
    sender.send(SessionId(), body(static_cast<std::uint8_t>(i)), start);
    const auto datagram = sender.next_datagram();
    ASSERT_TRUE(datagram) << i;
    ASSERT_EQ(receiver.receive(*decode_header(*datagram), start), Arrival::in_window) << i;
    ASSERT_EQ(receiver.next_message()->body, body(static_cast<std::uint8_t>(i)));
    receiver.acknowledge();
    const auto ack = receiver.next_datagram();
    ASSERT_TRUE(ack);
    sender.receive(*decode_header(*ack), start);
    ASSERT_TRUE(sender.all_acknowledged()) << i;
  }
}

TEST(Channel, TheLastWordIsNotHeldBackByAWindow) {
  Channel channel(8);
  channel.set_peer(TunnelId(9), 1);
  channel.send(SessionId(), body(0), start, 300s);
  channel.send(SessionId(), body(1), start);
  drain(channel);
  channel.send_last(body(2), start);
  EXPECT_EQ(drain(channel), (std::vector<Sent>{{0, 0, false}, {1, 0, false}}));
  channel.receive(message(0, 2, {}), start);
  EXPECT_TRUE(channel.all_acknowledged());
}

}  // namespace
}  // namespace l2tp
