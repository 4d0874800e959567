// What the two processes of l2tpd say to one another: it arrives as it was sent, and whatever else arrives is
// nothing.

#include "l2tpd/protocol.h"

#include <set>

#include <gtest/gtest.h>

#include "../encoding.h"
#include "broker_messages.h"

namespace l2tpd {
namespace {

using encoding::expect_one_encoding_each;
using encoding::expect_that_only_the_whole_message_is_one;

const encoding::Seeds seeds("l2tp/seeds/l2tp_broker_fuzzer");

std::deque<Hello> hellos() {
  std::deque<Hello> out;
  out.push_back(sample::hello());
  return out;
}

TEST(L2tpdProtocol, EveryMessageArrivesWholeAndNothingElseDoes) {
  expect_that_only_the_whole_message_is_one<Request>(sample::requests(), decode_request);
  expect_that_only_the_whole_message_is_one<Answer>(sample::answers(), decode_answer);
  expect_that_only_the_whole_message_is_one<Hello>(hellos(), decode_hello);
}

TEST(L2tpdProtocol, EverythingIsSaidInOneWayOnly) {
  expect_one_encoding_each<Request>(sample::requests(), decode_request);
  expect_one_encoding_each<Answer>(sample::answers(), decode_answer);
  expect_one_encoding_each<Hello>(hellos(), decode_hello);
}

TEST(L2tpdProtocol, TheFuzzerBeginsWithTheSamples) {
  seeds.expect<Request>("request", sample::requests());
  seeds.expect<Answer>("answer", sample::answers());
  seeds.expect<Hello>("hello", hellos());
  const auto life = sample::life();
  seeds.expect("life", sample::in_a_row(life));
  std::vector<Request> stutter;
  for (const auto& request : life) stutter.insert(stutter.end(), 2, request);
  seeds.expect("stutter", sample::in_a_row(stutter));
}

TEST(L2tpdProtocol, TheSamplesAreOfEveryKind) {
  std::set<std::size_t> requests, answers, orders;
  for (const auto& r : sample::requests()) requests.insert(r.index());
  for (const auto& a : sample::answers()) {
    answers.insert(a.index());
    if (const auto* some = std::get_if<Orders>(&a))
      for (const auto& order : some->orders) orders.insert(order.index());
  }
  EXPECT_EQ(requests.size(), std::variant_size_v<Request>);
  EXPECT_EQ(answers.size(), std::variant_size_v<Answer>);
  EXPECT_EQ(orders.size(), std::variant_size_v<Order>);
}

/// As it is after the way to the privileged process.
template <class Wanted>
Wanted sent(const Request& request) {
  auto arrived = decode_request(encode(request).view());
  EXPECT_TRUE(arrived && std::holds_alternative<Wanted>(*arrived));
  return std::move(std::get<Wanted>(*arrived));
}

TEST(L2tpdProtocol, NothingOfATunnelIsLost) {
  const Changed before = std::get<Changed>(sample::life().front());
  const auto after = sent<Changed>(before);
  ASSERT_EQ(after.rows.size(), 1u);
  const auto& row = after.rows[0];
  EXPECT_EQ(row.name, sample::tunnel());
  EXPECT_EQ(row.host_name, "phone");
  EXPECT_TRUE(row.established && row.lingering);
  ASSERT_EQ(row.sessions.size(), 2u);
  EXPECT_EQ(row.sessions[0].name, sample::session());
  EXPECT_TRUE(row.sessions[0].sequencing);
  EXPECT_FALSE(row.sessions[1].sequencing);
  const auto down = sent<l2tp::TunnelDown>(
      l2tp::TunnelDown{sample::tunnel(), "no", l2tp::stop(l2tp::StopResult::general, "bye"), true});
  EXPECT_EQ(down.stop, l2tp::stop(l2tp::StopResult::general, "bye"));
  EXPECT_TRUE(down.stood);
}

TEST(L2tpdProtocol, NothingOfTheHelloIsLost) {
  const auto before = sample::hello();
  const auto after = decode_hello(encode(before).view());
  ASSERT_TRUE(after);
  EXPECT_EQ(after->listeners, before.listeners);
  EXPECT_EQ(after->mark_mask, before.mark_mask);
  EXPECT_EQ(after->aliases, before.aliases);
  EXPECT_EQ(after->cleartext, before.cleartext);
  EXPECT_EQ(after->hello_interval, before.hello_interval);
  EXPECT_EQ(after->hello_patience, before.hello_patience);
  EXPECT_EQ(after->tunnel_secret, before.tunnel_secret);
  EXPECT_EQ(after->user, before.user);
  EXPECT_EQ(after->group, before.group);
  EXPECT_EQ(after->watchdog_us, before.watchdog_us);
  EXPECT_EQ(after->log_level, before.log_level);
}

TEST(L2tpdProtocol, CountsArriveAsTheyAre) {
  Counts before;
  before.dropped.back() = 1ULL << 40;
  before.astray = 3;
  EXPECT_EQ(sent<Counts>(before), before);
}

TEST(L2tpdProtocol, WhoHasATunnelsSocketSendsThroughItAndDoesNotAsk) {
  EXPECT_FALSE(decode_request(
      encode(Request(l2tp::Send{sample::tunnel(), l2tp::Via::tunnel_socket, base::Bytes(12)})).view()));
}

TEST(L2tpdProtocol, ANumberOfElementsThatDoNotComeIsRefusedAndCostsNoMemory) {
  auto promised = base::to_bytes(encode(Request(Changed{})).view());
  std::ranges::fill(promised.begin() + 1, promised.begin() + 5, std::uint8_t{0xff});  // four billion rows
  EXPECT_FALSE(decode_request(promised));
}

}  // namespace
}  // namespace l2tpd
