// Many pre-shared keys on one listener: which of them protects message 5, and what finding it may cost.

#include "scene.h"

namespace {

using namespace scene;
using harness::Psk;
using ike::LastHits;
using ike::TrialBudget;
using ::testing::EndsWith;

std::vector<Psk> crowd(std::size_t count) {
  std::vector<Psk> out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto number = std::to_string(i);
    out.push_back({"user" + number, "secret of user" + number});
  }
  return out;
}

WorldSettings crowded(std::size_t count = 1000) {
  auto ws = cheap();
  ws.kernel.psks = crowd(count);
  ws.kernel.skeyid_batch = 64;
  return ws;
}

InitiatorSettings user(std::size_t number, std::uint8_t last = 2) {
  auto s = host(last);
  s.psk = "secret of user" + std::to_string(number);
  return s;
}

TEST(ManyPsks, EachClientIsKnownByItsOwn) {
  World w(crowded());
  NatBox nat(nat_a);
  const std::size_t numbers[] = {0, 63, 64, 500, 999};
  std::uint8_t last = 2;
  for (const auto number : numbers) {
    auto& client = w.add(user(number, last++), &nat);
    client.connect(w.now());
    w.run(1s);
    ASSERT_NE(w.peer_of(client), nullptr) << number;
    EXPECT_EQ(w.peer_of(client)->authentication.name, "user" + std::to_string(number));
    EXPECT_EQ(w.disagreement(client), "");
  }
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST(ManyPsks, NoMoreAreTriedThanItTakes) {
  World w(crowded());
  NatBox nat(nat_a);
  auto& client = w.add(user(70), &nat);
  client.connect(w.now());
  w.run(1s);
  ASSERT_EQ(w.disagreement(client), "");
  EXPECT_EQ(w.kernel().derived_skeyids(), 128u) << "the second batch of 64 has it";
}

TEST(ManyPsks, WhatFitTheAddressBeforeIsTriedFirst) {
  World w(crowded());
  NatBox nat(nat_a);
  for (const std::size_t number : {900u, 950u}) {
    w.add(user(number, static_cast<std::uint8_t>(number - 890)), &nat).connect(w.now());
    w.run(1s);
  }
  const auto before = w.kernel().derived_skeyids();
  auto& again = w.add(user(900, 80), &nat);
  again.connect(w.now());
  w.run(1s);
  EXPECT_EQ(w.disagreement(again), "");
  EXPECT_EQ(w.kernel().derived_skeyids(), before + 2);
  // Another address begins from the start.
  NatBox other(nat_b);
  auto& moved = w.add(user(900, 81), &other);
  moved.connect(w.now());
  w.run(1s);
  EXPECT_EQ(w.disagreement(moved), "");
  EXPECT_GT(w.kernel().derived_skeyids(), before + 900);
}

TEST(ManyPsks, NewAndOldSecretAreBothGoodDuringARotation) {
  auto ws = cheap();
  ws.kernel.psks = {{"family", "new secret"}, {"family", "old secret"}};
  World w(ws);
  NatBox nat(nat_a);
  auto s = host(2);
  s.psk = "new secret";
  auto& changed = w.add(s, &nat);
  s = host(3);
  s.psk = "old secret";
  auto& late = w.add(s, &nat);
  changed.connect(w.now());
  late.connect(w.now());
  w.run(2s);
  EXPECT_EQ(w.disagreement(changed), "");
  EXPECT_EQ(w.disagreement(late), "");
  EXPECT_EQ(to_string(w.peer_of(changed)->authentication), "PSK family");
  EXPECT_EQ(to_string(w.peer_of(late)->authentication), "PSK family (secret 2)");
}

TEST(ManyPsks, WhoStillUsesTheOldSecretIsNamedWhenItComesAndWheneverItRenews) {
  for (const auto* secret : {"new secret", "old secret"}) {
    const bool old = secret == std::string_view("old secret");
    auto ws = cheap();
    ws.kernel.psks = {{"family", "new secret"}, {"family", "old secret"}};
    auto s = host();
    s.psk = secret;
    Connected c(ws, s);
    EXPECT_THAT(c.world.kernel().told(EventKind::peer_up),
                EndsWith(old ? ", PSK family (secret 2)" : ", PSK family"));
    EXPECT_EQ(c.world.kernel().events_of(EventKind::old_secret), 0u) << "that line has said it";
    c.client.rekey_ike(c.world.now());
    c.world.run(2s);
    ASSERT_EQ(c.client.isakmp_sas(), 2u);
    EXPECT_EQ(c.world.kernel().told(EventKind::old_secret), old ? "PSK family (secret 2)" : "");
  }
}

TEST(ManyPsks, WrongKeyIsRefusedOnceAndItsRepetitionsCostNothing) {
  World w(crowded());
  NatBox nat(nat_a);
  auto s = host();
  s.psk = "guessed";
  auto& client = w.add(s, &nat);
  client.connect(w.now());
  w.run(20s);
  EXPECT_FALSE(client.ike_up());
  EXPECT_EQ(w.kernel().derived_skeyids(), 1000u) << "its retransmissions are the same bytes";
  EXPECT_EQ(w.engine().counters().authentication_failures, 1u);
  EXPECT_EQ(w.kernel().events_of(EventKind::authentication_failed), 1u);
  w.run(15s);
  EXPECT_EQ(w.engine().half_open(), 0u);
}

TEST(ManyPsks, SourceThatOnlyGuessesRunsOutOfBudgetAndOthersDoNot) {
  auto ws = crowded(10000);
  ws.kernel.skeyid_batch = 1000;
  World w(ws);
  NatBox guessers(nat_b), nat(nat_a);
  for (std::uint8_t i = 0; i < 8; ++i) {
    auto s = host(static_cast<std::uint8_t>(10 + i));
    s.psk = "guessed";
    w.add(s, &guessers).connect(w.now());
  }
  w.run(1s);
  const auto spent = w.kernel().derived_skeyids();
  EXPECT_GE(spent, TrialBudget::burst);
  EXPECT_LE(spent, TrialBudget::burst + 8 * 1000 + TrialBudget::per_second);
  EXPECT_GT(w.dropped(DropReason::psk_trial_limit), 0u);
  auto& client = w.add(user(9999), &nat);
  client.connect(w.now());
  w.run(1s);
  EXPECT_EQ(w.disagreement(client), "");
}

TEST(ManyPsks, WhatTheBudgetInterruptedGoesOnWithTheNextRepetition) {
  auto ws = crowded(10000);
  ws.kernel.skeyid_batch = 1000;
  World w(ws);
  NatBox nat(nat_a);
  for (std::uint8_t i = 0; i < 5; ++i) {
    auto s = host(static_cast<std::uint8_t>(10 + i));
    s.psk = "guessed";
    w.add(s, &nat).connect(w.now());
  }
  w.run(1s);  // which uses up everything
  auto& client = w.add(user(9500), &nat);
  client.connect(w.now());
  w.run(1s);
  EXPECT_FALSE(client.ike_up());
  w.run(4s);
  EXPECT_EQ(w.disagreement(client), "") << "two seconds buy the 10,000";
}

TEST(ManyPsks, CrowdThatHoldsKeysNeverRunsOut) {
  auto ws = crowded(10000);
  ws.kernel.skeyid_batch = 1000;
  World w(ws);
  NatBox nat(nat_a);
  std::vector<Initiator*> clients;
  for (std::uint8_t i = 0; i < 20; ++i) {
    clients.push_back(&w.add(user(9000u + i, static_cast<std::uint8_t>(10 + i)), &nat));
    clients.back()->connect(w.now());
    w.run(100ms);
  }
  for (const auto* client : clients) EXPECT_EQ(w.disagreement(*client), "");
  EXPECT_EQ(w.dropped(DropReason::psk_trial_limit), 0u);
}

TEST(ManyPsks, AnotherMessage5MeanwhileDisturbsNothing) {
  auto ws = crowded();
  ws.kernel.skeyid_delay = 50ms;
  World w(ws);
  NatBox nat(nat_a);
  auto& client = w.add(user(999), &nat);
  client.connect(w.now());
  w.run(100ms);  // message 5 is in
  const auto true_one = w.arrived().back();
  auto forged = true_one;
  forged.bytes.back() ^= 1;
  w.inject(forged.from, forged.to, forged.bytes);
  EXPECT_EQ(w.dropped(DropReason::wrong_state), 1u);
  const auto duplicates = w.engine().counters().duplicates;
  w.inject(true_one.from, true_one.to, true_one.bytes);
  EXPECT_EQ(w.engine().counters().duplicates, duplicates + 1);
  w.run(3s);
  EXPECT_EQ(w.disagreement(client), "");
}

TEST(ManyPsks, ClientThatGaveUpMeanwhileLeavesNothing) {
  auto ws = crowded();
  ws.kernel.skeyid_delay = 10s;
  World w(ws);
  NatBox nat(nat_a);
  w.add(user(999), &nat).connect(w.now());
  w.run(80s);
  EXPECT_TRUE(w.nothing_left());
}

TEST(TrialBudget, FillsUpAgainAndForgetsWhoIsFull) {
  TrialBudget budget;
  const base::Time start{1h};
  EXPECT_TRUE(budget.spend(nat_a, TrialBudget::burst, start));
  EXPECT_FALSE(budget.spend(nat_a, 1, start));
  EXPECT_TRUE(budget.spend(nat_b, 1, start)) << "another address has its own";
  EXPECT_TRUE(budget.spend(nat_a, TrialBudget::per_second, start + 1s));
  EXPECT_FALSE(budget.spend(nat_a, 1, start + 1s));
  budget.refund(nat_a, 10);
  EXPECT_TRUE(budget.spend(nat_a, 10, start + 1s));
  EXPECT_FALSE(budget.spend(nat_a, 1, start + 1s));
  budget.refund(nat_a, 10 * TrialBudget::burst);
  EXPECT_FALSE(budget.spend(nat_a, TrialBudget::burst + 1, start + 1s)) << "never more than full";
  EXPECT_EQ(budget.size(), 2u);
  EXPECT_TRUE(budget.spend(stranger, 1, start + 20s));
  EXPECT_EQ(budget.size(), 1u);
}

TEST(TrialBudget, ALinkIsOneSourceHoweverManyAddressesItHas) {
  TrialBudget budget;
  LastHits hits;
  const base::Time start{1h};
  const auto first = *Address::parse("2001:db8:0:1::1"), second = *Address::parse("2001:db8:0:1:ffff::2"),
             elsewhere = *Address::parse("2001:db8:0:2::1");
  EXPECT_TRUE(budget.spend(first, TrialBudget::burst, start));
  EXPECT_FALSE(budget.spend(second, 1, start));
  EXPECT_TRUE(budget.spend(elsewhere, 1, start));
  budget.refund(second, 1);
  EXPECT_TRUE(budget.spend(first, 1, start));
  hits.add(first, "home");
  EXPECT_THAT(hits.of(second), ::testing::ElementsAre("home"));
  EXPECT_THAT(hits.of(elsewhere), IsEmpty());
}

TEST(LastHits, KnowsTheNewestNamesOfTheNewestAddresses) {
  LastHits hits;
  EXPECT_THAT(hits.of(nat_a), IsEmpty());
  for (std::size_t i = 0; i < LastHits::most_names + 1; ++i) hits.add(nat_a, std::to_string(i));
  hits.add(nat_a, "5");
  const auto names = hits.of(nat_a);
  EXPECT_THAT(names, SizeIs(LastHits::most_names));
  EXPECT_EQ(names.front(), "5");
  EXPECT_EQ(std::ranges::count(names, "0"), 0) << "the oldest made room";
  for (std::uint32_t i = 0; i < LastHits::most_addresses; ++i) hits.add(Address::v4(0x0a000000 + i), "x");
  EXPECT_EQ(hits.size(), LastHits::most_addresses);
  EXPECT_THAT(hits.of(nat_a), IsEmpty());
}

}  // namespace
