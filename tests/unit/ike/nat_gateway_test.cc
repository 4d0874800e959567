// The gateway itself behind a NAT, and clients that speak the drafts of NAT traversal.

#include "scene.h"

namespace {

using namespace scene;
using ike::v1::NatDetection;
using ike::v1::NatFlavour;
using ike::v1::PayloadType;

const auto inside = Address::v4(0x0a000002);  // 10.0.0.2

WorldSettings behind_a_nat(NatDetection detection) {
  auto s = cheap();
  s.inside = inside;
  s.engine.nat_detection = detection;
  return s;
}

TEST(NatGateway, TruthfulSaysThatItIsBehindANat) {
  Connected c(behind_a_nat(NatDetection::truthful));
  EXPECT_TRUE(c.client.nat_finding().peer_behind_nat) << "the gateway, as the client sees it";
  EXPECT_TRUE(c.client.nat_finding().we_behind_nat);
  EXPECT_EQ(c.world.disagreement(c.client), "");
  EXPECT_EQ(c.world.kernel().inbound(spis_of(c.client).out)->destination, inside);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(NatGateway, EchoIsSeenAsNoNatBeforeTheGateway) {
  Connected c(behind_a_nat(NatDetection::echo));
  EXPECT_FALSE(c.client.nat_finding().peer_behind_nat);
  EXPECT_TRUE(c.client.nat_finding().we_behind_nat);
  EXPECT_EQ(c.world.disagreement(c.client), "");
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(NatGateway, EchoMakesAPublicClientUseUdpToo) {
  for (const bool behind : {false, true}) {
    auto ws = behind_a_nat(NatDetection::echo);
    if (!behind) ws.inside.reset();
    World w(ws);
    auto& client = w.add(without_nat());
    client.connect(w.now());
    w.run(2s);
    ASSERT_THAT(client.children(), SizeIs(1));
    EXPECT_TRUE(client.floated());
    EXPECT_FALSE(client.nat_finding().peer_behind_nat);
    EXPECT_TRUE(w.kernel().inbound(client.children()[0].out)->encap);
    EXPECT_FALSE(w.peer_of(client)->peer_behind_nat) << "we know better, and do not follow it anywhere";
    EXPECT_THAT(w.complaints(), IsEmpty());
  }
}

TEST(NatGateway, EchoNamesThePublicAddressAsOurOriginalOne) {
  // The client's own NAT-OA is its business; ours must not tell of the NAT that it shall not see.
  for (const auto detection : {NatDetection::echo, NatDetection::truthful}) {
    Connected c(behind_a_nat(detection));
    const auto named = ike::v1::nat_oa(detection == NatDetection::echo ? gateway : inside);
    EXPECT_EQ(c.client.nat_oas().back(), named);
    c.world.run(59min);  // ours comes first in the rekey that we begin
    EXPECT_EQ(c.client.nat_oas().front(), named);
  }
}

TEST(NatGateway, CallsItselfByItsOwnAddressUnlessAnotherNameIsConfigured) {
  const auto public_id = ike::v1::encode_identification(ike::v1::identification_of(gateway));
  Connected plain(behind_a_nat(NatDetection::echo));
  EXPECT_EQ(plain.client.gateway_id(), ike::v1::encode_identification(ike::v1::identification_of(inside)));
  for (const bool aggressive : {false, true}) {
    auto ws = behind_a_nat(NatDetection::echo);
    ws.engine.identity = public_id;
    ws.engine.aggressive = {{"branch", "family"}};
    auto s = host();
    s.aggressive = aggressive;
    if (aggressive)
      s.identity = ike::v1::encode_identification(
          {.type = ike::v1::IdType::key_id, .protocol = 0, .port = 0, .data = base::as_bytes("branch")});
    Connected c(ws, s);
    EXPECT_EQ(c.client.gateway_id(), public_id);
    EXPECT_EQ(c.world.disagreement(c.client), "");
    EXPECT_THAT(c.world.complaints(), IsEmpty());
  }
}

TEST(NatGateway, ItsOwnNatIsKeptOpenByKeepalives) {
  Connected c(behind_a_nat(NatDetection::truthful));
  const auto sent = c.world.left().size();
  c.world.run(50s);
  const std::vector<harness::Datagram> since(c.world.left().begin() + static_cast<std::ptrdiff_t>(sent),
                                             c.world.left().end());
  ASSERT_THAT(since, SizeIs(2));
  for (const auto& d : since) {
    EXPECT_EQ(d.bytes, Bytes{0xff});
    EXPECT_EQ(d.from, (Endpoint{inside, 4500}));
    EXPECT_EQ(d.to, c.world.peer_of(c.client)->remote);
  }
  EXPECT_EQ(c.world.engine().counters().keepalives_sent, 2u);
}

TEST(NatGateway, WithoutANatOfItsOwnItSendsNoKeepalives) {
  Connected c;
  c.world.run(50s);
  EXPECT_EQ(c.world.engine().counters().keepalives_sent, 0u);
}

TEST(NatGateway, KeepalivesEndWithThePeer) {
  Connected c(behind_a_nat(NatDetection::truthful));
  c.world.engine().shut_down(c.world.now());
  c.world.pump();
  EXPECT_TRUE(c.world.nothing_left());
}

TEST(NatGateway, DraftsAreAnsweredInTheirOwnNumbers) {
  for (const auto flavour : {NatFlavour::draft_03, NatFlavour::draft_02, NatFlavour::draft_02_newline}) {
    auto s = host();
    s.nat_flavour = flavour;
    Connected c(cheap(), s);
    ASSERT_THAT(c.client.children(), SizeIs(1));
    EXPECT_EQ(c.client.children()[0].mode, ike::v1::EncapsulationMode::udp_transport_draft);
    EXPECT_TRUE(c.client.nat_finding().we_behind_nat);
    EXPECT_EQ(c.world.disagreement(c.client), "");
    EXPECT_THAT(c.world.complaints(), IsEmpty());
  }
}

TEST(NatGateway, ClientThatNamesItsOwnAddressAloneIsToldOursAlone) {
  // draft-ietf-ipsec-nat-t-ike-03 §5.2: each end says its own; RFC 3947 §5.2 has two.
  for (const auto flavour :
       {NatFlavour::draft_03, NatFlavour::draft_02, NatFlavour::draft_02_newline, NatFlavour::rfc3947}) {
    auto s = host();
    s.nat_flavour = flavour;
    s.nat_oa = 1;
    Connected c(cheap(), s);
    EXPECT_EQ(c.world.disagreement(c.client), "");
    EXPECT_THAT(c.client.nat_oas(), ::testing::ElementsAre(ike::v1::nat_oa(gateway)));
    EXPECT_THAT(c.world.complaints(), IsEmpty());
  }
}

TEST(NatGateway, ClientWithoutNatOaGetsNone) {
  auto s = host();
  s.nat_oa = 0;
  Connected c(cheap(), s);
  EXPECT_THAT(c.client.nat_oas(), IsEmpty());
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

}  // namespace
