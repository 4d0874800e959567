// The files of ikd as one value, and what is different when they are read again.

#include "ikd/reload.h"

#include <filesystem>

#include <gmock/gmock.h>

#include "folder.h"
#include "harness/authority.h"

namespace ikd {
namespace {

using harness::TestIdentity;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A folder with everything that ikd can be given.
class ReloadTest : public InAFolder {
 protected:
  ReloadTest() {
    write("ca.pem", root.pem());
    write("ca.crl", harness::pem_of_list(root.revocation_list({})));
    write_gateway(gateway);
    write("secrets.toml", "[psk]\nfamily = \"swordfish\"\nguests = \"opensesame\"\n", 0600);
    configure();
  }
  void write_gateway(const TestIdentity& identity) const {
    write("gw.pem", identity.pem());
    write("gw.key", identity.key_pem(), 0600);
  }
  void configure(const std::string& first = "", const std::string& ike = "", const std::string& psk = "",
                 const std::string& more = "") const {
    write("sameroof.toml", first + "[ike]\ntrust = [\"" + path("ca.pem") + "\"]\nrevocation = [\"" +
                               path("ca.crl") + "\"]\n" + ike + "[[ike.psk]]\nname = \"family\"\n" + psk +
                               "[[ike.own_certificate]]\nfile = \"" + path("gw.pem") + "\"\nkey = \"" +
                               path("gw.key") + "\"\n[[ike.certificate]]\nname = \"staff\"\n" + more +
                               "[ppp]\nlocal_address = \"10.99.0.1\"\npool = \"10.99.1.0/24\"\n");
  }
  Loaded loaded() const {
    auto out = load(path("sameroof.toml"), path("secrets.toml"));
    EXPECT_TRUE(out) << out.error().message;
    return std::move(*out);
  }

