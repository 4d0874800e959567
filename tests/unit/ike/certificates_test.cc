// Main Mode with certificates, against a scripted initiator that has its own.

#include <list>

#include "harness/authority.h"
#include "scene.h"

namespace {

using namespace scene;
using harness::CertificateSettings;
using harness::KeyKind;
using harness::TestIdentity;
using ike::AuthMethod;
using ike::CertificateEncoding;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

pki::PrivateKey key_of(const TestIdentity& identity) {
  return *pki::PrivateKey::from_pem(base::as_bytes(identity.key_pem()));
}

/// One authority, a gateway with a certificate of each kind asked for, and clients.
struct Company {
  TestIdentity root = TestIdentity::self_signed({.subject = "O=Example, CN=Root", .authority = true});
  std::vector<pki::OwnIdentity> own;
  std::vector<TestIdentity> gateways;
  pki::Verifier verifier{pki::Revocation::if_known};
  std::list<pki::PrivateKey> keys;

  explicit Company(std::initializer_list<KeyKind> kinds) {
    for (const auto kind : kinds) {
      gateways.push_back(root.issue({.subject = "O=Example, CN=gateway", .key = kind}));
      const auto& g = gateways.back();
      own.push_back(*pki::own_identity(base::as_bytes(g.pem()), base::as_bytes(g.key_pem()), ""));
    }
    verifier.trust(*pki::Certificate::from_der(root.der()));
    verifier.add_class({.name = "staff",
                        .subject = *pki::NamePattern::parse("CN=*, O=Example"),
                        .issuer = {},
                        .alternative_name = {},
                        .bind_user = false});
  }

  WorldSettings settings() {
    auto ws = cheap();
    ws.engine.trusted_names = {root.subject_der()};
    ws.kernel.verifier = &verifier;
    for (const auto& o : own) {
      ws.engine.certificates.push_back(o.certificate);
      ws.kernel.own_keys.push_back(&o.key);
      ws.kernel.own_methods.push_back(o.certificate.method);
    }
    return ws;
  }

