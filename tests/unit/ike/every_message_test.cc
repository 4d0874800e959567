// Each message of each exchange, and each pair of them, is lost, doubled or overtaken once: both sides end
// alike, and after the last Delete nothing is left.

#include "fates.h"
#include "ways.h"

namespace {

using namespace scene;
using fates::each_single_and_each_pair;
using harness::Fate;

/// Nobody speaks but for a reason.
WorldSettings without_dpd(Way way) {
  auto ws = world_of(way);
  ws.engine.dpd = ws.engine.silence_timeout = 0s;
  return ws;
}

/// A part of a connection's life: what the client does, and how many datagrams that takes in calm weather.
struct Part {
  const char* name;
  std::size_t messages;
  void (*act)(Initiator&, base::Time);
  std::size_t pairs;  ///< of SAs that the client has at the end
  Way way = Way::psk;
  harness::Deletes deletes = harness::Deletes::at_hang_up;
};

InitiatorSettings client_of(const Part& part) {
  auto s = scene::client_of(part.way);
  s.deletes = part.deletes;
  return s;
}
// Of Main Mode eight: from port 500 it is asked whether it is who was there (IsakmpSa::claim).
class EveryMessage : public ::testing::TestWithParam<Part> {};

void live(const Part& part, const std::map<std::size_t, Fate>& happening) {
  Connected c(without_dpd(part.way), client_of(part));
  auto& w = c.world;
  w.run(70s);  // what the first Quick Mode left is forgotten
  const auto first = w.network().sent();
  for (const auto& [number, fate] : happening) w.network().fates[first + number] = fate;
  part.act(c.client, w.now());
  w.run(50s);
  EXPECT_TRUE(c.client.ike_up());
  EXPECT_THAT(w.complaints(), IsEmpty());
  EXPECT_THAT(w.kernel().imbalances(), IsEmpty());
  ASSERT_THAT(c.client.children(), SizeIs(part.pairs));
  EXPECT_EQ(w.kernel().outbound_sas(), 1u);
  // Of two at once either may be the one that is used: the last whose message 3 came.
  bool agreed = false;
  for (std::size_t i = 0; i < part.pairs; ++i) agreed = agreed || w.disagreement(c.client, i).empty();
  EXPECT_TRUE(agreed);
  EXPECT_THAT(w.engine().peers(), SizeIs(1));
  w.network().fates.clear();
  c.client.hang_up();
  // Where its Delete of an old pair was lost, that goes when its time is over.
  w.run(part.deletes == harness::Deletes::old_pair_too ? 3600s : 60s);
  EXPECT_TRUE(w.nothing_left());
  EXPECT_THAT(w.complaints(), IsEmpty());
}

void connect_with(Way way, const std::map<std::size_t, Fate>& happening) {
  World w(world_of(way));
  NatBox nat(nat_a);
  auto& client = w.add(scene::client_of(way), &nat);
  w.network().fates = happening;
  client.connect(w.now());
  w.run(60s);
  EXPECT_THAT(w.complaints(), IsEmpty());
  EXPECT_THAT(w.kernel().imbalances(), IsEmpty());
  EXPECT_EQ(w.disagreement(client), "");
  EXPECT_THAT(w.engine().peers(), SizeIs(1));
  EXPECT_EQ(w.engine().half_open(), 0u);
  EXPECT_EQ(w.kernel().sas().size(), 2u);
}

void every_message_of_a_connection(Way way, std::size_t messages) {
  World calm(world_of(way));
  NatBox nat(nat_a);
  calm.add(scene::client_of(way), &nat).connect(calm.now());
  calm.run(60s);
  ASSERT_EQ(calm.network().sent(), messages);
  each_single_and_each_pair(messages, [way](const auto& happening) { connect_with(way, happening); });
}

// Six of Main Mode or three of Aggressive Mode, and three of Quick Mode. (A rekey in Aggressive Mode is not
// among the parts: where its message 3 is lost and nothing follows, the client alone believes in it.)
TEST(EveryMessage, OfAConnectionFromMainModeToQuickMode) { every_message_of_a_connection(Way::psk, 9); }
TEST(EveryMessage, OfAConnectionWithSignatures) { every_message_of_a_connection(Way::certificate, 9); }
TEST(EveryMessage, OfAConnectionFromAggressiveModeToQuickMode) {
  every_message_of_a_connection(Way::aggressive, 6);
}

TEST_P(EveryMessage, AndEachPair) {
  const auto& part = GetParam();
  Connected calm(without_dpd(part.way), client_of(part));
  calm.world.run(70s);
  const auto before = calm.world.network().sent();
  part.act(calm.client, calm.world.now());
  calm.world.run(50s);
  ASSERT_EQ(calm.world.network().sent() - before, part.messages);
  each_single_and_each_pair(part.messages, [&](const auto& happening) { live(part, happening); });
}

INSTANTIATE_TEST_SUITE_P(
    Of, EveryMessage,
    ::testing::Values(Part{"QuickMode", 3, [](Initiator& c, base::Time now) { c.quick_mode(now); }, 2},
                      Part{"QuickModeAndTheDeleteOfTheOldPair", 4,
                           [](Initiator& c, base::Time now) { c.quick_mode(now); }, 1, Way::psk,
                           harness::Deletes::old_pair_too},
                      Part{"TwoQuickModesAtOnce", 6,
                           [](Initiator& c, base::Time now) {
                             c.quick_mode(now);
                             c.quick_mode(now);
                           },
                           3},
                      Part{"MainMode", 8, [](Initiator& c, base::Time now) { c.rekey_ike(now); }, 1},
                      Part{"MainModeWithSignatures", 6,
                           [](Initiator& c, base::Time now) { c.rekey_ike(now); }, 1, Way::certificate},
                      Part{"Informational", 4,
                           [](Initiator& c, base::Time) {
                             c.r_u_there(1);
                             c.r_u_there(2);
                           },
                           1}),
    [](const auto& row) { return std::string(row.param.name); });

/// Two pairs and two ISAKMP SAs, which is one Delete for each; nobody answers them. What a lost one leaves is
/// asked whether it is there, or silent for too long.
void hang_up(const std::map<std::size_t, Fate>& happening) {
  Connected c;
  auto& w = c.world;
  c.client.rekey_ike(w.now());
  w.run(2s);
  c.client.quick_mode(w.now());
  w.run(2s);
  ASSERT_EQ(c.client.isakmp_sas(), 2u);
  ASSERT_THAT(c.client.children(), SizeIs(2));
  const auto first = w.network().sent();
  for (const auto& [number, fate] : happening) w.network().fates[first + number] = fate;
  c.client.hang_up();
  w.pump();
  EXPECT_EQ(w.network().sent() - first, 4u);
  w.run(40s);
  // One that comes late may come after that of the ISAKMP SA under which it was to be read.
  const bool in_order =
      std::ranges::all_of(happening, [](const auto& f) { return f.second == Fate::doubled; });
  EXPECT_TRUE(!in_order || w.nothing_left());
  w.run(900s);
  EXPECT_TRUE(w.nothing_left());
  EXPECT_EQ(w.kernel().events_of(EventKind::peer_gone), 1u);
  EXPECT_THAT(w.kernel().imbalances(), IsEmpty());
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST(EveryMessage, OfAClientThatHangsUp) { each_single_and_each_pair(4, hang_up); }

/// Our R-U-THERE and its answer, three times over, to a client from which nothing else comes.
void ask(const std::map<std::size_t, Fate>& happening) {
  Connected c;
  auto& w = c.world;
  const auto first = w.network().sent();
  for (const auto& [number, fate] : happening) w.network().fates[first + number] = fate;
  w.run(1000s);
  EXPECT_GE(w.network().sent() - first, 6u);
  EXPECT_EQ(w.disagreement(c.client), "");
  EXPECT_EQ(w.kernel().events_of(EventKind::peer_silent), 0u);
  EXPECT_THAT(w.complaints(), IsEmpty());
  c.client.stop_answering_dpd();
  w.run(400s);
  EXPECT_EQ(w.kernel().events_of(EventKind::peer_silent), 1u);
  EXPECT_TRUE(w.nothing_left());
}

TEST(EveryMessage, OfOurQuestionsWhetherSomebodyIsThere) { each_single_and_each_pair(6, ask); }

}  // namespace
