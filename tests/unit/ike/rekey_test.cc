// Both phases are renewed without a moment in which a packet finds no SA.

#include "harness/client_profile.h"
#include "scene.h"

namespace {

using namespace scene;

TEST(Rekey, NewPairReplacesTheOldOneOutboundAndStandsBesideItInbound) {
  Connected c;
  const auto old = spis_of(c.client);
  const auto* peer = c.world.peer_of(c.client);
  const auto mark = peer->mark;
  c.client.quick_mode(c.world.now());
  c.world.run(2s);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
  ASSERT_THAT(c.client.children(), SizeIs(2));
  EXPECT_EQ(c.world.disagreement(c.client, 1), "");
  EXPECT_NE(c.world.kernel().inbound(old.out), nullptr) << "what is under way on it must still arrive";
  EXPECT_EQ(c.world.kernel().outbound(mark, old.in), nullptr);
  EXPECT_EQ(c.world.kernel().outbound_sas(), 1u);
  EXPECT_EQ(c.world.kernel().events_of(EventKind::rekeyed), 1u);
  EXPECT_THAT(c.world.kernel().imbalances(), IsEmpty());
}

TEST(Rekey, OldOutboundSaStaysUntilTheNewOneIsIn) {
  auto ws = cheap();
  ws.kernel.install_delay = 1s;
  Connected c(ws);
  c.world.run(2s);
  const auto old = spis_of(c.client);
  const auto mark = c.world.peer_of(c.client)->mark;
  c.client.quick_mode(c.world.now());
  for (int i = 0; i < 50; ++i) {
    c.world.run(100ms);
    EXPECT_GE(c.world.kernel().outbound_sas(), 1u);
    EXPECT_GE(c.world.kernel().inbound_sas(), 1u);
  }
  EXPECT_EQ(c.world.kernel().outbound(mark, old.in), nullptr);
  EXPECT_EQ(c.world.disagreement(c.client, 1), "");
}

TEST(Rekey, OldInboundSaLingersAfterItsDelete) {
  Connected c;
  const auto old = spis_of(c.client);
  c.client.quick_mode(c.world.now());
  c.world.run(1s);
  c.client.delete_esp(old.in);
  c.world.run(5s);
  EXPECT_NE(c.world.kernel().inbound(old.out), nullptr);
  c.world.run(10s);
  EXPECT_EQ(c.world.kernel().inbound(old.out), nullptr);
  EXPECT_EQ(c.world.disagreement(c.client, 0), "");
  EXPECT_EQ(c.world.kernel().sas().size(), 2u);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Rekey, OldInboundSaThatIsNeverDeletedEndsWithItsLifetime) {
  Connected c;
  const auto old = spis_of(c.client);
  c.world.run(1800s);
  c.client.quick_mode(c.world.now());
  c.world.run(1790s);
  EXPECT_NE(c.world.kernel().inbound(old.out), nullptr);
  c.world.run(20s);
  EXPECT_EQ(c.world.kernel().inbound(old.out), nullptr);
  EXPECT_EQ(c.world.disagreement(c.client, 1), "");
}

TEST(Rekey, AnotherPortBesideItsNameMakesNobodyElseOfAClient) {
  const auto named = [](std::uint8_t protocol, std::uint16_t port) {
    return ike::v1::encode_identification({.type = ike::v1::IdType::fqdn,
                                           .protocol = protocol,
                                           .port = port,
                                           .data = base::as_bytes("laptop.example")});
  };
  auto s = host();
  s.identity = named(17, 500);
  Connected c(cheap(), s);
  for (const auto& again : {named(17, 4500), named(0, 0)}) {
    c.client.identify_as(again);
    c.client.rekey_ike(c.world.now());
    c.world.run(5s);
    c.client.quick_mode(c.world.now());
    c.world.run(5s);
    EXPECT_THAT(c.world.engine().peers(), SizeIs(1));
  }
  EXPECT_EQ(c.world.disagreement(c.client, 2), "");
}

TEST(Rekey, DeleteOfTheOldPairThatOvertakesTheNewOnesInstallationLeavesNoGap) {
  auto ws = cheap();
  ws.kernel.install_delay = 500ms;
  Connected c(ws);
  c.world.run(2s);
  const auto old = spis_of(c.client);
  c.client.quick_mode(c.world.now());
  while (c.client.children().size() < 2) c.world.run(5ms);
  c.client.delete_esp(old.in);  // right behind message 3
  for (int i = 0; i < 50; ++i) {
    c.world.run(20ms);
    EXPECT_GE(c.world.kernel().outbound_sas(), 1u);
    ASSERT_NE(c.world.kernel().inbound(old.out), nullptr) << "it lingers";
  }
  EXPECT_EQ(c.world.kernel().events_of(EventKind::sa_deleted), 0u);
  c.world.run(20s);
  EXPECT_EQ(c.world.kernel().inbound(old.out), nullptr);
  EXPECT_EQ(c.world.disagreement(c.client), "");
  EXPECT_EQ(c.world.kernel().sas().size(), 2u);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Rekey, NewIsakmpSaFromTheSameEndpointKeepsTheMark) {
  Connected c;
  const auto mark = c.world.peer_of(c.client)->mark;
  c.client.rekey_ike(c.world.now());
  c.world.run(2s);
  ASSERT_EQ(c.client.isakmp_sas(), 2u);
  c.client.quick_mode(c.world.now());
  c.world.run(2s);
  ASSERT_THAT(c.client.children(), SizeIs(2));
  EXPECT_EQ(c.world.peer_of(c.client, 1)->mark, mark);
  EXPECT_THAT(c.world.engine().peers(), SizeIs(1));
  EXPECT_EQ(c.world.disagreement(c.client, 1), "");
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Rekey, ApplesNewMainModeOnTheFloatedPortIsOfTheSamePeerAndItsEspLivesOn) {
  for (const auto contact : {harness::Contact::informational, harness::Contact::in_message_5}) {
    auto s = harness::speaking_like(harness::apple(1), host());
    s.contact = contact;
    Connected c(cheap(), s);
    ASSERT_EQ(c.world.disagreement(c.client), "");
    const auto number = c.world.peer_of(c.client)->number;
    c.world.run(2880s);  // 48 min
    c.client.rekey_ike(c.world.now());
    c.world.run(2s);
    EXPECT_EQ(c.client.isakmp_sas(), 2u);
    EXPECT_EQ(std::ranges::count_if(c.world.arrived(), [](const auto& d) { return d.to.port == 500; }), 2)
        << "messages 1 and 3 of the first Main Mode";
    EXPECT_THAT(c.world.engine().peers(), SizeIs(1));
    EXPECT_EQ(c.world.disagreement(c.client), "") << "INITIAL-CONTACT takes nothing away";
    c.client.quick_mode(c.world.now());
    c.world.run(800s);  // the first ISAKMP SA and the first pair are over
    EXPECT_EQ(c.world.engine().isakmp_sas(), 1u);
    EXPECT_EQ(c.world.disagreement(c.client, 1), "");
    EXPECT_EQ(c.world.peer_of(c.client, 1)->number, number);
    EXPECT_EQ(c.world.kernel().events_of(EventKind::peer_lost), 0u);
    EXPECT_THAT(c.world.complaints(), IsEmpty());
  }
}

TEST(Rekey, DeleteOfTheOldPairRightBehindMessageOneKeepsItUntilTheNewOneIsThere) {
  auto ws = cheap();
  ws.kernel.install_delay = 300ms;
  Connected c(ws);
  c.world.run(2s);
  const auto old = spis_of(c.client);
  c.client.quick_mode(c.world.now());
  c.world.run(20ms);
  c.client.delete_esp(old.in);
  for (int i = 0; i < 40; ++i) {
    c.world.run(20ms);
    ASSERT_GE(c.world.kernel().outbound_sas(), 1u);
    ASSERT_NE(c.world.kernel().inbound(old.out), nullptr);
  }
  c.world.run(20s);
  EXPECT_EQ(c.world.kernel().inbound(old.out), nullptr);
  EXPECT_EQ(c.world.disagreement(c.client), "");
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Rekey, PeerThatForgetsItsIsakmpSasHasAFewAtMost) {
  Connected c;
  for (int i = 0; i < 10; ++i) {
    c.client.rekey_ike(c.world.now());
    c.world.run(10s);
  }
  EXPECT_LE(c.world.engine().isakmp_sas(), 4u);
  EXPECT_EQ(c.world.disagreement(c.client), "") << "its ESP goes on";
}

TEST(Rekey, ClientThatRekeysEveryTwoSecondsIsServedForever) {
  Connected c;  // Windows does so at 250 MB and 1 Gbit/s
  for (std::size_t i = 0; i < 200; ++i) {
    c.client.quick_mode(c.world.now());
    c.world.run(2s);
    ASSERT_THAT(c.client.children(), SizeIs(2)) << "rekey " << i;
    EXPECT_EQ(c.world.disagreement(c.client, 1), "");
    c.client.delete_esp(c.client.children()[0].in);
  }
  c.world.run(20s);
  EXPECT_EQ(c.world.kernel().sas().size(), 2u);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Rekey, ClientThatRekeysWithoutAPauseFillsNoMemory) {
  Connected c;
  for (int i = 0; i < 200; ++i) {
    c.client.quick_mode(c.world.now());
    c.world.run(100ms);
    c.client.delete_esp(c.client.children()[0].in);
  }
  const auto* peer = c.world.peer_of(c.client);
  ASSERT_NE(peer, nullptr);
  EXPECT_LE(c.world.engine().isakmp_sa(*peer->isakmp_sas.begin())->quick_modes.size(), 20u);
  EXPECT_EQ(c.world.disagreement(c.client), "");
  c.world.run(120s);
  EXPECT_EQ(c.world.kernel().sas().size(), 2u);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Rekey, ClientThatNeverDeletesKeepsItsNewestPairs) {
  Connected c;
  for (std::size_t i = 1; i < 30; ++i) {
    c.client.quick_mode(c.world.now());
    c.world.run(2s);
    ASSERT_THAT(c.client.children(), SizeIs(i + 1));
    ASSERT_EQ(c.world.disagreement(c.client, i), "");
  }
  EXPECT_LE(c.world.kernel().inbound_sas(), 8u);
  EXPECT_EQ(c.world.kernel().outbound_sas(), 1u);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Rekey, QuickModesThatAreNeverFinishedDoNotCostTheActivePair) {
  Connected c;
  c.world.network().conditions.delay = 10ms;
  for (int i = 0; i < 20; ++i) {
    auto forgetful = host();
    c.client.quick_mode(c.world.now());
    c.world.run(15ms);  // message 1 arrives, and the client never sees message 2
    c.world.network().conditions.loss = 1;
    c.world.run(40s);
    c.world.network().conditions.loss = 0;
    ASSERT_EQ(c.world.disagreement(c.client, 0), "") << "after " << i;
  }
  EXPECT_THAT(c.world.kernel().imbalances(), IsEmpty());
}

TEST(Rekey, TwoQuickModesAtOnceBothSucceed) {
  Connected c;
  c.client.quick_mode(c.world.now());
  c.client.quick_mode(c.world.now());
  c.world.run(5s);
  EXPECT_THAT(c.client.children(), SizeIs(3));
  EXPECT_EQ(c.world.kernel().inbound_sas(), 3u);
  EXPECT_EQ(c.world.kernel().outbound_sas(), 1u);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Rekey, NatThatGaveANewPortGetsTheNewPairThere) {
  Connected c;
  c.nat.rebind();
  c.client.quick_mode(c.world.now());
  c.world.run(2s);
  ASSERT_THAT(c.client.children(), SizeIs(2));
  EXPECT_EQ(c.world.disagreement(c.client, 1), "");
  const auto seen = c.nat.outward({c.client.settings().local.address, 4500});
  const auto* peer = c.world.peer_of(c.client);
  EXPECT_EQ(c.world.kernel().outbound(peer->mark, c.client.children()[1].in)->encap->destination_port,
            seen.port);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

}  // namespace
