// Who may begin a Main Mode, as bare bookkeeping.

#include "ike/admission.h"

#include <deque>
#include <map>
#include <set>

#include <gmock/gmock.h>

#include "ike/engine.h"

namespace {

using namespace std::chrono_literals;
using base::Address;
using ike::Admission;
using ike::AnswerBudget;
using ike::PeerNumber;
using ike::SaNumber;
using ike::TokenBucket;

constexpr base::Time start{1h};
const auto cgnat = Address::v4(0xc6336401);  // 198.51.100.1
const auto other = Address::v4(0xcb007109);  // 203.0.113.9

/// The `n`th address of as many different prefixes.
Address anywhere(std::uint32_t n) { return Address::v4(0x0a000001 + (n << 8)); }

/// Admission with numbers of its own for those it lets in.
struct Door {
  explicit Door(std::size_t capacity) : admission(capacity) {}

  Admission admission;
  std::uint64_t last = 0;
  std::set<SaNumber> inside;

  std::optional<SaNumber> knock(const Address& from, base::Time now) {
    const auto decision = admission.may_begin(from, now);
    if (!decision.admitted) return std::nullopt;
    if (decision.instead_of) leave(*decision.instead_of);
    const SaNumber number(++last);
    admission.begin(number, from);
    inside.insert(number);
    return number;
  }
  bool compute(SaNumber sa, const Address& from, base::Time now) {
    const bool admitted = begin_to_compute(sa, from, now);
    if (admitted) admission.computed(sa, now);
    return admitted;
  }
  bool begin_to_compute(SaNumber sa, const Address& from, base::Time now) {
    const auto decision = admission.may_compute(sa, from, now);
    if (decision.admitted && decision.instead_of) leave(*decision.instead_of);
    return decision.admitted;
  }
  void leave(SaNumber sa) {
    admission.end(sa);
    inside.erase(sa);
  }
  void establish(const Address& at, std::uint32_t peers, std::uint32_t first = 1) {
    for (std::uint32_t i = 0; i < peers; ++i) admission.established(PeerNumber(first + i), at);
  }
  /// So many a second from `from(n)` for a second; how many came in.
  template <class From>
  std::size_t flood(std::uint32_t a_second, From from, base::Time now) {
    std::size_t out = 0;
    for (std::uint32_t n = 0; n < a_second; ++n)
      out += knock(from(n), now + base::Duration(1s) * n / a_second).has_value();
    return out;
  }
};

TEST(TokenBucket, GivesItsBurstAtOnceAndItsRateAfterwards) {
  TokenBucket bucket;
  int given = 0;
  while (bucket.take(2, 10, start)) ++given;
  EXPECT_EQ(given, 10);
  EXPECT_FALSE(bucket.take(2, 10, start + 400ms));
  EXPECT_TRUE(bucket.take(2, 10, start + 500ms));
  EXPECT_FALSE(bucket.take(2, 10, start + 600ms));
  given = 0;
  while (bucket.take(2, 10, start + 1h)) ++given;
  EXPECT_EQ(given, 10) << "no more than the burst, however long it waited";
}

TEST(AnswerBudget, IsThreeTimesTheQuestionAndThenNothing) {
  AnswerBudget budget;
  EXPECT_FALSE(budget.take(1)) << "nothing came";
  budget.received(100);
  EXPECT_TRUE(budget.take(200));
  EXPECT_FALSE(budget.take(101));
  EXPECT_TRUE(budget.take(100));
  EXPECT_FALSE(budget.take(1));
  budget.received(1);
  EXPECT_TRUE(budget.take(3));
}

TEST(AnswerBudget, ManySmallAnswersEndToo) {
  AnswerBudget budget;
  int answers = 0;
  for (int i = 0; i < 1000; ++i) {
    budget.received(100);
    answers += budget.take(50);
  }
  EXPECT_EQ(answers, 24);
  budget.lift();
  EXPECT_TRUE(budget.take(100000)) << "it has authenticated itself";
}

TEST(Admission, WhereThereIsRoomEverybodyMayBegin) {
  Door door(1000);
  for (int i = 0; i < 500; ++i) EXPECT_TRUE(door.knock(cgnat, start)) << i;
  EXPECT_EQ(door.admission.half_open(), 500u);
}

TEST(Admission, CapacityIsNeverExceeded) {
  Door door(40);
  for (std::uint32_t second = 0; second < 60; ++second) {
    door.flood(1000, anywhere, start + second * 1s);
    ASSERT_LE(door.admission.half_open(), 40u);
  }
  for (const auto sa : std::set(door.inside)) door.leave(sa);
  EXPECT_EQ(door.admission.half_open(), 0u);
}

TEST(Admission, WhoIsLetInDuringAFloodKeepsItsPlaceForARoundTrip) {
  Door door(1000);
  door.flood(20000, anywhere, start);
  std::optional<SaNumber> honest;
  auto now = start + 1s;
  for (; !honest; now += 1ms) honest = door.knock(other, now);
  for (int i = 0; i < 1000; ++i) door.knock(anywhere(static_cast<std::uint32_t>(i)), now + 1ms * i);
  EXPECT_TRUE(door.inside.contains(*honest)) << "its message 3 is still awaited a second later";
  EXPECT_TRUE(door.compute(*honest, other, now + 1s));
}

TEST(Admission, OnePrefixDoesNotUseUpTheRateOfAll) {
  Door door(1000);
  for (std::uint32_t second = 0; second < 10; ++second)
    door.flood(
        20000, [](std::uint32_t n) { return Address::v4(0x0a000000 + n % 256); }, start + second * 1s);
  EXPECT_TRUE(door.knock(other, start + 10s));
}

TEST(Admission, NatWithPeersIsServedDuringAFloodFromEverywhere) {
  Door door(1000);
  door.establish(cgnat, 100);
  for (std::uint32_t second = 0; second < 10; ++second) door.flood(20000, anywhere, start + second * 1s);
  std::vector<SaNumber> newcomers;
  for (int i = 0; i < 100; ++i) {
    const auto sa = door.knock(cgnat, start + 10s);
    ASSERT_TRUE(sa) << i;
    newcomers.push_back(*sa);
  }
  door.flood(20000, anywhere, start + 10s);
  for (const auto sa : newcomers) EXPECT_TRUE(door.compute(sa, cgnat, start + 11s));
}

TEST(Admission, FloodThatForgesTheNatsOwnAddressLeavesStrangersTheirRoom) {
  Door door(1000);
  door.establish(cgnat, 1000);
  for (std::uint32_t second = 0; second < 5; ++second)
    door.flood(
        20000, [](std::uint32_t) { return cgnat; }, start + second * 1s);
  std::optional<SaNumber> honest;
  auto now = start + 5s;
  for (; !honest && now < start + 6s; now += 1ms) honest = door.knock(other, now);
  ASSERT_TRUE(honest);
  door.flood(
      20000, [](std::uint32_t) { return cgnat; }, now);
  EXPECT_TRUE(door.compute(*honest, other, now + 1s));
}

TEST(Admission, NeighboursOfACrowdHaveSharesOfTheirOwn) {
  Door door(400);
  std::size_t computed = 0;
  for (std::uint32_t i = 0; i < 190; ++i) {
    const auto sa = door.knock(cgnat, start);
    computed += sa && door.compute(*sa, cgnat, start);
  }
  EXPECT_EQ(computed, 100u);
  const auto neighbour = Address::v4(0xc6336402);
  const auto sa = door.knock(neighbour, start);
  EXPECT_TRUE(sa && door.compute(*sa, neighbour, start));
}

TEST(Admission, AddressesOfOnePrefixHaveHalfTheTable) {
  Door door(400);
  std::size_t computed = 0;
  for (std::uint32_t i = 0; i < 400; ++i) {
    const auto address = Address::v4(0xc6336400 + i % 256);
    const auto sa = door.knock(address, start);
    computed += sa && door.compute(*sa, address, start);
  }
  EXPECT_EQ(computed, 200u);
}

TEST(Admission, AddressGetsAShareOfTheDiffieHellmanThatGrowsWithItsPeers) {
  const auto computed = [](std::uint32_t peers) {
    Door door(400);
    door.establish(cgnat, peers);
    std::size_t out = 0;
    for (int i = 0; i < 190; ++i) {
      const auto sa = door.knock(cgnat, start);
      out += sa && door.compute(*sa, cgnat, start);
    }
    return out;
  };
  EXPECT_EQ(computed(0), 100u) << "a quarter";
  EXPECT_EQ(computed(50), 150u);
}

TEST(Admission, ShareFollowsTheAddressThatWasProvedNotTheOneOfMessage1) {
  Door door(40);
  for (std::uint32_t i = 0; i < 15; ++i) {
    const auto sa = door.knock(anywhere(i), start);
    EXPECT_EQ(door.compute(*sa, cgnat, start), i < 10);
  }
}

TEST(Admission, WhoDoesNotFollowUpItsDiffieHellmanMakesRoomAfterFiveSeconds) {
  Door door(40);
  std::vector<SaNumber> idle;
  for (int i = 0; i < 10; ++i) {
    idle.push_back(*door.knock(cgnat, start));
    EXPECT_TRUE(door.compute(idle.back(), cgnat, start));
  }
  auto late = door.knock(cgnat, start + 4s);
  EXPECT_FALSE(door.compute(*late, cgnat, start + 4s));
  EXPECT_TRUE(door.compute(*late, cgnat, start + 5s));
  EXPECT_FALSE(door.inside.contains(idle[0]));
  EXPECT_TRUE(door.inside.contains(idle[1]));
}

TEST(Admission, WhoWaitsForOurDiffieHellmanIsNotMadeToLeave) {
  Door door(40);
  std::vector<SaNumber> waiting;
  for (int i = 0; i < 10; ++i) {
    waiting.push_back(*door.knock(cgnat, start));
    EXPECT_TRUE(door.begin_to_compute(waiting.back(), cgnat, start));
  }
  const auto late = door.knock(cgnat, start + 20s);
  EXPECT_FALSE(door.compute(*late, cgnat, start + 20s));
  door.admission.computed(waiting[0], start + 20s);
  EXPECT_FALSE(door.compute(*late, cgnat, start + 24s));
  EXPECT_TRUE(door.compute(*late, cgnat, start + 25s));
  EXPECT_FALSE(door.inside.contains(waiting[0]));
  EXPECT_TRUE(door.inside.contains(waiting[1]));
}

TEST(Admission, WhoWasPutOffMayAskAgainAndOnce) {
  Door door(40);
  const auto sa = *door.knock(cgnat, start);
  EXPECT_TRUE(door.begin_to_compute(sa, cgnat, start));
  EXPECT_FALSE(door.begin_to_compute(sa, cgnat, start)) << "it is being computed";
  door.admission.put_off(sa, start);
  EXPECT_TRUE(door.begin_to_compute(sa, cgnat, start + 3s));
  EXPECT_FALSE(door.begin_to_compute(sa, cgnat, start + 3s));
  // And keeps its place while it waits for us.
  for (int i = 0; i < 9; ++i) {
    const auto neighbour = *door.knock(cgnat, start + 3s);
    EXPECT_TRUE(door.begin_to_compute(neighbour, cgnat, start + 3s));
  }
  const auto late = *door.knock(cgnat, start + 10s);
  EXPECT_FALSE(door.begin_to_compute(late, cgnat, start + 10s));
}

TEST(Admission, UnprovenDiffieHellmanOfStrangersTakesNothingFromThoseWithPeers) {
  Admission admission(1000);
  for (std::uint32_t i = 0; i < 20; ++i) admission.established(PeerNumber(1 + i), cgnat);
  for (std::uint32_t i = 0; i < 10; ++i) admission.established(PeerNumber(101 + i), other);
  const auto computed = [&](std::uint32_t times, const auto& from) {
    std::size_t out = 0;
    for (std::uint32_t i = 0; i < times; ++i) out += admission.may_compute_unproven(from(i), start);
    return out;
  };
  EXPECT_EQ(computed(500, anywhere), 100u);
  EXPECT_EQ(computed(500, [](std::uint32_t) { return cgnat; }), 28u) << "it grows with its peers";
  EXPECT_EQ(computed(1, [](std::uint32_t) { return other; }), 1u);
}

TEST(Admission, TableOfThoseWhoWaitForUsAdmitsNobody) {
  Door door(40);
  for (std::uint32_t i = 0; i < 40; ++i) {
    const auto sa = door.knock(anywhere(i), start + i * 50ms);
    ASSERT_TRUE(sa && door.begin_to_compute(*sa, anywhere(i), start + i * 50ms)) << i;
  }
  EXPECT_FALSE(door.knock(other, start + 20s));
  EXPECT_EQ(door.inside.size(), 40u);
}

/// After the gateway's restart everybody behind one NAT, or each behind its own, comes back at the same
/// moment, to a host that takes 8 ms for each. How many are up before a client gives up.
std::size_t served_in_a_storm(std::uint32_t clients, bool one_nat) {
  Door door(ike::Settings{}.max_half_open);
  const auto at = [&](std::uint32_t client) { return one_nat ? cgnat : anywhere(client); };
  std::map<std::uint32_t, SaNumber> begun;
  std::deque<std::pair<std::uint32_t, SaNumber>> queue;
  std::size_t up = 0;
  const auto serve_until = [&](base::Time& free, base::Time end) {
    for (; !queue.empty() && free + 8ms <= end; queue.pop_front()) {
      free += 8ms;
      const auto [client, sa] = queue.front();
      if (!door.inside.contains(sa)) continue;
      door.admission.computed(sa, free);
      door.leave(sa);
      door.establish(at(client), 1, client + 1);
      ++up;
    }
    if (queue.empty()) free = std::max(free, end);
  };
  auto free = start;
  for (const auto again : {0s, 1s, 3s, 7s, 15s, 31s}) {
    const auto now = start + again;
    serve_until(free, now);
    for (std::uint32_t i = 0; i < clients; ++i) {
      if (!begun.contains(i)) {
        const auto sa = door.knock(at(i), now);
        if (!sa) continue;
        begun.emplace(i, *sa);
      } else if (!door.inside.contains(begun.at(i))) {
        continue;  // it is up, or was forgotten and its messages mean nothing any more
      }
      if (door.begin_to_compute(begun.at(i), at(i), now)) queue.emplace_back(i, begun.at(i));
    }
  }
  serve_until(free, start + 60s);
  return up;
}

TEST(Admission, StormAfterARestartIsServedToTheLast) {
  EXPECT_EQ(served_in_a_storm(2000, true), 2000u);
  EXPECT_EQ(served_in_a_storm(2000, false), 2000u);
}

TEST(Admission, RealAddressesThatFillTheTableAreReplacedInTime) {
  Door door(40);
  for (std::uint32_t i = 0; i < 40; ++i) {
    const auto sa = door.knock(anywhere(i), start + i * 50ms);
    ASSERT_TRUE(sa && door.compute(*sa, anywhere(i), start + i * 50ms)) << i;
  }
  EXPECT_FALSE(door.knock(other, start + 3s)) << "all of them are fresh";
  EXPECT_TRUE(door.knock(other, start + 6s));
}

TEST(Admission, MovedPeerSpeaksForItsNewPrefixAlone) {
  Door door(40);
  door.establish(cgnat, 20);
  door.establish(other, 20);
  door.establish(other, 20);
  std::size_t in = 0;
  for (int i = 0; i < 100; ++i) in += door.knock(other, start).has_value();
  EXPECT_GE(in, 48u) << "8 and two for each peer, beside the free half";
  for (std::uint32_t i = 1; i <= 20; ++i) door.admission.gone(PeerNumber(i));
  door.admission.gone(PeerNumber(99));
  for (const auto sa : std::set(door.inside)) door.leave(sa);
  EXPECT_EQ(door.admission.half_open(), 0u);
}

TEST(Admission, RefusalsAreFewWhenTheyAreMany) {
  Door door(40);
  int told = 0;
  for (int i = 0; i < 10000; ++i) told += door.admission.may_refuse(start + i * 1ms);
  EXPECT_GE(told, 100);
  EXPECT_LE(told, 160);
}

}  // namespace
