// Which certificates are good here, and in which words the others are refused.

#include "pki/verifier.h"

#include <gmock/gmock.h>

#include "harness/authority.h"
#include "pki/signature.h"

namespace pki {
namespace {

using harness::CertificateSettings;
using harness::TestIdentity;
using ike::AuthMethod;
using ike::CertificateEncoding;
using testing::HasSubstr;
using namespace std::chrono_literals;

const base::Bytes hash(32, 0x42);

base::Bytes id_of(ike::v1::IdType type, base::ByteView data) {
  return ike::v1::encode_identification({.type = type, .protocol = 0, .port = 0, .data = data});
}

CertificateSettings laptop() {
  return {.subject = "O=Example, CN=bob",
          .alternative_names = "DNS:bob.laptops.example,email:bob@example.com,IP:192.0.2.7",
          .extended_key_usage = "clientAuth"};
}

struct Office {
  TestIdentity root = TestIdentity::self_signed({.subject = "O=Example, CN=Root", .authority = true});
  TestIdentity bob = root.issue(laptop());

  Verifier verifier(Revocation revocation = Revocation::if_known,
                    std::string_view subject = "CN=*, O=Example", std::string san = "") const {
    Verifier out(revocation);
    out.trust(*Certificate::from_der(root.der()));
    out.add_class({.name = "laptops",
                   .subject = *NamePattern::parse(subject),
                   .issuer = {},
                   .alternative_name = std::move(san),
                   .bind_user = true});
    return out;
  }
};

ike::VerifyCertificate request_of(const TestIdentity& who, std::vector<const TestIdentity*> more = {}) {
  const auto key = *PrivateKey::from_pem(base::as_bytes(who.key_pem()));
  const auto method = *method_of(*Certificate::from_der(who.der()));
  ike::VerifyCertificate out{.ticket = ike::Ticket(1),
                             .method = method,
                             .id_body = id_of(ike::v1::IdType::der_asn1_dn, who.subject_der()),
                             .certificates = {{CertificateEncoding::x509_signature, who.der()}},
                             .hash = hash,
                             .signature = *key.sign(method, hash)};
  for (const auto* c : more) out.certificates.push_back({CertificateEncoding::x509_signature, c->der()});
  return out;
}

std::string verdict(const Verifier& verifier, const ike::VerifyCertificate& request) {
  const auto result = verifier.verify(request);
  return result ? "good: " + result->name : result.error().message;
}

TEST(Verifier, GoodCertificateSaysWhoItIs) {
  const Office office;
  const auto result = office.verifier().verify(request_of(office.bob));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->name, "laptops");
  EXPECT_EQ(result->certificate, "O=Example, CN=bob");
  EXPECT_EQ(result->method, AuthMethod::ecdsa_256);
  EXPECT_TRUE(result->device);
  EXPECT_EQ(result->fingerprint.size(), 64u);
  EXPECT_TRUE(result->bind_user);
  EXPECT_THAT(result->logins, testing::ElementsAre("bob", "bob@example.com"));
}

TEST(Verifier, IdentityIsTheSubjectOrAnAlternativeName) {
  using ike::v1::IdType;
  const Office office;
  const auto verifier = office.verifier();
  const auto with_id = [&](base::Bytes id) {
    auto request = request_of(office.bob);
    request.id_body = std::move(id);
    return verdict(verifier, request);
  };
  EXPECT_EQ(with_id(id_of(IdType::fqdn, base::as_bytes("Bob.laptops.example"))), "good: laptops");
  EXPECT_EQ(with_id(id_of(IdType::user_fqdn, base::as_bytes("bob@example.com"))), "good: laptops");
  EXPECT_EQ(with_id(id_of(IdType::ipv4_addr, base::Bytes{192, 0, 2, 7})), "good: laptops");
  EXPECT_EQ(with_id(id_of(IdType::ipv4_addr, base::Bytes{192, 0, 2, 8})),
            "its certificate (O=Example, CN=bob) does not bear its identity, 192.0.2.8");
  EXPECT_THAT(with_id(id_of(IdType::fqdn, base::as_bytes("eve.laptops.example"))), HasSubstr("identity"));
  EXPECT_THAT(with_id(id_of(IdType::fqdn, base::as_bytes("*"))), HasSubstr("identity"));
  EXPECT_THAT(with_id(id_of(IdType::user_fqdn, base::as_bytes("bob.laptops.example"))),
              HasSubstr("identity"));
  EXPECT_THAT(with_id(id_of(IdType::key_id, base::as_bytes("bob"))), HasSubstr("identity"));
  EXPECT_THAT(with_id(id_of(IdType::der_asn1_dn, office.root.subject_der())), HasSubstr("identity"));
  EXPECT_THAT(with_id(id_of(IdType::der_asn1_dn, {})), HasSubstr("identity"));
  EXPECT_EQ(with_id({9}), "its identity is malformed");
}

TEST(Verifier, EachFaultHasItsSentence) {
  const Office office;
  const auto verifier = office.verifier();
  const auto issued = [&](auto change) {
    auto s = laptop();
    change(s);
    return verdict(verifier, request_of(office.root.issue(s)));
  };
  EXPECT_EQ(issued([](auto& s) { s.from = -48h, s.until = -24h; }),
            "its certificate (O=Example, CN=bob) has expired");
  EXPECT_EQ(issued([](auto& s) { s.from = 1h; }), "its certificate (O=Example, CN=bob) is not valid yet");
  EXPECT_EQ(issued([](auto& s) { s.extended_key_usage = "serverAuth,codeSigning"; }),
            "its certificate (O=Example, CN=bob) is for other uses: its extended key usage is neither client "
            "authentication nor IPsec");
  EXPECT_EQ(issued([](auto& s) { s.key_usage = "keyEncipherment"; }),
            "its certificate (O=Example, CN=bob) is for other uses: its key usage permits no signatures");
  EXPECT_EQ(issued([](auto& s) { s.subject = "O=Elsewhere, CN=bob"; }),
            "its certificate (O=Elsewhere, CN=bob) matches no [[ike.certificate]]");
  for (const auto* usage : {"", "1.3.6.1.5.5.8.2.2", "1.3.6.1.5.5.7.3.17", "anyExtendedKeyUsage"})
    EXPECT_EQ(issued([&](auto& s) { s.extended_key_usage = usage; }), "good: laptops") << usage;
}

TEST(Verifier, CertificateOfAnotherAuthorityIsRefusedThoughItBearsTheName) {
  const Office office;
  const auto impostor = TestIdentity::self_signed({.subject = "O=Example, CN=Root", .authority = true});
  const auto bob = impostor.issue(laptop());
  EXPECT_THAT(verdict(office.verifier(), request_of(bob, {&impostor})), HasSubstr("O=Example, CN=bob"));
  EXPECT_THAT(verdict(office.verifier(), request_of(bob, {&impostor})), testing::Not(HasSubstr("good")));
  const auto other = TestIdentity::self_signed({.subject = "CN=Other", .authority = true});
  const auto stranger = other.issue(laptop());
  EXPECT_EQ(
      verdict(office.verifier(), request_of(stranger, {&other})),
      "its certificate (O=Example, CN=bob) leads to no authority that is trusted here (issued by CN=Other)");
  const auto alone = TestIdentity::self_signed(laptop());
  EXPECT_THAT(verdict(office.verifier(), request_of(alone)), HasSubstr("leads to no authority"));
}

TEST(Verifier, SignatureOfAnotherIsRefused) {
  const Office office;
  auto request = request_of(office.bob);
  const auto eve = office.root.issue({.subject = "O=Example, CN=eve"});
  request.signature = request_of(eve).signature;
  EXPECT_EQ(verdict(office.verifier(), request),
            "its certificate (O=Example, CN=bob) did not make its signature");
  request = request_of(office.bob);
  request.hash[0] ^= 1;  // of another exchange
  EXPECT_THAT(verdict(office.verifier(), request), HasSubstr("signature"));
}

TEST(Verifier, ChainThroughAnIntermediateIsCompletedFromWhatThePeerSends) {
  const Office office;
  const auto branch = office.root.issue({.subject = "O=Example, CN=Branch", .authority = true});
  const auto bob = branch.issue(laptop());
  const auto verifier = office.verifier();
  EXPECT_EQ(verdict(verifier, request_of(bob, {&branch})), "good: laptops");
  EXPECT_THAT(verdict(verifier, request_of(bob)), HasSubstr("leads to no authority"));
  auto windows = request_of(bob);
  windows.certificates = {{CertificateEncoding::pkcs7, harness::pkcs7_of({&branch, &bob})}};
  EXPECT_EQ(verdict(verifier, windows), "good: laptops") << "whatever their order";
  windows.certificates = {{CertificateEncoding::pkcs7, base::Bytes(40, 0x30)}};
  EXPECT_EQ(verdict(verifier, windows), "it sends no certificate that can be read");
  // Not everybody who has a certificate may issue others.
  const auto minion = office.bob.issue(laptop());
  EXPECT_THAT(verdict(verifier, request_of(minion, {&office.bob})), testing::Not(HasSubstr("good")));
  windows.certificates = {{CertificateEncoding::x509_signature, office.root.der()}};
  EXPECT_EQ(verdict(verifier, windows), "it sends only certificates of authorities");
}

TEST(Verifier, RevokedCertificateIsRefused) {
  const Office office;
  const auto alice = office.root.issue({.subject = "O=Example, CN=alice"});
  const auto list = office.root.revocation_list({&office.bob});
  const auto pem = harness::pem_of_list(list);
  for (const auto text : {base::ByteView(list), base::as_bytes(pem)}) {
    auto verifier = office.verifier();
    ASSERT_TRUE(verifier.add_revocations(text));
    EXPECT_EQ(verdict(verifier, request_of(office.bob)), "its certificate (O=Example, CN=bob) is revoked");
    EXPECT_EQ(verdict(verifier, request_of(alice)), "good: laptops");
  }
  auto verifier = office.verifier();
  EXPECT_FALSE(verifier.add_revocations(base::as_bytes("nonsense")));
}

TEST(Verifier, OutdatedListStillRevokesAndWhereRequiredKeepsAllOut) {
  const Office office;
  const auto alice = office.root.issue({.subject = "O=Example, CN=alice"});
  const auto old = office.root.revocation_list({&office.bob}, -1h);
  auto lenient = office.verifier();
  ASSERT_TRUE(lenient.add_revocations(old));
  EXPECT_THAT(verdict(lenient, request_of(office.bob)), HasSubstr("is revoked"));
  EXPECT_EQ(verdict(lenient, request_of(alice)), "good: laptops");
  auto strict = office.verifier(Revocation::required);
  EXPECT_THAT(verdict(strict, request_of(alice)), HasSubstr("without a revocation list"));
  ASSERT_TRUE(strict.add_revocations(old));
  EXPECT_THAT(verdict(strict, request_of(alice)), HasSubstr("outdated"));
  auto current = office.verifier(Revocation::required);
  ASSERT_TRUE(current.add_revocations(office.root.revocation_list({})));
  EXPECT_EQ(verdict(current, request_of(alice)), "good: laptops");
}

TEST(Verifier, ClassesMatchByAlternativeNameAndByAuthority) {
  const Office office;
  EXPECT_EQ(
      verdict(office.verifier(Revocation::if_known, "CN=*", "*.laptops.example"), request_of(office.bob)),
      "good: laptops");
  EXPECT_THAT(
      verdict(office.verifier(Revocation::if_known, "CN=*", "*.phones.example"), request_of(office.bob)),
      HasSubstr("matches no"));
  Verifier verifier(Revocation::if_known);
  verifier.trust(*Certificate::from_der(office.root.der()));
  const auto add = [&](std::string name, std::string_view issuer) {
    verifier.add_class({.name = std::move(name),
                        .subject = {},
                        .issuer = *NamePattern::parse(issuer),
                        .alternative_name = {},
                        .bind_user = false});
  };
  add("branch", "CN=Branch");
  add("head office", "CN=Root");
  const auto branch = office.root.issue({.subject = "CN=Branch", .authority = true});
  EXPECT_EQ(verdict(verifier, request_of(branch.issue(laptop()), {&branch})), "good: branch");
  EXPECT_EQ(verdict(verifier, request_of(office.bob)), "good: head office");
}

TEST(Verifier, NoCertificateAndTooManyAreRefused) {
  const Office office;
  auto request = request_of(office.bob);
  request.certificates.clear();
  EXPECT_EQ(verdict(office.verifier(), request), "it sends no certificate that can be read");
  request = request_of(office.bob);
  for (int i = 0; i < 16; ++i) request.certificates.push_back(request.certificates.front());
  EXPECT_EQ(verdict(office.verifier(), request), "it sends more than 16 certificates");
}

}  // namespace
}  // namespace pki
