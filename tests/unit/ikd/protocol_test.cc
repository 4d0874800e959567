// What the two processes say to one another: it arrives as it was sent, and whatever else arrives is nothing.

#include "ikd/protocol.h"

#include <set>

#include <gmock/gmock.h>

#include "../encoding.h"
#include "broker_messages.h"

namespace ikd {
namespace {

using namespace std::chrono_literals;
using encoding::expect_one_encoding_each;
using encoding::expect_that_only_the_whole_message_is_one;

const encoding::Seeds seeds("ikd/seeds/broker_fuzzer");

TEST(BrokerProtocol, EveryMessageArrivesWholeAndNothingElseDoes) {
  expect_that_only_the_whole_message_is_one<Request>(sample::requests(), decode_request);
  expect_that_only_the_whole_message_is_one<Answer>(sample::answers(), decode_answer);
  std::deque<Hello> hello;
  hello.push_back(sample::hello());
  expect_that_only_the_whole_message_is_one<Hello>(hello, decode_hello);
  expect_that_only_the_whole_message_is_one<Provision>({sample::provision()}, decode_provision);
}

TEST(BrokerProtocol, EverythingIsSaidInOneWayOnly) {
  expect_one_encoding_each<Request>(sample::requests(), decode_request);
  expect_one_encoding_each<Answer>(sample::answers(), decode_answer);
}

TEST(BrokerProtocol, TheFuzzerBeginsWithTheSamples) {
  seeds.expect<Request>("request", sample::requests());
  seeds.expect<Answer>("answer", sample::answers());
  std::deque<Hello> hello;
  hello.push_back(sample::hello());
  seeds.expect<Hello>("hello", hello);
  seeds.expect<Provision>("provision", {sample::provision()});
}

TEST(BrokerProtocol, TheSamplesAreOfEveryKind) {
  std::set<std::size_t> requests, answers;
  for (const auto& r : sample::requests()) requests.insert(r.index());
  for (const auto& a : sample::answers()) answers.insert(a.index());
  EXPECT_EQ(requests.size(), std::variant_size_v<Request>);
  EXPECT_EQ(answers.size(), std::variant_size_v<Answer>);
}

/// As it is after the way to the other process.
template <class Wanted>
Wanted sent(Request request) {
  auto arrived = decode_request(encode(request).view());
  EXPECT_TRUE(arrived && std::holds_alternative<Wanted>(*arrived));
  return std::move(std::get<Wanted>(*arrived));
}
template <class Wanted>
Wanted answered(Answer answer) {
  auto arrived = decode_answer(encode(answer).view());
  EXPECT_TRUE(arrived && std::holds_alternative<Wanted>(*arrived));
  return std::move(std::get<Wanted>(*arrived));
}

TEST(BrokerProtocol, NothingOfAnSaIsLost) {
  const auto before = sample::inbound();
  const auto after = sent<ike::InstallInbound>(sample::inbound());
  EXPECT_EQ(after.ticket, before.ticket);
  EXPECT_EQ(after.sa.source, before.sa.source);
  EXPECT_EQ(after.sa.destination, before.sa.destination);
  EXPECT_EQ(after.sa.spi, before.sa.spi);
  EXPECT_EQ(after.sa.reqid, before.sa.reqid);
  EXPECT_EQ(after.sa.mode, before.sa.mode);
  EXPECT_EQ(after.sa.selector, before.sa.selector);
  EXPECT_EQ(after.sa.transform.encryption, before.sa.transform.encryption);
  EXPECT_TRUE(
      base::equal(after.sa.transform.encryption_key.view(), before.sa.transform.encryption_key.view()));
  EXPECT_EQ(after.sa.transform.integrity, before.sa.transform.integrity);
  EXPECT_TRUE(base::equal(after.sa.transform.integrity_key.view(), before.sa.transform.integrity_key.view()));
  EXPECT_EQ(after.sa.replay_window, before.sa.replay_window);
  EXPECT_EQ(after.sa.encap, before.sa.encap);
  EXPECT_EQ(after.sa.mark, before.sa.mark);
  EXPECT_EQ(after.sa.set_mark, before.sa.set_mark);
  EXPECT_EQ(after.sa.lifetimes, before.sa.lifetimes);
  EXPECT_EQ(after.sa.mapping_interval, before.sa.mapping_interval);
  ASSERT_TRUE(after.new_entry);
  EXPECT_EQ(after.new_entry->mark, before.new_entry->mark);
  EXPECT_EQ(after.new_entry->alias, before.new_entry->alias);
  EXPECT_EQ(after.new_entry->home, before.new_entry->home);
  EXPECT_EQ(after.new_entry->dialled, before.new_entry->dialled);
}

TEST(BrokerProtocol, NothingOfAPeersMoveIsLost) {
  const auto before = sample::move();
  const auto after = sent<ike::MovePeer>(sample::move());
  EXPECT_EQ(after.mark, before.mark);
  EXPECT_EQ(after.alias, before.alias);
  EXPECT_EQ(after.new_home, before.new_home);
  EXPECT_EQ(after.port, before.port);
  EXPECT_EQ(after.inbound, before.inbound);
  EXPECT_EQ(after.outbound, before.outbound);
}

TEST(BrokerProtocol, NothingOfARequestForKeysIsLost) {
  const auto before = sample::derive();
  const auto after = sent<ike::DeriveSkeyids>(sample::derive());
  EXPECT_EQ(after.ticket, before.ticket);
  EXPECT_EQ(after.hash, before.hash);
  EXPECT_EQ(after.ni, before.ni);
  EXPECT_EQ(after.nr, before.nr);
  EXPECT_EQ(after.peer, before.peer);
  EXPECT_EQ(after.names, before.names);
  EXPECT_EQ(after.from, before.from);
}

TEST(BrokerProtocol, AnErrorArrivesInItsWords) {
  const auto after = answered<Outcome>(Outcome{base::fail("one peer asks for too many SAs")});
  ASSERT_FALSE(after.result);
  EXPECT_EQ(after.result.error().message, "one peer asks for too many SAs");
  EXPECT_TRUE(answered<Outcome>(Outcome{}).result);
}

TEST(BrokerProtocol, WhoRefusedArrivesWithTheWords) {
  for (const auto by : {ike::Refusal::kernel_refused, ike::Refusal::nft_refused}) {
    const auto after = answered<Done>(Done{ike::refused_as(by, base::fail("the set is full"))});
    ASSERT_FALSE(after.result);
    EXPECT_EQ(after.result.error().message, "the set is full");
    EXPECT_EQ(after.result.error().refusal, by);
  }
  EXPECT_TRUE(answered<Done>(Done{}).result);
  auto other =
      base::to_bytes(encode(Answer(Done{ike::refused_as(ike::Refusal::wrong_psk, base::fail("no"))})).view());
  EXPECT_FALSE(decode_answer(other)) << "nothing that a broker says";
}

TEST(BrokerProtocol, StatisticsArriveAsTheyAre) {
  const xfrm::SaStatistics before{.bytes = 1ULL << 40,
                                  .packets = 2,
                                  .added = 1'700'000'000s,
                                  .used = 1'700'000'001s,
                                  .outside_window = 3,
                                  .replayed = 4,
                                  .integrity_failed = 5,
                                  .newest = 1ULL << 33};
  EXPECT_THAT(*answered<Counted>(Counted{std::vector<xfrm::SaStatistics>{before, {}}}).statistics,
              testing::ElementsAre(before, xfrm::SaStatistics{}));
}

TEST(BrokerProtocol, WhatARemovedSaHasCarriedArrivesByItsDirection) {
  const auto after = answered<Removed>(Removed{Traffic{.in = 1ULL << 40, .out = 2}}).carried;
  ASSERT_TRUE(after);
  EXPECT_EQ(after->in, 1ULL << 40);
  EXPECT_EQ(after->out, 2u);
}

/// The first request of this kind with the byte at `at` changed.
std::optional<Request> with(const Request& request, std::size_t at, std::uint8_t value) {
  auto bytes = base::to_bytes(encode(request).view());
  bytes.at(at) = value;
  return decode_request(bytes);
}

TEST(BrokerProtocol, AValueWithoutANameIsRefused) {
  const Request derive = sample::derive();
  constexpr std::size_t low_byte_of_hash = 1 + 8 + 1;
  ASSERT_TRUE(with(derive, low_byte_of_hash, static_cast<std::uint8_t>(crypto::Hash::md5)));
  for (const std::uint8_t nameless : base::Bytes{0, 3, 7, 255})
    EXPECT_FALSE(with(derive, low_byte_of_hash, nameless));
  EXPECT_FALSE(with(derive, 0, std::variant_size_v<Request>)) << "a request of another version";
}

TEST(BrokerProtocol, ANumberOfElementsThatDoNotComeIsRefusedAndCostsNoMemory) {
  const base::Bytes promised{5, 0xff, 0xff, 0xff, 0xff, 1};  // FillMaps with four billion peers
  EXPECT_FALSE(decode_request(promised));
}

}  // namespace
}  // namespace ikd
