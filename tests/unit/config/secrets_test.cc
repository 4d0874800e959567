#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"

namespace config {
namespace {

std::string refusal(std::string_view text) {
  const auto parsed = parse_secrets(text, "secrets.toml");
  return parsed ? "accepted" : parsed.error().message;
}

class SecretsFile : public testing::Test {
 protected:
  SecretsFile() {
    const int fd = ::mkstemp(path_);
    EXPECT_GE(fd, 0);
    ::close(fd);
    std::ofstream(path_) << "[user]\nalice = \"wonderland\"\n";
  }
  ~SecretsFile() override { ::unlink(path_); }
  char path_[32] = "/tmp/secrets.XXXXXX";
};

TEST(Secrets, AreReadByName) {
  const auto s =
      parse_secrets("[psk]\nfamily = \"abc\"\n[user]\n\"alice@home\" = \"d\\u00e9f\"\n", "secrets.toml");
  ASSERT_TRUE(s) << s.error().message;
  EXPECT_EQ(base::as_text(s->psk.at("family").at(0).view()), "abc");
  EXPECT_EQ(base::as_text(s->user.at("alice@home").view()),
            "d\xc3\xa9"
            "f");
}

TEST(Secrets, NoRefusalQuotesAValue) {
  const char* broken[] = {
      "[user]\nalice = hunter2\n",
      "[user]\nalice = \"hunter2\n",
      "[user]\nalice = \"hunter2\" hunter2\n",
      "[user]\nalice \"hunter2\"\n",
      "[user]\nalice = 'hunter2\\'hunter2'\n",
      "[user]\nalice = [\"hunter2\"]\n",
      "[psk]\nfamily = [\"hunter2\", 3]\n",
      "[user.alice]\npassword = \"hunter2\"\n",
      "[user]\nalice = \"hunter2\"\nalice = \"hunter2\"\n",
      "alice = \"hunter2\"\n",
  };
  for (const auto* text : broken) {
    const auto sentence = refusal(text);
    EXPECT_TRUE(sentence.starts_with("secrets.toml: line ")) << sentence;
    EXPECT_EQ(sentence.find("hunter"), std::string::npos) << sentence;
  }
}

TEST(Secrets, APskHasAnOldSecretBesideTheNewOneWhileClientsChangeOver) {
  const auto s = parse_secrets("[psk]\nfamily = [\"new\", \"old\"]\n", "secrets.toml");
  ASSERT_TRUE(s) << s.error().message;
  ASSERT_EQ(s->psk.at("family").size(), 2u);
  EXPECT_EQ(base::as_text(s->psk.at("family")[0].view()), "new");
  EXPECT_EQ(base::as_text(s->psk.at("family")[1].view()), "old");
  EXPECT_EQ(refusal("[psk]\nfamily = []\n"),
            "secrets.toml: line 2: psk.family: must be a list with something in it");
  EXPECT_EQ(refusal("[psk]\nfamily = [\"a\", \"\"]\n"),
            "secrets.toml: line 2: psk.family: must have 1 to 1024 octets");
  EXPECT_EQ(refusal("[psk]\nfamily = [\"a\", \"b\", \"c\", \"d\", \"e\"]\n"),
            "secrets.toml: line 2: psk.family: must have at most 4 secrets");
}

TEST(Secrets, EmptyAndForeignEntriesAreRefused) {
  EXPECT_EQ(refusal("[user]\nalice = \"\"\n"), "secrets.toml: line 2: user.alice: must have 1 to 255 octets");
  // A password that PAP and the plugin's protocol would cut short could never be right.
  EXPECT_EQ(refusal("[user]\nalice = \"" + std::string(255, 'x') + "\"\n"), "accepted");
  EXPECT_EQ(refusal("[user]\nalice = \"" + std::string(256, 'x') + "\"\n"),
            "secrets.toml: line 2: user.alice: must have 1 to 255 octets");
  EXPECT_EQ(refusal("[psk]\nfamily = \"" + std::string(1024, 'x') + "\"\n"), "accepted");
  EXPECT_EQ(refusal("[psk]\nfamily = \"" + std::string(1025, 'x') + "\"\n"),
            "secrets.toml: line 2: psk.family: must have 1 to 1024 octets");
  EXPECT_EQ(refusal("[user]\nalice = 3\n"), "secrets.toml: line 2: user.alice: must be a string");
  EXPECT_EQ(refusal("[radio]\n"), "secrets.toml: line 1: radio: unknown key");
  EXPECT_EQ(refusal("[radius]\n\"192.0.2.1\" = \"" + std::string(48, 'x') + "\"\n"), "accepted");
  EXPECT_EQ(refusal("[radius]\n\"192.0.2.1\" = \"" + std::string(49, 'x') + "\"\n"),
            "secrets.toml: line 2: radius.192.0.2.1: must have 1 to 48 octets");
  EXPECT_EQ(
      refusal("[radius]\n\"192.0.2.1\" = \"two words\"\n"),
      "secrets.toml: line 2: radius.192.0.2.1: must be ASCII characters without blanks: pppd's RADIUS plugin "
      "takes no others");
}

TEST(Secrets, WithRadiusEachServerNeedsOneAndNoUser) {
  const auto config = parse(
      "[ppp]\nlocal_address = \"10.0.0.1\"\npool = \"10.0.1.0/24\"\nusers = \"radius\"\n[[ike.psk]]\n"
      "name = \"family\"\n[radius]\nservers = [\"192.0.2.1\"]\n[[user]]\nname = \"alice\"\n",
      "sameroof.toml");
  ASSERT_TRUE(config) << config.error().message;
  const auto verdict = [&](std::string_view text) {
    const auto secrets = parse_secrets(text, "secrets.toml");
    const auto result = check(*config, *secrets);
    return result ? "accepted" : result.error().message;
  };
  EXPECT_EQ(verdict("[psk]\nfamily = \"x\"\n[radius]\n\"192.0.2.1\" = \"s\"\n"), "accepted");
  EXPECT_EQ(verdict("[psk]\nfamily = \"x\"\n[radius]\n\"192.0.2.2\" = \"s\"\n"),
            "sameroof.toml: line 7: radius: 192.0.2.1 has no secret: the secrets file has no such key under "
            "[radius]");
}

TEST(Secrets, EveryPskAndUserNeedsOne) {
  const auto config = parse(
      "[ppp]\nlocal_address = \"10.0.0.1\"\npool = \"10.0.1.0/24\"\n[[ike.psk]]\nname = \"family\"\n"
      "[[user]]\nname = \"alice\"\n",
      "sameroof.toml");
  ASSERT_TRUE(config) << config.error().message;
  const auto verdict = [&](std::string_view text) {
    const auto secrets = parse_secrets(text, "secrets.toml");
    const auto result = check(*config, *secrets);
    return result ? "accepted" : result.error().message;
  };
  EXPECT_EQ(verdict("[user]\nalice = \"x\"\n"),
            "sameroof.toml: line 4: ike.psk: \"family\" has no secret: the secrets file has no such key "
            "under [psk]");
  EXPECT_EQ(
      verdict("[psk]\nfamily = \"x\"\n"),
      "sameroof.toml: line 6: user: \"alice\" has no secret: the secrets file has no such key under [user]");
  EXPECT_EQ(verdict("[psk]\nfamily = \"x\"\n[user]\nalice = \"x\"\n"), "accepted");
}

TEST(Secrets, AGatewayWithoutAnyPskIsRefused) {
  const auto config = parse("[ppp]\nlocal_address = \"10.0.0.1\"\npool = \"10.0.1.0/24\"\n", "sameroof.toml");
  ASSERT_TRUE(config);
  const auto verdict = check(*config, Secrets{});
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error().message,
            "sameroof.toml: ike: at least one [[ike.psk]] or [[ike.certificate]] is needed");
  const auto empty =
      parse("[ppp]\nlocal_address = \"10.0.0.1\"\npool = \"10.0.1.0/24\"\n[ike]\n", "sameroof.toml");
  EXPECT_THAT(check(*empty, Secrets{}).error().message,
              ::testing::StartsWith("sameroof.toml: line 4: ike: at least"));
}

TEST(Secrets, ClearTextAloneNeedsNoPsk) {
  const auto config =
      parse("[l2tp]\ncleartext = \"only\"\n[ppp]\nlocal_address = \"10.0.0.1\"\npool = \"10.0.1.0/24\"\n",
            "sameroof.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->l2tp.cleartext, Cleartext::only);
  EXPECT_TRUE(check(*config, Secrets{}));
}

TEST(Secrets, TunnelsHaveOneOfTheirOwn) {
  const auto s = parse_secrets("[l2tp]\nsecret = \"abc\"\n", "secrets.toml");
  ASSERT_TRUE(s) << s.error().message;
  EXPECT_EQ(base::as_text(s->l2tp.view()), "abc");
  EXPECT_TRUE(parse_secrets("", "secrets.toml")->l2tp.empty());
  EXPECT_EQ(refusal("[l2tp]\nsecret = \"\"\n"),
            "secrets.toml: line 2: l2tp.secret: must have 1 to 255 octets");
  EXPECT_EQ(refusal("[l2tp]\nsecrets = \"x\"\n"), "secrets.toml: line 2: l2tp.secrets: unknown key");
}

TEST_F(SecretsFile, IsRefusedWhereItBelongsToAnother) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  ASSERT_EQ(::chown(path_, 12345, 12345), 0);
  EXPECT_EQ(load_secrets(path_).error().message,
            std::string(path_) + " belongs to user 12345, and must to user 0 (chown)");
}

TEST_F(SecretsFile, IsRefusedWhenOthersMayReadIt) {
  ::chmod(path_, 0640);
  const auto loose = load_secrets(path_);
  ASSERT_FALSE(loose);
  EXPECT_EQ(loose.error().message,
            std::string(path_) + " has mode 0640: nobody but its owner may read or write it (chmod 600)");
  ::chmod(path_, 0600);
  const auto tight = load_secrets(path_);
  ASSERT_TRUE(tight) << tight.error().message;
  EXPECT_EQ(base::as_text(tight->user.at("alice").view()), "wonderland");
}

TEST(Load, SaysWhichFileCannotBeOpened) {
  const auto config = load("/nonexistent/sameroof.toml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message, "cannot open /nonexistent/sameroof.toml: No such file or directory");
  EXPECT_EQ(load("/tmp").error().message, "/tmp is not a regular file");
}

TEST_F(SecretsFile, DoesNotWaitForAFifo) {
  ::unlink(path_);
  ASSERT_EQ(::mkfifo(path_, 0600), 0);
  const auto waits_for_nobody = load_secrets(path_);
  ASSERT_FALSE(waits_for_nobody);
  EXPECT_EQ(waits_for_nobody.error().message, std::string(path_) + " is not a regular file");
}

}  // namespace
}  // namespace config
