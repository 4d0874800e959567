#include "ikd/credentials.h"

#include <filesystem>

#include <gmock/gmock.h>

#include "folder.h"
#include "harness/authority.h"

namespace ikd {
namespace {

using harness::TestIdentity;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

/// A folder with an authority, a gateway's certificate and key, and a configuration that names them.
class CredentialsTest : public InAFolder {
 protected:
  CredentialsTest() {
    write("ca.pem", root.pem());
    write("gw.pem", gateway.pem());
    write("gw.key", gateway.key_pem(), 0600);
  }

  /// What loading says, with the folder's name left out.
  std::string verdict(std::string_view more_of_ike = "", std::string_view more_of_own = "",
                      std::string_view more_of_class = "") const {
    const auto text = "[ike]\ntrust = [\"" + path("ca.pem") + "\"]\n" + std::string(more_of_ike) +
                      "[[ike.own_certificate]]\nfile = \"" + path("gw.pem") + "\"\nkey = \"" +
                      path("gw.key") + "\"\n" + std::string(more_of_own) +
                      "[[ike.certificate]]\nname = \"all\"\n" + std::string(more_of_class) +
                      "[ppp]\nlocal_address = \"10.99.0.1\"\npool = \"10.99.1.0/24\"\n";
    const auto config = config::parse(text, "sameroof.toml");
    if (!config) return config.error().message;
    const auto authorities = load_authorities(*config, config::read_file);
    const auto own = load_own_certificates(*config);
    auto out = !authorities ? authorities.error().message : !own ? own.error().message : "loaded";
    for (auto at = out.find(folder_); at != out.npos; at = out.find(folder_)) out.erase(at, folder_.size());
    return out;
  }

  TestIdentity root = TestIdentity::self_signed({.subject = "CN=Root", .authority = true});
  TestIdentity gateway = root.issue({.subject = "CN=gw", .extended_key_usage = "serverAuth"});
};

TEST_F(CredentialsTest, GoodFilesAreLoaded) {
  EXPECT_EQ(verdict(), "loaded");
  write("ca.crl", harness::pem_of_list(root.revocation_list({})));
  EXPECT_EQ(verdict("revocation = [\"" + path("ca.crl") + "\"]\n"), "loaded");
  EXPECT_EQ(verdict("", "", "subject = \"CN=*\"\nissuer = \"CN=Root\"\n"), "loaded");
}

TEST_F(CredentialsTest, WhatIsMissingIsNamed) {
  EXPECT_EQ(verdict("revocation = [\"/nowhere/ca.crl\"]\n"),
            "sameroof.toml: line 3: ike.revocation: cannot open /nowhere/ca.crl: No such file or directory");
  std::filesystem::remove(path("gw.key"));
  EXPECT_EQ(verdict(),
            "sameroof.toml: line 3: ike.own_certificate.key: cannot open /gw.key: No such file or directory");
  std::filesystem::remove(path("gw.pem"));
  EXPECT_EQ(
      verdict(),
      "sameroof.toml: line 3: ike.own_certificate.file: cannot open /gw.pem: No such file or directory");
  std::filesystem::remove(path("ca.pem"));
  EXPECT_EQ(verdict(), "sameroof.toml: line 2: ike.trust: cannot open /ca.pem: No such file or directory");
}

TEST_F(CredentialsTest, AChainThatIsTheWholeWorldsAuthoritiesIsRefused) {
  std::string chain = gateway.pem();
  for (int i = 0; i < 500; ++i) chain += root.pem();
  write("gw.pem", chain);
  EXPECT_EQ(
      verdict(),
      "sameroof.toml: line 3: ike.own_certificate.file: /gw.pem has more certificates than the gateway's "
      "own and those of its authorities");
}

TEST_F(CredentialsTest, KeyThatOthersMayReadIsRefused) {
  write("gw.key", gateway.key_pem(), 0640);
  EXPECT_EQ(
      verdict(),
      "sameroof.toml: line 3: ike.own_certificate.key: /gw.key has mode 0640: nobody but its owner may read "
      "or write it (chmod 600)");
}

TEST_F(CredentialsTest, KeyOfAnotherCertificateIsRefused) {
  write("gw.key", root.key_pem(), 0600);
  EXPECT_EQ(verdict(), "sameroof.toml: line 3: ike.own_certificate: /gw.key is not the key of /gw.pem");
}

TEST_F(CredentialsTest, KeyThatCannotBeReadIsRefused) {
  write("gw.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0600);
  EXPECT_THAT(
      verdict(),
      StartsWith("sameroof.toml: line 3: ike.own_certificate: /gw.key holds no private key that can be "
                 "read without a passphrase: "));
  write("gw.key", "", 0600);
  EXPECT_THAT(verdict(), HasSubstr("/gw.key holds no private key"));
}

TEST_F(CredentialsTest, KeyWithAPassphraseIsRefusedAndNobodyIsAsked) {
  write("gw.key", gateway.key_pem_with_passphrase(), 0600);
  EXPECT_THAT(verdict(), HasSubstr("/gw.key holds no private key that can be read without a passphrase"));
}

TEST_F(CredentialsTest, OnlyAuthoritiesAreTrusted) {
  write("ca.pem", root.pem() + gateway.pem());
  EXPECT_EQ(verdict(), "sameroof.toml: line 2: ike.trust: /ca.pem: CN=gw is no authority");
  write("ca.pem", "nothing of the kind");
  EXPECT_EQ(verdict(), "sameroof.toml: line 2: ike.trust: /ca.pem holds no certificate in PEM form");
  write("ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  EXPECT_THAT(verdict(),
              StartsWith("sameroof.toml: line 2: ike.trust: /ca.pem holds a broken certificate: "));
}

TEST_F(CredentialsTest, BrokenListAndPatternsAreRefused) {
  write("ca.crl", "no list");
  EXPECT_THAT(verdict("revocation = [\"" + path("ca.crl") + "\"]\n"),
              StartsWith("sameroof.toml: line 3: ike.revocation: /ca.crl holds no revocation list"));
  EXPECT_EQ(verdict("", "", "subject = \"everybody\"\n"),
            "sameroof.toml: line 6: ike.certificate.subject: must be a name such as \"CN=*, O=Example\"");
  EXPECT_EQ(verdict("", "", "issuer = \"CN\"\n"),
            "sameroof.toml: line 6: ike.certificate.issuer: must be a name such as \"CN=*, O=Example\"");
}

TEST_F(CredentialsTest, IdentityMustBeInTheCertificate) {
  EXPECT_EQ(
      verdict("", "identity = \"vpn.example\"\n"),
      "sameroof.toml: line 3: ike.own_certificate: /gw.pem does not bear the identity \"vpn.example\" among "
      "its alternative names");
}

}  // namespace
}  // namespace ikd
