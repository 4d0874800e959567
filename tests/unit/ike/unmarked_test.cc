// For an L2TP daemon that knows nothing of marks: outbound SAs and policies are found by the alias alone,
// and everything else is as ever.

#include "scene.h"

namespace {

using namespace scene;

WorldSettings unmarked() {
  auto s = cheap();
  s.engine.numbering.lookup = s.kernel.lookup = ike::OutboundLookup::alias;
  return s;
}

TEST(Unmarked, WhatGoesToAnAliasNeedsNoMarkAndWhatComesFromThePeerGetsOne) {
  Connected c(unmarked());
  const auto* peer = c.world.peer_of(c.client);
  ASSERT_NE(peer, nullptr);
  EXPECT_EQ(c.world.disagreement(c.client), "");
  const auto* in = c.world.kernel().inbound(c.client.children()[0].out);
  EXPECT_EQ(in->set_mark, (xfrm::MaskedMark{peer->mark.value, c.world.engine().numbering().mask}));
  const auto* out = c.world.kernel().outbound(peer->mark, c.client.children()[0].in);
  EXPECT_FALSE(out->mark);
  EXPECT_EQ(out->destination, peer->alias);
  ASSERT_THAT(c.world.kernel().policies(), SizeIs(1));
  EXPECT_FALSE(c.world.kernel().policies().begin()->second.mark);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Unmarked, TwoClientsBehindOneNatHaveSasOfTheirOwnAndLeaveNothing) {
  World w(unmarked());
  NatBox nat(nat_a);
  auto& first = w.add(host(2), &nat);
  auto& second = w.add(host(3), &nat);
  for (auto* client : {&first, &second}) client->connect(w.now());
  w.run(3s);
  EXPECT_EQ(w.disagreement(first) + w.disagreement(second), "");
  EXPECT_THAT(w.kernel().policies(), SizeIs(2));
  EXPECT_THAT(w.kernel().imbalances(), IsEmpty());
  for (auto* client : {&first, &second}) {
    client->delete_esp(client->children()[0].in);
    client->delete_isakmp();
  }
  w.run(1s);
  EXPECT_TRUE(w.nothing_left());
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST(Unmarked, RekeyReplacesTheOutboundSaAndMovesReachIt) {
  Connected c(unmarked());
  const auto old = spis_of(c.client);
  const auto mark = c.world.peer_of(c.client)->mark;
  c.client.quick_mode(c.world.now());
  c.world.run(2s);
  EXPECT_EQ(c.world.disagreement(c.client, 1), "");
  EXPECT_EQ(c.world.kernel().outbound(mark, old.in), nullptr);
  const auto* peer = c.world.peer_of(c.client, 1);
  const auto fresh = spis_of(c.client, 1);
  c.world.engine().mapped({.sa = peer->inbound_id(fresh.out),
                           .reqid = peer->reqid(),
                           .old_source = peer->remote,
                           .new_source = {nat_a, 55555}},
                          c.world.now());
  c.world.pump();
  EXPECT_EQ(c.world.kernel().outbound(mark, fresh.in)->encap,
            (xfrm::Encap{.source_port = 4500, .destination_port = 55555}));
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Unmarked, TheKernelsNewsOfAnOutboundSaReachItsPeerAndNobodyElse) {
  Connected c(unmarked());
  const auto* peer = c.world.peer_of(c.client);
  const auto gone = peer->outbound_id(*peer->active());
  auto elsewhere = gone;
  elsewhere.destination = Address::v4(peer->alias.v4_value() + 1);
  auto marked = gone;
  marked.mark = xfrm::MaskedMark{peer->mark.value, c.world.engine().numbering().mask};
  for (const auto& id : {elsewhere, marked}) c.world.engine().expired(id, c.world.now());
  c.world.pump();
  EXPECT_EQ(c.world.kernel().events_of(EventKind::sa_expired), 0u);
  c.world.kernel().expire(gone);
  c.world.engine().expired(gone, c.world.now());
  c.world.pump();
  EXPECT_EQ(c.world.kernel().events_of(EventKind::sa_expired), 1u);
  EXPECT_EQ(c.world.kernel().sas().size(), 0u);
}

}  // namespace
