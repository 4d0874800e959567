// Main Mode with certificates, against a scripted initiator that has its own.

#include "company.h"

namespace {

using namespace scene;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

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

TEST(Certificates, InitialContactEndsTheDevicesOldSelfAtOnce) {
  Company company({KeyKind::p256});
  World w(company.settings());
  NatBox nat(nat_a), other(nat_b);
  const auto bob = company.person("bob");
  auto& before = w.add(company.client(bob, 2), &nat);
  before.connect(w.now());
  w.run(2s);
  ASSERT_THAT(w.engine().peers(), SizeIs(1));
  auto s = company.client(bob, 4);
  s.contact = harness::Contact::in_message_5;
  auto& after = w.add(s, &other);
  after.main_mode(w.now());  // and no Quick Mode
  w.run(2s);
  ASSERT_TRUE(after.ike_up());
  EXPECT_THAT(w.engine().peers(), SizeIs(1));
  EXPECT_EQ(w.engine().peers().begin()->second.remote.address, nat_b);
}

TEST(Certificates, LongestChainsFitAndLongerOnesAreDropped) {
  Company company({KeyKind::p256});
  World w(company.settings());
  NatBox nat(nat_a);
  const auto bob = company.person("bob");
  auto s = company.client(bob);
  // An authority that nobody asked for, as large as four of RSA with 4096 bits.
  const auto large = TestIdentity::self_signed(
      {.subject = "CN=Large", .alternative_names = "DNS:" + std::string(9000, 'a'), .authority = true});
  s.certificates->sent.push_back({CertificateEncoding::x509_signature, large.der()});
  auto& fits = w.add(s, &nat);
  fits.connect(w.now());
  w.run(2s);
  EXPECT_EQ(w.disagreement(fits), "");
  s.local.address = Address::v4(0xc0a80109);
  s.certificates->sent.push_back(s.certificates->sent.back());
  auto& does_not = w.add(s, &nat);
  does_not.connect(w.now());
  w.run(2s);
  EXPECT_FALSE(does_not.ike_up());
  EXPECT_GT(w.dropped(DropReason::malformed), 0u);
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
  EXPECT_THAT(w.kernel().told(EventKind::proposal_refused), HasSubstr("-ecdsa384"));
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
  company.own[1] = identity_of(second);
  const auto bob = company.person("bob");
  Bytes request{4};
  base::append(request, other_root.subject_der());
  for (const auto before : {std::size_t{0}, std::size_t{60}}) {  // Windows asks for all that it knows
    auto s = company.client(bob);
    s.certificates->requests.assign(before, Bytes(100, 4));
    for (std::size_t i = 0; i < before; ++i)
      s.certificates->requests[i].back() = static_cast<std::uint8_t>(i);
    s.certificates->requests.push_back(request);
    s.certificates->expected_certificate = second.der();
    Connected c(company.settings(), s);
    EXPECT_EQ(c.world.disagreement(c.client), "") << before;
    EXPECT_THAT(c.world.complaints(), IsEmpty()) << before;
  }
}

TEST(Certificates, AuthoritiesThatAreNoneOfOursAreNotRemembered) {
  Company company({KeyKind::p256});
  auto ws = company.settings();
  ws.kernel.dh_delay = 10s;
  const auto bob = company.person("bob");
  auto s = company.client(bob);
  s.certificates->requests = {Bytes(15000, 4)};
  Bytes ours{4};
  base::append(ours, company.root.subject_der());
  for (int i = 0; i < 3; ++i) s.certificates->requests.push_back(ours);
  World w(ws);
  NatBox nat(nat_a);
  auto& client = w.add(s, &nat);
  client.connect(w.now());
  w.run(1s);
  const auto* sa = w.engine().isakmp_sa(ike::SaNumber(1));
  ASSERT_NE(sa, nullptr);
  ASSERT_TRUE(sa->state.is<ike::AwaitDh>());
  EXPECT_THAT(sa->requested, ElementsAre(company.root.subject_der()));
}

TEST(Certificates, ChainIsSentAndTaken) {
  Company company({KeyKind::p256});
  const auto branch = company.root.issue({.subject = "O=Example, CN=Branch", .authority = true});
  const auto gateway = branch.issue({.subject = "O=Example, CN=branch gateway"});
  company.own[0] = identity_of(gateway, branch.pem());
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
  EXPECT_THAT(w.kernel().told(EventKind::authentication_failed),
              "its certificate (O=Elsewhere, CN=eve) matches no [[ike.certificate]]");
  EXPECT_EQ(w.engine().counters().authentication_failures, 1u) << "repetitions are not verified again";
  w.run(30s);
  EXPECT_TRUE(w.nothing_left());
}

TEST(Certificates, EachFaultIsRefusedWithItsSentenceAndLeavesNothing) {
  Company company({KeyKind::p256});
  const auto elsewhere = TestIdentity::self_signed({.subject = "O=Example, CN=Root", .authority = true});
  const auto expired = company.root.issue({.subject = "O=Example, CN=old", .from = -48h, .until = -24h});
  const auto revoked = company.person("revoked"), bob = company.person("bob");
  const auto foreign = elsewhere.issue({.subject = "O=Example, CN=foreign"});
  const auto server =
      company.root.issue({.subject = "O=Example, CN=www", .extended_key_usage = "serverAuth"});
  ASSERT_TRUE(company.verifier.add_revocations(company.root.revocation_list({&revoked})));
  auto misnamed = company.client(bob);
  misnamed.identity = company.client(revoked).identity;
  auto forged = company.client(bob);
  forged.certificates->damage_signature = true;
  auto naked = company.client(bob);
  naked.certificates->sent.clear();
  const std::pair<InitiatorSettings, const char*> faults[] = {
      {company.client(expired), "its certificate (O=Example, CN=old) has expired"},
      {company.client(revoked), "its certificate (O=Example, CN=revoked) is revoked"},
      {company.client(foreign), "its certificate (O=Example, CN=foreign) "},
      {company.client(server), "its certificate (O=Example, CN=www) is for other uses: "},
      {misnamed, "its certificate (O=Example, CN=bob) does not bear its identity, "},
      {forged, "its certificate (O=Example, CN=bob) did not make its signature"},
      {naked, "it sends no certificate that can be read"}};
  for (const auto& [settings, sentence] : faults) {
    SCOPED_TRACE(sentence);
    World w(company.settings());
    NatBox nat(nat_a);
    auto& client = w.add(settings, &nat);
    client.connect(w.now());
    w.run(3s);
    EXPECT_FALSE(client.ike_up());
    ASSERT_EQ(w.kernel().events_of(EventKind::authentication_failed), 1u);
    EXPECT_THAT(w.kernel().told(EventKind::authentication_failed), StartsWith(sentence));
    w.run(40s);
    EXPECT_TRUE(w.nothing_left());
  }
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
