#include "ikd/settings.h"

#include <gtest/gtest.h>

namespace ikd {
namespace {

config::Config with(std::string_view ike_lines) {
  std::string text = "[ike]\n";
  text += ike_lines;
  text += "\n[[ike.psk]]\nname = \"lab\"\n[ppp]\nlocal_address = \"10.99.0.1\"\npool = \"10.99.1.0/24\"\n";
  auto config = config::parse(text, "sameroof.toml");
  EXPECT_TRUE(config) << (config ? "" : config.error().message);
  return config ? std::move(*config) : config::Config{};
}

TEST(Settings, DefaultProposalsHoldNothingWeak) {
  const auto settings = settings_from(with(""));
  ASSERT_TRUE(settings);
  ASSERT_FALSE(settings->ike_transforms.empty());
  for (const auto& t : settings->ike_transforms) {
    EXPECT_NE(t.group, crypto::Group::modp1024);
    EXPECT_NE(t.group, crypto::Group::modp1536);
    EXPECT_NE(t.cipher, crypto::Cipher::des3_cbc);
    EXPECT_NE(t.hash, crypto::Hash::md5);
  }
  for (const auto& s : settings->esp_suites) {
    EXPECT_NE(s.encryption, xfrm::Encryption::des3_cbc);
    EXPECT_NE(s.encryption, xfrm::Encryption::null);
    EXPECT_NE(s.integrity, xfrm::Integrity::hmac_md5_96);
  }
}

TEST(Settings, NamedProposalsReplaceTheDefaultInTheirOrder) {
  const auto settings =
      settings_from(with("proposals = [\"3des-sha1-modp1024\", \"aes256-sha256-ecp256\"]\nesp_proposals = "
                         "[\"aes256gcm16\", \"3des-md5\"]"));
  ASSERT_TRUE(settings);
  ASSERT_EQ(settings->ike_transforms.size(), 2u);
  EXPECT_EQ(settings->ike_transforms[0],
            (ike::IkeTransform{crypto::Cipher::des3_cbc, 0, crypto::Hash::sha1, crypto::Group::modp1024}));
  ASSERT_EQ(settings->esp_suites.size(), 2u);
  EXPECT_EQ(to_string(settings->esp_suites[1]), "3des-md5");
}

TEST(Settings, AnUnknownProposalIsNamedWithItsLine) {
  const auto settings =
      settings_from(with("proposals = [\"aes256-sha256-modp2048\",\n\"aes256-sha257-modp2048\"]"));
  ASSERT_FALSE(settings);
  EXPECT_NE(settings.error().message.find("line 3"), std::string::npos) << settings.error().message;
  EXPECT_NE(settings.error().message.find("aes256-sha257-modp2048"), std::string::npos);
}

TEST(Settings, InnerIdsArePrivateOrOuterUnlessTheySayOtherwise) {
  const auto usual = settings_from(with(""));
  ASSERT_TRUE(usual);
  EXPECT_TRUE(usual->inner_ids.outer);
  EXPECT_EQ(usual->inner_ids.networks, ike::private_networks());
  EXPECT_EQ(usual->nat_detection, ike::v1::NatDetection::truthful);
  const auto other = settings_from(with("inner_ids = [\"25.0.0.0/8\"]\nnat_detection = \"echo\""));
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->inner_ids.outer);
  EXPECT_EQ(other->inner_ids.networks, std::vector{*base::Prefix::parse("25.0.0.0/8")});
  EXPECT_EQ(other->nat_detection, ike::v1::NatDetection::echo);
}

TEST(Settings, IdentityIsAnAddressOrAName) {
  const auto identity = [](std::string_view line) { return base::hex(settings_from(with(line))->identity); };
  EXPECT_EQ(identity(""), "");
  EXPECT_EQ(identity("identity = \"203.0.113.1\""), "01000000cb007101");
  EXPECT_EQ(identity("identity = \"2001:db8::1\""), "0500000020010db8000000000000000000000001");
  EXPECT_EQ(identity("identity = \"vpn.example\""), "0200000076706e2e6578616d706c65");
}

TEST(Settings, VendorIdsCanBeMinimal) {
  EXPECT_EQ(settings_from(with(""))->vendor_ids, ike::VendorIds::all);
  EXPECT_EQ(settings_from(with("vendor_ids = \"minimal\""))->vendor_ids, ike::VendorIds::minimal);
}

TEST(Settings, MarksAreAskedForUnlessAnotherDaemonServesL2tp) {
  EXPECT_EQ(settings_from(with(""))->numbering.lookup, ike::OutboundLookup::alias_and_mark);
  EXPECT_EQ(settings_from(with("[l2tp]\nlns = \"external\""))->numbering.lookup, ike::OutboundLookup::alias);
}

TEST(Settings, AnAeadWithAnIntegrityAlgorithmIsRefused) {
  EXPECT_FALSE(settings_from(with("esp_proposals = [\"aes256gcm16-sha1\"]")));
  EXPECT_FALSE(settings_from(with("esp_proposals = [\"aes256\"]")));
}

}  // namespace
}  // namespace ikd