  TestIdentity root = TestIdentity::self_signed({.subject = "CN=Root", .authority = true});
  TestIdentity gateway = root.issue({.subject = "CN=gw", .extended_key_usage = "serverAuth"});
};

TEST_F(ReloadTest, WhatIsHandedOverPreparesTheOtherProcessWithoutAnyFile) {
  const auto provision = loaded().provision;
  std::filesystem::remove(path("ca.pem"));
  std::filesystem::remove(path("ca.crl"));
  const auto prepared = prepare(provision);
  ASSERT_TRUE(prepared) << prepared.error().message;
  EXPECT_TRUE(prepared->settings.psks.contains("family"));
  EXPECT_THAT(prepared->settings.trusted_names, ElementsAre(root.subject_der()));
  ASSERT_EQ(prepared->settings.certificates.size(), 1u);
  EXPECT_THAT(prepared->settings.certificates[0].chain, ElementsAre(gateway.der()));
  auto incomplete = provision;
  incomplete.files.pop_back();
  const auto refused = prepare(incomplete);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("ca.crl was not handed over"));
}

TEST_F(ReloadTest, NothingSecretIsHandedOver) {
  const auto provision = loaded().provision;
  for (const auto* secret : {"swordfish", "PRIVATE"}) {
    EXPECT_EQ(provision.configuration.find(secret), std::string::npos);
    for (const auto& file : provision.files)
      EXPECT_EQ(base::as_text(file.bytes).find(secret), std::string::npos) << file.path;
  }
}

TEST_F(ReloadTest, PrivateKeyAmongAuthoritiesIsRefused) {
  write("ca.pem", root.pem() + root.key_pem());
  const auto out = load(path("sameroof.toml"), path("secrets.toml"));
  ASSERT_FALSE(out);
  EXPECT_THAT(out.error().message, HasSubstr("line 2: ike.trust: "));
  EXPECT_THAT(out.error().message, HasSubstr("ca.pem holds a private key"));
}

TEST_F(ReloadTest, ThousandsOfNewKeysAreCounted) {
  const auto before = loaded();
  std::string many, secrets = "[psk]\nfamily = \"swordfish\"\n";
  for (int i = 0; i < 10000; ++i) {
    many += "[[ike.psk]]\nname = \"key " + std::to_string(i) + "\"\n";
    secrets += "\"key " + std::to_string(i) + "\" = \"secret " + std::to_string(i) + "\"\n";
  }
  write("secrets.toml", secrets, 0600);
  configure("", "", many);
  EXPECT_THAT(changes(before, loaded()), ElementsAre("+ PSK key 0, 10000 of them"));
}

TEST_F(ReloadTest, TheSameFilesChangeNothingWhereverThingsStandInThem) {
  const auto before = loaded();
  EXPECT_THAT(changes(before, loaded()), IsEmpty());
  configure("# a line more\n\n");
  EXPECT_THAT(changes(before, loaded()), IsEmpty());
  write("secrets.toml", "[psk]\nfamily = [\"new\", \"swordfish\"]\n", 0600);
  EXPECT_THAT(changes(before, loaded()), IsEmpty()) << "secrets are nobody's business";
  EXPECT_EQ(summary({}), "nothing but secrets may have changed");
}

TEST_F(ReloadTest, EachDifferenceHasItsLine) {
  const auto before = loaded();
  configure("", "dpd_seconds = 30\n");
  EXPECT_THAT(changes(before, loaded()), ElementsAre("~ [ike]"));
  configure("", "", "[[ike.psk]]\nname = \"guests\"\n");
  EXPECT_THAT(changes(before, loaded()), ElementsAre("+ PSK guests"));
  configure("", "", "device = true\n");
  EXPECT_THAT(changes(before, loaded()), ElementsAre("~ PSK family"));
  configure("", "", "", "[[ike.certificate]]\nname = \"machines\"\n");
  EXPECT_THAT(changes(before, loaded()), ElementsAre("+ certificate class machines"));
  EXPECT_THAT(changes(loaded(), before), ElementsAre("- certificate class machines"));
  configure("", "", "", "subject = \"CN=*\"\n");
  EXPECT_THAT(changes(before, loaded()), ElementsAre("~ certificate class staff"));
  EXPECT_EQ(summary({"+ PSK guests", "~ [ike]"}), "+ PSK guests, ~ [ike]");
}

TEST_F(ReloadTest, FilesCountByWhatIsInThem) {
  const auto before = loaded();
  write("ca.crl", harness::pem_of_list(root.revocation_list({&gateway})));
  EXPECT_THAT(changes(before, loaded()), ElementsAre("~ ike.revocation"));
  const auto other = TestIdentity::self_signed({.subject = "CN=Other", .authority = true});
  write("ca.pem", root.pem() + other.pem());
  EXPECT_THAT(changes(before, loaded()), ElementsAre("~ ike.trust", "~ ike.revocation"));
  write_gateway(root.issue({.subject = "CN=gw", .extended_key_usage = "serverAuth"}));
  EXPECT_THAT(changes(before, loaded()),
              ElementsAre("~ ike.trust", "~ ike.revocation", "~ ike.own_certificate"));
}

TEST_F(ReloadTest, WhatOnlyARestartCanChangeIsRefusedByName) {
  const auto before = loaded();
  const auto refusal = [&](const std::string& first, const std::string& ike, const std::string& more) {
    configure(first, ike, "", more);
    const auto good = check_reload(before.config, loaded().config);
    return good ? "" : good.error().message;
  };
  EXPECT_EQ(refusal("", "", ""), "");
  EXPECT_EQ(refusal("", "dpd_seconds = 30\n", "[l2tp]\nhello_seconds = 30\n"), "") << "hello is l2tpd's";
  EXPECT_EQ(refusal("[marks]\nmask = 0x00ffff00\n", "", ""),
            "sameroof.toml: line 1: marks: changes at a restart only");
  EXPECT_EQ(refusal("", "listen = [\"192.0.2.1\"]\n", ""),
            "sameroof.toml: line 1: ike.listen: changes at a restart only");
  EXPECT_EQ(refusal("", "", "[l2tp]\nlns = \"external\"\n"),
            "sameroof.toml: line 11: l2tp: changes at a restart only");
  EXPECT_EQ(refusal("", "", "[[service]]\nprotocol = \"tcp\"\nport = 80\n"),
            "sameroof.toml: service: changes at a restart only");
}

}  // namespace
}  // namespace ikd
