// Signatures of phase 1, and our own certificate with its key.

#include <gmock/gmock.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

#include "../vector_file.h"
#include "harness/authority.h"
#include "pki/openssl.h"
#include "pki/own_certificate.h"

namespace pki {
namespace {

using harness::KeyKind;
using harness::TestIdentity;
using ike::AuthMethod;

struct Row {
  KeyKind key;
  AuthMethod method;
  std::size_t hash_size, size;
};
class EachMethod : public testing::TestWithParam<Row> {};

TEST_P(EachMethod, SignsWhatItsCertificateVerifiesAndNothingElse) {
  const auto [kind, method, hash_size, size] = GetParam();
  const auto identity = TestIdentity::self_signed({.subject = "CN=gateway", .key = kind});
  const auto key = PrivateKey::from_pem(base::as_bytes(identity.key_pem()));
  ASSERT_TRUE(key) << key.error().message;
  const auto certificate = *Certificate::from_der(identity.der());
  EXPECT_EQ(method_of(certificate), method);
  EXPECT_TRUE(key->belongs_to(certificate));
  const base::Bytes hash(hash_size, 0x5a);
  for (int i = 0; i < 20; ++i) {  // small r and s are padded
    auto signature = key->sign(method, hash);
    ASSERT_TRUE(signature) << signature.error().message;
    EXPECT_EQ(signature->size(), size);
    EXPECT_TRUE(verify(certificate, method, hash, *signature));
    signature->at(7) ^= 1;
    EXPECT_FALSE(verify(certificate, method, hash, *signature));
    if (method == AuthMethod::rsa_signature) break;
  }
  const auto good = *key->sign(method, hash);
  EXPECT_FALSE(verify(certificate, method, base::Bytes(hash_size, 0x5b), good));
  EXPECT_FALSE(verify(certificate, method, hash, base::ByteView(good).first(size - 1)));
  EXPECT_FALSE(verify(certificate, method, hash, {}));
  const auto other_method = method == AuthMethod::ecdsa_256 ? AuthMethod::ecdsa_384 : AuthMethod::ecdsa_256;
  EXPECT_FALSE(key->sign(other_method, hash));
  EXPECT_FALSE(verify(certificate, other_method, hash, good));
}

INSTANTIATE_TEST_SUITE_P(Signature, EachMethod,
                         testing::Values(Row{KeyKind::rsa, AuthMethod::rsa_signature, 20, 256},
                                         Row{KeyKind::p256, AuthMethod::ecdsa_256, 32, 64},
                                         Row{KeyKind::p384, AuthMethod::ecdsa_384, 48, 96},
                                         Row{KeyKind::p521, AuthMethod::ecdsa_521, 64, 132}));

TEST(Signature, EcdsaSignsTheHashAsItIs) {
  const auto identity = TestIdentity::self_signed({.subject = "CN=gateway", .key = KeyKind::p256});
  const auto key = *PrivateKey::from_pem(base::as_bytes(identity.key_pem()));
  const auto certificate = *Certificate::from_der(identity.der());
  const base::Bytes hash(32, 0x5a);
  const auto signature = *key.sign(AuthMethod::ecdsa_256, hash);
  // An independent verification: of r | s over the very hash, with no digest in between (RFC 4754).
  auto* value = ECDSA_SIG_new();
  ECDSA_SIG_set0(value, BN_bin2bn(signature.data(), 32, nullptr),
                 BN_bin2bn(signature.data() + 32, 32, nullptr));
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(value, &der);
  const PkeyContext context(EVP_PKEY_CTX_new(X509_get0_pubkey(certificate.get()), nullptr));
  ASSERT_EQ(EVP_PKEY_verify_init(context.get()), 1);
  EXPECT_EQ(EVP_PKEY_verify(context.get(), der, static_cast<std::size_t>(size), hash.data(), hash.size()), 1);
  OPENSSL_free(der);
  ECDSA_SIG_free(value);
  EXPECT_FALSE(key.sign(AuthMethod::ecdsa_256, base::Bytes(20, 0x5a))) << "of another prf";
}

TEST(Signature, EcdsaAgreesWithTheVectorsOfNistAndOfRfc4754) {
  const std::pair<std::string, AuthMethod> rows[] = {{"ecdsa256.nist", AuthMethod::ecdsa_256},
                                                     {"ecdsa384.nist", AuthMethod::ecdsa_384},
                                                     {"ecdsa256.rfc4754", AuthMethod::ecdsa_256},
                                                     {"ecdsa384.rfc4754", AuthMethod::ecdsa_384},
                                                     {"ecdsa521.rfc4754", AuthMethod::ecdsa_521}};
  const auto all = vectors::of("pki/ecdsa.txt");
  EXPECT_EQ(all.size(), std::size(rows) * 3) << "every vector is used";
  for (const auto& [name, method] : rows) {
    SCOPED_TRACE(name);
    const auto certificate = Certificate::from_der(base::from_hex(all.at(name + ".certificate")));
    ASSERT_TRUE(certificate);
    const auto signature = base::from_hex(all.at(name + ".signature"));
    auto hash = base::from_hex(all.at(name + ".hash"));
    EXPECT_TRUE(verify(*certificate, method, hash, signature));
    hash.back() ^= 1;
    EXPECT_FALSE(verify(*certificate, method, hash, signature));
  }
}

TEST(Signature, RsaHasNoDigestInfo) {
  const auto identity = TestIdentity::self_signed({.subject = "CN=gateway", .key = KeyKind::rsa});
  const auto key = *PrivateKey::from_pem(base::as_bytes(identity.key_pem()));
  const base::Bytes hash(20, 0x5a);
  const auto signature = *key.sign(AuthMethod::rsa_signature, hash);
  const auto certificate = *Certificate::from_der(identity.der());
  const PkeyContext context(EVP_PKEY_CTX_new(X509_get0_pubkey(certificate.get()), nullptr));
  base::Bytes plain(256);
  std::size_t size = plain.size();
  ASSERT_EQ(EVP_PKEY_verify_recover_init(context.get()), 1);
  ASSERT_EQ(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING), 1);
  ASSERT_EQ(EVP_PKEY_verify_recover(context.get(), plain.data(), &size, signature.data(), signature.size()),
            1);
  plain.resize(size);
  EXPECT_EQ(plain, hash) << "RFC 2409 §5.1";
}

TEST(OwnCertificate, KnowsItsChainAndWhoItIs) {
  const auto root = TestIdentity::self_signed({.subject = "CN=Root", .authority = true});
  const auto office = root.issue({.subject = "CN=Office", .authority = true});
  const auto gateway =
      office.issue({.subject = "CN=gw", .alternative_names = "DNS:vpn.example,IP:203.0.113.1"});
  const auto chain = gateway.pem() + office.pem();
  const auto key_text = gateway.key_pem();
  const PemFile file{"gw.pem", base::as_bytes(chain)}, key{"gw.key", base::as_bytes(key_text)};
  const auto own = own_identity(file, key, "");
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_EQ(own->certificate.method, AuthMethod::ecdsa_256);
  EXPECT_EQ(own->certificate.chain, (std::vector{gateway.der(), office.der()}));
  EXPECT_EQ(own->certificate.issuers, (std::vector{office.subject_der(), root.subject_der()}));
  base::Bytes dn{9, 0, 0, 0};
  base::append(dn, gateway.subject_der());
  EXPECT_EQ(own->certificate.id_body, dn);
  const auto named = own_identity(file, key, "vpn.example");
  ASSERT_TRUE(named);
  EXPECT_EQ(named->certificate.id_body[0], 2);
  const auto numbered = own_identity(file, key, "203.0.113.1");
  ASSERT_TRUE(numbered);
  EXPECT_EQ(numbered->certificate.id_body, (base::Bytes{1, 0, 0, 0, 203, 0, 113, 1}));
}

TEST(OwnCertificate, EachMistakeIsASentence) {
  const auto a = TestIdentity::self_signed({.subject = "CN=a"});
  const auto b = TestIdentity::self_signed({.subject = "CN=b"});
  const auto why = [](const std::string& chain, const std::string& key, std::string_view identity = "") {
    const auto own = own_identity({"a.pem", base::as_bytes(chain)}, {"a.key", base::as_bytes(key)}, identity);
    return own ? "accepted" : own.error().message;
  };
  EXPECT_EQ(why(a.pem(), a.key_pem()), "accepted");
  EXPECT_EQ(why(a.pem(), b.key_pem()), "a.key is not the key of a.pem");
  EXPECT_EQ(why(a.key_pem(), a.key_pem()), "a.pem holds no certificate in PEM form");
  EXPECT_EQ(why(a.pem(), a.pem()).substr(0, 62),
            "a.key holds no private key that can be read without a passphra");
  EXPECT_EQ(why(a.pem(), a.key_pem(), "vpn.example"),
            "a.pem does not bear the identity \"vpn.example\" among its alternative names");
  const auto doubts = [](const TestIdentity& identity) {
    const auto pem = identity.pem();
    return doubts_about({"a.pem", base::as_bytes(pem)});
  };
  EXPECT_THAT(doubts(a), testing::ElementsAre(testing::HasSubstr("a.pem has neither serverAuth")));
  const auto good = TestIdentity::self_signed({.subject = "CN=c", .extended_key_usage = "serverAuth"});
  EXPECT_THAT(doubts(good), testing::IsEmpty());
  using namespace std::chrono_literals;
  const auto old = TestIdentity::self_signed(
      {.subject = "CN=c", .extended_key_usage = "serverAuth", .from = -48h, .until = -24h});
  EXPECT_THAT(doubts(old), testing::ElementsAre("a.pem has expired: clients will refuse it"));
}

}  // namespace
}  // namespace pki
