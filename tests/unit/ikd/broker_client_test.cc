// The packet process's side of the channel, with a broker that is a thread of the test.

#include "ikd/broker_client.h"

#include <functional>
#include <thread>

#include <gmock/gmock.h>

#include "broker_messages.h"

namespace ikd {
namespace {

using testing::ElementsAre;

/// Answers each request as the test says, until there are no more.
class PlayedBroker {
 public:
  using Play = std::function<Answer(const Request&)>;
  explicit PlayedBroker(Play play) {
    auto pair = os::Channel::pair().value();
    theirs = std::move(pair.first);
    thread_ = std::jthread([ours = std::move(pair.second), play = std::move(play)]() mutable {
      while (const auto message = ours.receive()) {
        const auto request = decode_request(message->bytes.view());
        if (!request || !ours.send(encode(play(*request)).view())) return;
      }
    });
  }
  os::Channel theirs;

 private:
  std::jthread thread_;
};

std::vector<ike::PeerEntry> peers(std::uint32_t count) {
  std::vector<ike::PeerEntry> out;
  for (std::uint32_t i = 1; i <= count; ++i)
    out.push_back({base::Mark(i << 8), base::Address::v4(0xf0000000 + i), base::Address::v4(0xc6336401),
                   base::Address::v4(0xcb007101)});
  return out;
}

xfrm::SaId sa(std::uint32_t spi) {
  return {.destination = base::Address::v4(0xcb007101), .spi = xfrm::Spi(spi), .protocol = 50, .mark = {}};
}

TEST(BrokerClient, ProvisionComesInPieces) {
  const auto all = encode(sample::provision());
  std::vector<std::uint32_t> asked;
  PlayedBroker broker([&](const Request& r) {
    const auto from = std::get<ReadProvision>(r).from;
    asked.push_back(from);
    const auto left = all.view().subspan(from);
    return Answer(Piece{base::to_bytes(left.first(std::min<std::size_t>(left.size(), 100)))});
  });
  BrokerClient client(std::move(broker.theirs));
  const auto got = client.provision();
  EXPECT_TRUE(base::equal(encode(got).view(), all.view()));
  EXPECT_THAT(asked, ElementsAre(0, 100, 200, 300, all.size()));
}

TEST(BrokerClient, ManyPeersComeInMessagesThatAChannelHoldsAndEachOnce) {
  std::vector<std::size_t> sizes;
  PlayedBroker broker([&](const Request& r) {
    sizes.push_back(std::get<FillMaps>(r).peers.size());
    return Outcome{};
  });
  BrokerClient client(std::move(broker.theirs));
  EXPECT_TRUE(client.fill_maps(peers(2500)));
  EXPECT_THAT(sizes, ElementsAre(1000, 1000, 500));
  EXPECT_TRUE(client.fill_maps({}));
  EXPECT_THAT(sizes, ElementsAre(1000, 1000, 500, 0)) << "what belongs to the gone is removed then";
}

TEST(BrokerClient, WhatOnePieceMeetsIsToldAndTheOthersAreFilledAllTheSame) {
  int asked = 0;
  PlayedBroker broker(
      [&](const Request&) -> Answer { return ++asked == 1 ? Outcome{base::fail("the first")} : Outcome{}; });
  BrokerClient client(std::move(broker.theirs));
  const auto filled = client.fill_maps(peers(1500));
  ASSERT_FALSE(filled);
  EXPECT_EQ(filled.error().message, "the first");
  EXPECT_EQ(asked, 2);
}

TEST(BrokerClient, WhatIsFoundInAllPiecesComesTogether) {
  PlayedBroker broker([](const Request& r) {
    const auto& sas = std::get<Compare>(r).sas;
    return Compared{Comparison{.absent = {sas.front()}, .worn = {sas.back()}}};
  });
  BrokerClient client(std::move(broker.theirs));
  std::vector<xfrm::SaId> all;
  for (std::uint32_t i = 0; i < 1001; ++i) all.push_back(sa(i));
  const auto found = client.compare(all);
  ASSERT_TRUE(found);
  EXPECT_THAT(found->absent, ElementsAre(sa(0), sa(1000)));
  EXPECT_THAT(found->worn, ElementsAre(sa(999), sa(1000)));
}

TEST(BrokerClient, ThereIsANumberForEachSaThatWasAskedFor) {
  PlayedBroker broker([](const Request&) {
    Counted out{.statistics = std::vector<xfrm::SaStatistics>(1)};
    out.statistics->front().bytes = 7;
    return out;
  });
  BrokerClient client(std::move(broker.theirs));
  const auto counted = client.count({sa(1), sa(2), sa(3)});
  ASSERT_TRUE(counted);
  ASSERT_EQ(counted->size(), 3u);
  EXPECT_EQ(counted->at(0).bytes, 7u);
  EXPECT_EQ(counted->at(2).bytes, 0u);
}

TEST(BrokerClient, KeysAreAskedForThroughTheirOwnChannel) {
  PlayedBroker broker([](const Request& r) -> Answer {
    if (const auto* sign = std::get_if<ike::Sign>(&r)) return ike::Signed{sign->ticket, base::Bytes{1, 2}};
    ike::SkeyidsDone done{.ticket = std::get<ike::DeriveSkeyids>(r).ticket, .candidates = {}};
    done.candidates.push_back({"family", 0, 1, base::Secret::of_size(20)});
    return done;
  });
  const auto keys = keys_behind(std::move(broker.theirs));
  const auto derived =
      keys.derive({.ticket = ike::Ticket(5), .hash = crypto::Hash::sha1, .ni = {}, .nr = {}, .peer = {}});
  EXPECT_EQ(derived.ticket, ike::Ticket(5));
  ASSERT_EQ(derived.candidates.size(), 1u);
  EXPECT_EQ(derived.candidates[0].name, "family");
  EXPECT_THAT(*keys.sign({.ticket = ike::Ticket(6), .certificate = 0, .hash = {}}).signature,
              ElementsAre(1, 2));
}

using BrokerClientDeathTest = testing::Test;

TEST(BrokerClientDeathTest, EndsWithTheBroker) {
  const auto ask_nobody = [] {
    auto pair = os::Channel::pair().value();
    pair.second = {};
    BrokerClient(std::move(pair.first)).ready();
  };
  EXPECT_EXIT(ask_nobody(), testing::ExitedWithCode(1), "the broker has gone");
}

TEST(BrokerClientDeathTest, EndsWhenTheAnswerIsNone) {
  const auto ask_a_liar = [] {
    PlayedBroker broker([](const Request&) { return RulesetLoaded{true}; });
    BrokerClient(std::move(broker.theirs)).ready();
  };
  EXPECT_EXIT(ask_a_liar(), testing::ExitedWithCode(1), "something else");
}

}  // namespace
}  // namespace ikd
