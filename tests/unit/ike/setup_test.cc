// Main Mode and Quick Mode from message 1 to two SAs on either side with the same keys.

#include "scene.h"

namespace {

using namespace scene;

TEST(Setup, ClientBehindANatFloatsTo4500AndBothSidesHoldTheSameKeys) {
  World w;
  NatBox nat(nat_a);
  auto& client = w.add({}, &nat);
  client.connect(w.now());
  w.run(5s);
  EXPECT_THAT(w.complaints(), IsEmpty());
  ASSERT_THAT(client.children(), SizeIs(1));
  EXPECT_TRUE(client.floated());
  EXPECT_EQ(w.disagreement(client), "");
  EXPECT_THAT(w.kernel().imbalances(), IsEmpty());
  EXPECT_EQ(w.kernel().events_of(EventKind::peer_authenticated), 1u);
  EXPECT_EQ(w.kernel().events_of(EventKind::peer_up), 1u);
}

TEST(Setup, ClientWithoutANatStaysOn500AndGetsPlainEsp) {
  World w(cheap());
  auto& client = w.add(without_nat());
  client.connect(w.now());
  w.run(5s);
  EXPECT_THAT(w.complaints(), IsEmpty());
  EXPECT_FALSE(client.floated());
  EXPECT_EQ(w.disagreement(client), "");
  const auto* peer = w.peer_of(client);
  ASSERT_NE(peer, nullptr);
  EXPECT_FALSE(w.kernel().inbound(client.children()[0].out)->encap);
  EXPECT_EQ(w.kernel().entries().at(peer->mark).home, public_host);
}

TEST(Setup, EncapsulationUsesThePortThatTheNatGaveThe4500Socket) {
  Connected c;
  const auto seen = c.nat.outward({c.client.settings().local.address, 4500});
  const auto* peer = c.world.peer_of(c.client);
  ASSERT_NE(peer, nullptr);
  const auto* in = c.world.kernel().inbound(c.client.children()[0].out);
  const auto* out = c.world.kernel().outbound(peer->mark, c.client.children()[0].in);
  EXPECT_EQ(in->encap, (xfrm::Encap{.source_port = seen.port, .destination_port = 4500}));
  EXPECT_EQ(out->encap, (xfrm::Encap{.source_port = 4500, .destination_port = seen.port}));
  EXPECT_EQ(in->source, nat_a);
  EXPECT_EQ(out->destination, peer->alias);
}

TEST(Setup, ClientThatDoesNotKnowNatTraversalIsServedPlainEsp) {
  auto s = without_nat();
  s.nat_traversal = false;
  World w(cheap());
  auto& client = w.add(s);
  client.connect(w.now());
  w.run(5s);
  EXPECT_THAT(w.complaints(), IsEmpty());
  EXPECT_EQ(w.disagreement(client), "");
}

TEST(Setup, InboundSaStandsBeforeMessage2OfQuickModeLeaves) {
  auto s = cheap();
  s.kernel.install_delay = 1s;
  World w(s);
  NatBox nat(nat_a);
  auto& client = w.add(host(), &nat);
  client.connect(w.now());
  w.run(500ms);
  EXPECT_EQ(w.kernel().inbound_sas(), 1u);
  EXPECT_THAT(client.children(), IsEmpty());
  w.run(1s);
  EXPECT_THAT(client.children(), SizeIs(1));
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST(Setup, SlowWorkersAndKernelDelayButDoNotConfuse) {
  auto s = cheap();
  s.kernel.dh_delay = s.kernel.skeyid_delay = s.kernel.install_delay = 3s;
  auto client_settings = host();
  client_settings.pfs = crypto::Group::ecp256;
  Connected c(s, client_settings);
  c.world.run(20s);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
  EXPECT_EQ(c.world.disagreement(c.client), "");
  EXPECT_EQ(c.world.kernel().computed_dh(), 2u) << "a repeated message 3 must not cost another one";
}

// RouterOS asks for MODP 1024 unless told otherwise (clients.md §6).
TEST(Setup, AWeakGroupForPfsIsNoWorseThanNoPfs) {
  auto ws = cheap();
  ws.engine.ike_transforms = ike_transforms({"aes256-sha256-modp2048"});
  auto s = host();
  s.pfs = crypto::Group::modp1024;
  Connected c(ws, s);
  c.world.run(2s);
  EXPECT_EQ(c.world.disagreement(c.client), "");
  EXPECT_EQ(c.world.kernel().computed_dh(), 2u);
}

struct Algorithms {
  const char* ike;
  const char* esp;
  const char* pfs;
};
class EveryAlgorithm : public ::testing::TestWithParam<Algorithms> {};

TEST_P(EveryAlgorithm, GivesBothSidesTheSameKeys) {
  const auto& p = GetParam();
  WorldSettings ws;
  ws.engine.ike_transforms = ike_transforms({p.ike});
  ws.engine.esp_suites = esp_suites({p.esp});
  auto s = host();
  s.dh = harness::Dh::real;
  s.ike = ws.engine.ike_transforms;
  s.esp = ws.engine.esp_suites;
  if (p.pfs != nullptr) {
    const auto with_group = *ike::parse_ike_transform(std::string("aes256-sha256-") + p.pfs);
    s.pfs = with_group.group;
    ws.engine.ike_transforms.push_back(with_group);
  }
  Connected c(ws, s);
  c.world.run(2s);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
  ASSERT_THAT(c.client.children(), SizeIs(1));
  EXPECT_EQ(c.world.disagreement(c.client), "");
}

INSTANTIATE_TEST_SUITE_P(Setup, EveryAlgorithm,
                         ::testing::Values(Algorithms{"aes256-sha256-modp2048", "aes256-sha256", nullptr},
                                           Algorithms{"aes128-sha1-modp3072", "aes128-sha1", "modp2048"},
                                           Algorithms{"aes192-sha384-modp4096", "aes192-sha384", "modp3072"},
                                           Algorithms{"aes256-sha512-ecp256", "aes256-sha512", "ecp256"},
                                           Algorithms{"aes256-sha1-ecp384", "aes128gcm16", "ecp384"},
                                           Algorithms{"aes256-sha256-ecp521", "aes256gcm16", "ecp521"},
                                           Algorithms{"aes256-sha256-curve25519", "aes256-sha1",
                                                      "curve25519"},
                                           Algorithms{"aes256-md5-modp1024", "aes128-md5", "modp1024"},
                                           Algorithms{"3des-sha1-modp1536", "3des-sha1", "modp1536"},
                                           Algorithms{"3des-md5-modp1024", "3des-md5", nullptr}));

}  // namespace
