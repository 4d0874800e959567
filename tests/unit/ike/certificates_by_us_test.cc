// Main Mode with certificates that we begin: both engines sign and both verify.

#include "company.h"
#include "pair_scene.h"

namespace {

using namespace pair_scene;
using ike::AuthMethod;
using scene::Company;
using scene::identity_of;
using scene::KeyKind;
using ::testing::Contains;
using ::testing::HasSubstr;

/// Two engines, the gateway with its certificate and the client with bob's.
struct Signed {
  Company company;
  harness::TestIdentity bob;
  std::vector<pki::OwnIdentity> client;

  explicit Signed(KeyKind kind = KeyKind::p256) : company({kind}), bob(company.person("bob", kind)) {
    client.push_back(identity_of(bob));
  }
  PairSettings settings() const {
    auto s = cheap_pair();
    company.equip(s.gateway, s.gateway_kernel, company.own);
    company.equip(s.client, s.client_kernel, client);
    s.connection.ike.authentication = client.front().certificate.method;
    s.connection.ike.lifetime = 900s;
    s.connection.esp.lifetime = 600s;
    return s;
  }
};

std::vector<std::string> why_without_new_keys(const Pair::Side& side) {
  std::vector<std::string> out;
  for (const auto& event : side.kernel.events()) {
    if (event.kind == EventKind::rekey_failed && event.peer.value != 0) out.push_back(event.detail);
  }
  return out;
}

class EachKeyByUs : public testing::TestWithParam<KeyKind> {};

TEST_P(EachKeyByUs, BothProveThemselvesAndNewKeysAskForItAgain) {
  const Signed signed_pair(GetParam());
  auto s = signed_pair.settings();
  s.esp_interval = 500ms;
  TwoEngines p(s);
  ASSERT_NE(Pair::peer_of(p.gateway()), nullptr);
  EXPECT_EQ(Pair::peer_of(p.gateway())->identity, "O=Example, CN=bob");
  ASSERT_NE(Pair::peer_of(p.client()), nullptr);
  EXPECT_EQ(Pair::peer_of(p.client())->identity, "O=Example, CN=gateway");
  EXPECT_EQ(Pair::peer_of(p.client())->authentication.method, s.connection.ike.authentication);
  const auto number = Pair::peer_of(p.gateway())->number;
  const auto verified = p.client().kernel.verified_certificates();
  p.run(1h);
  expect_agreement(p, 2);
  EXPECT_GT(p.client().kernel.verified_certificates(), verified) << "the gateway's Main Modes";
  EXPECT_GT(p.rekeyed(p.gateway()), 4u);
  EXPECT_EQ(Pair::peer_of(p.gateway())->number, number);
  EXPECT_THAT(p.lost(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(CertificatesByUs, EachKeyByUs,
                         ::testing::Values(KeyKind::rsa, KeyKind::p256, KeyKind::p384, KeyKind::p521));

TEST(CertificatesByUs, GoneIsakmpSaIsMadeAnewWithSignatures) {
  const Signed signed_pair;
  auto s = signed_pair.settings();
  s.connection.ike.lifetime = 60s;
  s.connection.esp.lifetime = 3600s;
  TwoEngines p(s);
  p.network().conditions.loss = 1;
  p.run(150s);
  ASSERT_EQ(p.gateway().engine.isakmp_sas(), 0u);
  p.network().conditions.loss = 0;
  const auto* peer = Pair::peer_of(p.gateway());
  ASSERT_NE(peer, nullptr);
  p.gateway().engine.nearly_expired(peer->inbound_id(peer->active()->in), p.now());
  p.run(45s);
  EXPECT_EQ(p.gateway().engine.isakmp_sas(), 1u);
  expect_agreement(p);
  EXPECT_THAT(p.lost(), IsEmpty());
}

/// Chains that no packet takes, over a path that loses IP fragments.
struct LongChains : Signed {
  static constexpr std::size_t ethernet = 1500 - 28;
  LongChains() {
    const auto above = harness::TestIdentity::self_signed(
        {.subject = "CN=Large", .alternative_names = "DNS:" + std::string(3000, 'a'), .authority = true});
    for (auto* who : {&company.own, &client}) who->clear();
    company.own.push_back(identity_of(company.gateways.front(), above.pem()));
    client.push_back(identity_of(bob, above.pem()));
  }
};

/// Brings them up; the path is narrow all the while.
struct NarrowPath : Pair {
  explicit NarrowPath(PairSettings s) : Pair(std::move(s)) {
    network().conditions.largest = LongChains::ethernet;
    connect();
  }
  const ike::IsakmpSa* newest_sa(const Side& side) const {
    const auto* peer = peer_of(side);
    if (peer == nullptr || peer->isakmp_sas.empty()) return nullptr;
    return side.engine.isakmp_sa(*peer->isakmp_sas.rbegin());
  }
};

TEST(CertificatesByUs, LongChainsGoInPiecesBothWays) {
  const LongChains chains;
  ASSERT_THAT(chains.client.front().certificate.chain, SizeIs(2));
  ASSERT_GT(chains.client.front().certificate.chain.back().size(), 2 * LongChains::ethernet);
  auto s = chains.settings();
  s.connection.ike.lifetime = 60s;
  s.connection.esp.lifetime = 3600s;
  NarrowPath p(s);
  p.run(2s);
  expect_agreement(p);
  ASSERT_NE(p.newest_sa(p.client()), nullptr);
  EXPECT_TRUE(p.newest_sa(p.client())->fragments);
  // Then the gateway asks for new keys, and has nothing left to ask by.
  p.talk(true, true);
  p.network().conditions.loss = 1;
  p.run(150s);
  p.network().conditions.loss = 0;
  const auto* peer = Pair::peer_of(p.gateway());
  ASSERT_NE(peer, nullptr);
  ASSERT_THAT(peer->isakmp_sas, IsEmpty());
  p.gateway().engine.nearly_expired(peer->inbound_id(peer->active()->in), p.now());
  p.run(45s);
  const auto* sa = p.newest_sa(p.gateway());
  ASSERT_NE(sa, nullptr);
  EXPECT_EQ(sa->role, ike::Role::initiator);
  EXPECT_TRUE(sa->fragments);
  expect_agreement(p);
  EXPECT_THAT(p.lost(), IsEmpty());
}

TEST(CertificatesByUs, LostPieceIsRepeatedWithItsMessage) {
  const LongChains chains;
  constexpr std::size_t first_of_message_5 = 4;
  for (std::size_t lost = first_of_message_5; lost < first_of_message_5 + 6; ++lost) {
    NarrowPath p(chains.settings());
    p.network().fates[lost] = harness::Fate::lost;
    p.run(1s);
    EXPECT_EQ(p.newest_sa(p.client()), nullptr) << lost;
    p.run(10s);
    expect_agreement(p);
  }
}

TEST(CertificatesByUs, RevokedMeanwhileGetsNoNewKeysAndTheSentenceSaysWhy) {
  Signed signed_pair;
  TwoEngines p(signed_pair.settings());
  ASSERT_NE(Pair::peer_of(p.gateway()), nullptr);
  ASSERT_TRUE(signed_pair.company.verifier.add_revocations(
      signed_pair.company.root.revocation_list({&signed_pair.bob})));
  p.run(16min);
  EXPECT_THAT(why_without_new_keys(p.gateway()), Contains("its certificate (O=Example, CN=bob) is revoked"));
}

TEST(CertificatesByUs, SomebodyElseWhereThePeerWasIsNotThePeer) {
  Signed signed_pair;
  auto s = signed_pair.settings();
  s.connection.ike.lifetime = 300s;
  s.connection.esp.lifetime = 3600s;
  TwoEngines p(s);
  ASSERT_NE(Pair::peer_of(p.gateway()), nullptr);
  // The client's next signatures are eve's, whose certificate is as good.
  const auto eve = signed_pair.company.person("eve");
  const auto other = identity_of(eve);
  s.client.certificates = {other.certificate};
  p.client().engine = ike::Engine(s.client, harness::seeded_random(77));
  p.client().kernel.settings().own_keys = {&other.key};
  p.run(6min);
  EXPECT_THAT(why_without_new_keys(p.gateway()), Contains("where it was answers O=Example, CN=eve"));
}

TEST(CertificatesByUs, GatewayOfAnotherAuthorityIsNotBelieved) {
  const Signed signed_pair;
  const Company other({KeyKind::p256});
  auto s = signed_pair.settings();
  // It takes bob's certificate, and shows one that leads nowhere.
  s.gateway.certificates = {other.own.front().certificate};
  s.gateway_kernel.own_keys = {&other.own.front().key};
  Pair p(s);
  p.connect();
  p.run(60s);
  EXPECT_THAT(p.client().engine.peers(), IsEmpty());
  EXPECT_EQ(p.client().engine.isakmp_sas(), 0u);
  ASSERT_EQ(p.client().kernel.events_of(EventKind::authentication_failed), 1u);
  EXPECT_THAT(p.client().kernel.events().back().detail, HasSubstr("O=Example, CN=gateway"));
}

TEST(CertificatesByUs, WithoutACertificateOfTheKindNothingIsSigned) {
  const Signed signed_pair;
  auto s = signed_pair.settings();
  s.client.certificates.clear();
  Pair p(s);
  p.connect();
  p.run(60s);
  EXPECT_EQ(p.client().engine.isakmp_sas(), 0u);
  ASSERT_EQ(p.client().kernel.events_of(EventKind::authentication_failed), 1u);
  EXPECT_EQ(p.client().kernel.events().back().detail, "we have no certificate of the kind that it takes");
  EXPECT_THAT(p.complaints(), IsEmpty());
}

}  // namespace
