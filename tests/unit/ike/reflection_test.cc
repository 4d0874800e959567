// Phase 2 has the same keys both ways, and nothing in an Informational or a message 1 says whose it is. What
// we sent ourselves and comes back, and what was recorded as another exchange, is no news of the peer.

#include "scene.h"

namespace {

using namespace scene;

const Endpoint elsewhere{nat_b, 55555};

/// All that has left so far comes back, from wherever the listener likes.
void reflect(World& w, std::size_t first = 0) {
  const auto left = w.left();
  for (auto d = left.begin() + static_cast<std::ptrdiff_t>(first); d != left.end(); ++d)
    if (d->from.port == 4500) w.inject(elsewhere, d->from, d->bytes);
}

TEST(Reflection, QuestionsOfOursDoNotMoveThePeer) {
  Connected c;
  c.client.stop_answering_dpd();
  c.world.run(100s);
  const auto* peer = c.world.peer_of(c.client);
  const auto place = peer->remote;
  const auto heard = peer->last_heard;
  const auto answered = c.world.left().size();
  reflect(c.world);
  EXPECT_EQ(peer->remote, place);
  EXPECT_EQ(peer->last_heard, heard);
  EXPECT_EQ(c.world.engine().counters().moves, 0u);
  EXPECT_EQ(c.world.left().size(), answered) << "nor are they answered";
}

TEST(Reflection, QuestionsOfOursKeepNobodyAlive) {
  Connected c;
  c.client.stop_answering_dpd();
  for (int i = 0; i < 40; ++i) {
    c.world.run(10s);
    reflect(c.world);
  }
  EXPECT_EQ(c.world.kernel().events_of(EventKind::peer_silent), 1u);
  EXPECT_THAT(c.world.engine().peers(), IsEmpty());
}

TEST(Reflection, QuickModeOfOursIsNoneOfThePeers) {
  Connected c;
  const auto* peer = c.world.peer_of(c.client);
  c.world.engine().nearly_expired(peer->inbound_id(peer->active()->in), c.world.now());
  const auto first = c.world.left().size();
  c.world.run(45s);  // this client answers none: it is given up and forgotten
  EXPECT_EQ(c.world.kernel().events_of(EventKind::rekey_failed), 1u);
  const auto heard = peer->last_heard;
  const auto refused = c.world.kernel().events_of(EventKind::quick_mode_refused);
  reflect(c.world, first);
  EXPECT_EQ(peer->last_heard, heard);
  EXPECT_EQ(c.world.engine().counters().moves, 0u);
  EXPECT_EQ(c.world.kernel().events_of(EventKind::quick_mode_refused), refused);
}

TEST(Reflection, RecordedInformationalThatIsCalledAQuickModeKeepsNobodyAlive) {
  Connected c;
  c.client.r_u_there(1);
  c.world.run(1s);
  auto recorded = c.world.arrived().back();
  recorded.bytes[4 + 18] = static_cast<std::uint8_t>(ike::v1::Exchange::quick_mode);
  c.client.stop_answering_dpd();
  for (int i = 0; i < 40; ++i) {
    c.world.run(10s);
    c.world.inject(recorded.from, recorded.to, recorded.bytes);
  }
  EXPECT_EQ(c.world.kernel().events_of(EventKind::peer_silent), 1u);
  EXPECT_THAT(c.world.engine().peers(), IsEmpty());
}

}  // namespace