  /// A client that has this certificate, and says so with its subject.
  InitiatorSettings client(const TestIdentity& who, std::uint8_t last = 2) {
    auto s = host(last);
    keys.push_back(key_of(who));
    const auto method = *pki::method_of(*pki::Certificate::from_der(who.der()));
    s.certificates = {
        .method = method, .sent = {{CertificateEncoding::x509_signature, who.der()}}, .key = &keys.back()};
    const auto subject = who.subject_der();
    s.identity = ike::v1::encode_identification(
        {.type = ike::v1::IdType::der_asn1_dn, .protocol = 0, .port = 0, .data = subject});
    return s;
  }
  TestIdentity person(const std::string& name, KeyKind kind = KeyKind::p256) const {
    return root.issue({.subject = "O=Example, CN=" + name, .key = kind});
  }
};

class EachKey : public testing::TestWithParam<KeyKind> {};

TEST_P(EachKey, ConnectsAndBothSidesHoldTheSameKeys) {
  Company company({GetParam()});
  const auto bob = company.person("bob", GetParam());
  auto s = company.client(bob);
  s.certificates->expected_certificate = company.gateways[0].der();
  Connected c(company.settings(), s);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
  ASSERT_EQ(c.world.disagreement(c.client), "");
  const auto* peer = c.world.peer_of(c.client);
  EXPECT_EQ(peer->identity, "O=Example, CN=bob");
  EXPECT_EQ(peer->authentication.name, "staff");
  EXPECT_TRUE(peer->authentication.device);
  EXPECT_EQ(to_string(peer->authentication), "certificate O=Example, CN=bob");
  Bytes request{4};
  base::append(request, company.root.subject_der());
  EXPECT_THAT(c.client.certificate_requests(), ElementsAre(request));
  c.client.rekey_ike(c.world.now());
  c.world.run(2s);
  EXPECT_EQ(c.client.isakmp_sas(), 2u);
  EXPECT_THAT(c.world.engine().peers(), SizeIs(1)) << "the same certificate is the same peer";
  c.client.quick_mode(c.world.now());
  c.world.run(2s);
  EXPECT_EQ(c.world.disagreement(c.client, 1), "");
}

INSTANTIATE_TEST_SUITE_P(Certificates, EachKey,
                         ::testing::Values(KeyKind::rsa, KeyKind::p256, KeyKind::p384, KeyKind::p521));

TEST(Certificates, DeviceThatComesBackElsewhereEndsItsOldSelfAndNobodyElse) {
  Company company({KeyKind::p256});
  World w(company.settings());
  NatBox nat(nat_a), other(nat_b);
  const auto bob = company.person("bob"), namesake = company.person("bob");
  auto& before = w.add(company.client(bob, 2), &nat);
  auto& other_bob = w.add(company.client(namesake, 3), &nat);
  before.connect(w.now());
  other_bob.connect(w.now());
  w.run(2s);
  ASSERT_THAT(w.engine().peers(), SizeIs(2)) << "one name, two certificates";
  auto& after = w.add(company.client(bob, 4), &other);
  after.connect(w.now());
  w.run(5s);
  EXPECT_EQ(w.disagreement(after), "");
  EXPECT_EQ(w.disagreement(other_bob), "");
  EXPECT_THAT(w.engine().peers(), SizeIs(2));
}

TEST(Certificates, BesideAPresharedKeyBehindOneNat) {
  Company company({KeyKind::p256});
  World w(company.settings());
  NatBox nat(nat_a);
  const auto bob = company.person("bob");
  auto& with_certificate = w.add(company.client(bob, 2), &nat);
  auto& with_psk = w.add(host(3), &nat);
  with_certificate.connect(w.now());
  with_psk.connect(w.now());
  w.run(2s);
  EXPECT_EQ(w.disagreement(with_certificate), "");
  EXPECT_EQ(w.disagreement(with_psk), "");
  EXPECT_EQ(to_string(w.peer_of(with_psk)->authentication), "PSK family");
  EXPECT_THAT(w.engine().peers(), SizeIs(2));
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST(Certificates, MethodWithoutACertificateOfOursIsNotAgreedOn) {
  Company company({KeyKind::p256});
  World w(company.settings());
  NatBox nat(nat_a);
  const auto bob = company.person("bob", KeyKind::p384);
  auto& client = w.add(company.client(bob), &nat);
  client.connect(w.now());
  w.run(2s);
  EXPECT_FALSE(client.ike_up());
  ASSERT_EQ(w.kernel().events_of(EventKind::proposal_refused), 1u);
  EXPECT_THAT(w.kernel().events().front().detail, HasSubstr("-ecdsa384"));
}

TEST(Certificates, OnlyCertificatesMeansNoPresharedKey) {
  Company company({KeyKind::p256});
  auto ws = company.settings();
  ws.engine.accept_psks = false;
  World w(ws);
  NatBox nat(nat_a);
  auto& client = w.add(host(), &nat);
  client.connect(w.now());
  w.run(2s);
  EXPECT_EQ(w.kernel().events_of(EventKind::proposal_refused), 1u);
}

TEST(Certificates, OursIsOneThatThePeerAsksFor) {
  Company company({KeyKind::p256, KeyKind::p256});
  const auto other_root = TestIdentity::self_signed({.subject = "CN=Other", .authority = true});
  const auto second = other_root.issue({.subject = "CN=gateway of others"});
  company.own[1] = *pki::own_identity(base::as_bytes(second.pem()), base::as_bytes(second.key_pem()), "");
  const auto bob = company.person("bob");
  auto s = company.client(bob);
  Bytes request{4};
  base::append(request, other_root.subject_der());
  s.certificates->requests = {request};
  s.certificates->expected_certificate = second.der();
  Connected c(company.settings(), s);
  EXPECT_EQ(c.world.disagreement(c.client), "");
  EXPECT_THAT(c.world.complaints(), IsEmpty());
}

TEST(Certificates, ChainIsSentAndTaken) {
  Company company({KeyKind::p256});
  const auto branch = company.root.issue({.subject = "O=Example, CN=Branch", .authority = true});
  const auto gateway = branch.issue({.subject = "O=Example, CN=branch gateway"});
  const auto pem = gateway.pem() + branch.pem();
  company.own[0] = *pki::own_identity(base::as_bytes(pem), base::as_bytes(gateway.key_pem()), "");
  const auto bob = branch.issue({.subject = "O=Example, CN=bob"});
  auto s = company.client(bob);
  s.certificates->sent.push_back({CertificateEncoding::x509_signature, branch.der()});
  Connected c(company.settings(), s);
  EXPECT_EQ(c.world.disagreement(c.client), "");
  EXPECT_THAT(c.client.received_certificates(), SizeIs(2));
  s.certificates->sent = {{CertificateEncoding::pkcs7, harness::pkcs7_of({&branch, &bob})}};
  Connected windows(company.settings(), s);
  EXPECT_EQ(windows.world.disagreement(windows.client), "");
}

TEST(Certificates, ManyAuthoritiesAreAskedForWithOneEmptyRequest) {
  Company company({KeyKind::p256});
  auto ws = company.settings();
  for (int i = 0; i < 4; ++i) ws.engine.trusted_names.push_back(Bytes(40, 0x30));
  const auto bob = company.person("bob");
  Connected c(ws, company.client(bob));
  EXPECT_THAT(c.client.certificate_requests(), ElementsAre(Bytes{4}));
  EXPECT_EQ(c.world.disagreement(c.client), "");
}

TEST(Certificates, RefusalIsReportedOnceAndLeavesNothing) {
  Company company({KeyKind::p256});
  World w(company.settings());
  NatBox nat(nat_a);
  const auto outsider = company.root.issue({.subject = "O=Elsewhere, CN=eve"});
  auto& client = w.add(company.client(outsider), &nat);
  client.connect(w.now());
  w.run(10s);
  EXPECT_FALSE(client.ike_up());
  ASSERT_EQ(w.kernel().events_of(EventKind::authentication_failed), 1u);
  EXPECT_THAT(w.kernel().events().front().detail,
              "its certificate (O=Elsewhere, CN=eve) matches no [[ike.certificate]]");
  EXPECT_EQ(w.engine().counters().authentication_failures, 1u) << "repetitions are not verified again";
  w.run(30s);
  EXPECT_TRUE(w.nothing_left());
}

TEST(Certificates, StolenCertificateWithoutItsKeyIsWorthless) {
  Company company({KeyKind::p256});
  World w(company.settings());
  NatBox nat(nat_a);
  const auto bob = company.person("bob");
  const auto eve = company.person("eve");
  auto s = company.client(bob);
  company.keys.push_back(key_of(eve));
  s.certificates->key = &company.keys.back();
  auto& client = w.add(s, &nat);
  client.connect(w.now());
  auto damaged = company.client(bob, 3);
  damaged.certificates->damage_signature = true;
  auto& other = w.add(damaged, &nat);
  other.connect(w.now());
  w.run(3s);
  EXPECT_FALSE(client.ike_up());
  EXPECT_FALSE(other.ike_up());
  EXPECT_EQ(w.kernel().events_of(EventKind::authentication_failed), 2u);
  EXPECT_THAT(w.kernel().events().back().detail, HasSubstr("did not make its signature"));
}

TEST(Certificates, RecordedMessage5ProvesNothingInAnotherExchange) {
  Company company({KeyKind::p256});
  World w(company.settings());
  NatBox nat(nat_a), other(nat_b);
  const auto bob = company.person("bob");
  auto& client = w.add(company.client(bob), &nat);
  client.connect(w.now());
  w.run(2s);
  ASSERT_EQ(w.disagreement(client), "");
  const auto recorded = w.arrived()[2];
  // A listener plays it into its own exchange, under the cookies of that.
  auto s = company.client(bob, 9);
  s.certificates->damage_signature = true;
  auto& listener = w.add(s, &other);
  listener.connect(w.now());
  w.run(1s);
  auto replayed = recorded.bytes;
  const auto [ci, cr] = listener.cookies();
  std::ranges::copy(ci, replayed.begin() + 4);
  std::ranges::copy(cr, replayed.begin() + 12);
  w.inject({nat_b, 40002}, recorded.to, replayed);
  w.run(2s);
  EXPECT_FALSE(listener.ike_up());
  EXPECT_THAT(w.engine().peers(), SizeIs(1));
  EXPECT_EQ(w.disagreement(client), "");
}

TEST(Certificates, SlowVerificationIsWaitedForWithoutAnotherOne) {
  Company company({KeyKind::p256});
  auto ws = company.settings();
  ws.kernel.skeyid_delay = 5s;
  const auto bob = company.person("bob");
  Connected c(ws, company.client(bob));
  c.world.run(20s);
  EXPECT_EQ(c.world.disagreement(c.client), "");
  EXPECT_GT(c.world.engine().counters().duplicates, 0u);
  EXPECT_EQ(c.world.engine().counters().main_modes, 1u);
}

TEST(Certificates, ClientThatVanishesWhileItIsVerifiedLeavesNothing) {
  Company company({KeyKind::p256});
  auto ws = company.settings();
  ws.kernel.skeyid_delay = 40s;
  World w(ws);
  NatBox nat(nat_a);
  const auto bob = company.person("bob");
  w.add(company.client(bob), &nat).connect(w.now());
  w.run(100s);
  EXPECT_TRUE(w.nothing_left());
}

TEST(Certificates, LossAndReorderingDoNotHurt) {
  Company company({KeyKind::p256});
  const auto bob = company.person("bob");
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    auto ws = company.settings();
    ws.seed = ws.kernel.seed = seed;
    World w(ws);
    w.network().conditions = {.loss = 0.2, .duplicate = 0.3, .delay = 10ms, .jitter = 500ms};
    NatBox nat(nat_a);
    auto& client = w.add(company.client(bob), &nat);
    client.connect(w.now());
    w.run(29s);
    w.network().conditions = {};
    w.run(20s);
    EXPECT_EQ(w.disagreement(client), "") << seed;
    EXPECT_THAT(w.complaints(), IsEmpty()) << seed;
  }
}

}  // namespace
