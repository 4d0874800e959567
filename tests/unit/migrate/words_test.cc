#include "migrate/words.h"

#include <gmock/gmock.h>

namespace migrate {
namespace {

std::vector<std::string> words(std::string_view line) {
  std::vector<std::string> out;
  while (const auto word = next_word(line)) out.emplace_back(text_of(*word));
  return out;
}

TEST(Words, AreQuotedAsPppdQuotesThem) {
  EXPECT_EQ(words(R"("al ice" l2tpd 'pass"wd' *  # her)"),
            (std::vector<std::string>{"al ice", "l2tpd", "pass\"wd", "*"}));
  EXPECT_EQ(words(R"(bob * a\ b\"c #)"), (std::vector<std::string>{"bob", "*", "a b\"c"}));
  EXPECT_EQ(words(R"(x "")"), (std::vector<std::string>{"x", ""}));
  EXPECT_TRUE(words("  # nothing").empty());
}

TEST(Words, ProposalsOfEachDialectAreOurs) {
  EXPECT_EQ(ike_proposal("aes256-sha2;modp2048"), "aes256-sha256-modp2048");
  EXPECT_EQ(ike_proposal("AES128-SHA1;DH14"), "aes128-sha1-modp2048");
  EXPECT_EQ(ike_proposal("aes256-sha2_512-ecp384"), "aes256-sha512-ecp384");
  EXPECT_EQ(esp_proposal("aes_gcm-null"), "aes128gcm16");
  EXPECT_EQ(esp_proposal("aes256-sha2_256"), "aes256-sha256");
  EXPECT_FALSE(ike_proposal("blowfish-md5-modp768"));
  EXPECT_FALSE(ike_proposal(""));
}

TEST(Words, TimesHaveUnits) {
  EXPECT_EQ(seconds_of("24h"), 86400);
  EXPECT_EQ(seconds_of("3600s"), 3600);
  EXPECT_EQ(seconds_of("90m"), 5400);
  EXPECT_EQ(seconds_of("30"), 30);
  EXPECT_FALSE(seconds_of("soon"));
  EXPECT_FALSE(seconds_of("-5h"));
  EXPECT_FALSE(seconds_of(""));
}

TEST(Words, AKeyIsTextHexadecimalOrBase64) {
  const auto key = [](std::string_view text) {
    OldSetup out;
    add_key(base::as_bytes(text), std::nullopt, "f:1", out);
    return out.keys.empty() ? std::string("lost") : std::string(text_of(out.keys[0].secret));
  };
  EXPECT_EQ(key("swordfish"), "swordfish");
  EXPECT_EQ(key("0x73776f7264"), "sword");
  EXPECT_EQ(key("0sc3dvcmQ="), "sword");
  for (const auto* bad : {"0x7", "0xzz", "0x00ff", "0s!", "", "\xff\xfe", "a\nb"})
    EXPECT_EQ(key(bad), "lost") << bad;
}

TEST(Words, AnIncludeReadsWhatItsPatternNamesAndNotItself) {
  Files files;
  for (const auto* name :
       {"/etc/ipsec.d/a.conf", "/etc/ipsec.d/b.conf", "/etc/ipsec.d/x/c.conf", "/etc/ipsec.conf"})
    files.emplace(name, base::Secret());
  EXPECT_EQ(included(files, "/etc/ipsec.conf", "/etc/ipsec.d/*.conf"),
            (std::vector<std::string>{"/etc/ipsec.d/a.conf", "/etc/ipsec.d/b.conf"}));
  EXPECT_EQ(included(files, "/etc/ipsec.conf", "ipsec.d/a.conf"),
            std::vector<std::string>{"/etc/ipsec.d/a.conf"});
  EXPECT_TRUE(included(files, "/etc/ipsec.conf", "*.conf").empty());
}

}  // namespace
}  // namespace migrate
