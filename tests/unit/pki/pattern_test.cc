#include "pki/pattern.h"

#include <gtest/gtest.h>

namespace pki {
namespace {

bool fits(std::string_view pattern, const Attributes& name) {
  const auto parsed = NamePattern::parse(pattern);
  return parsed && parsed->matches(name);
}

const Attributes bob{{"C", "CH"}, {"O", "Example, Inc."}, {"OU", "Sales"}, {"CN", "bob"}};

TEST(Pattern, StarStandsForAnyCharactersButTheBarrier) {
  EXPECT_TRUE(glob("*", ""));
  EXPECT_TRUE(glob("a*c", "abbc"));
  EXPECT_TRUE(glob("a*c", "ac"));
  EXPECT_TRUE(glob("*.Example", "vpn.eXAMPLE"));
  EXPECT_TRUE(glob("*a*b*", "xxaxxbxx"));
  EXPECT_FALSE(glob("a*c", "abd"));
  EXPECT_FALSE(glob("", "a"));
  EXPECT_FALSE(glob("*.example", "a.b.example", '.'));
  EXPECT_TRUE(glob("*.*.example", "a.b.example", '.'));
  EXPECT_FALSE(glob(std::string(2000, '*'), std::string(2000, 'a'))) << "nobody is named like that";
}

TEST(Pattern, NamesOnlyTheKindsItCaresFor) {
  EXPECT_TRUE(fits("CN=*, O=Example\\, Inc.", bob));
  EXPECT_TRUE(fits("cn=BOB", bob));
  EXPECT_TRUE(fits("OU=Sales,CN=*", bob)) << "the order is free";
  EXPECT_FALSE(fits("CN=alice", bob));
  EXPECT_FALSE(fits("O=Example", bob));
  EXPECT_FALSE(fits("L=*", bob)) << "it must be there";
}

TEST(Pattern, SecondAttributeOfAKindIsNotSmuggledIn) {
  EXPECT_FALSE(fits("O=Example", {{"O", "Example"}, {"O", "Evil"}}));
  EXPECT_FALSE(fits("CN=*, O=Example, O=Branch", {{"O", "Example"}, {"CN", "x"}}));
  EXPECT_TRUE(fits("O=Branch, O=Ex*", {{"O", "Example"}, {"O", "Branch"}}));
}

TEST(Pattern, WhatIsNoNameIsRefused) {
  EXPECT_FALSE(NamePattern::parse(""));
  EXPECT_FALSE(NamePattern::parse("bob"));
  EXPECT_FALSE(NamePattern::parse("CN=a, =b"));
  EXPECT_FALSE(NamePattern::parse("OU=a,OU=b,OU=c,OU=d,OU=e"));
}

TEST(Pattern, AlternativeNamesAreHostsOrAddressesOfPeople) {
  EXPECT_TRUE(alternative_name_matches("*.laptops.example", "bob.laptops.example"));
  EXPECT_FALSE(alternative_name_matches("*.laptops.example", "x.bob.laptops.example"));
  EXPECT_FALSE(alternative_name_matches("*.laptops.example", "laptops.example"));
  EXPECT_TRUE(alternative_name_matches("*@example.com", "bob.b@example.com"));
  EXPECT_FALSE(alternative_name_matches("*@example.com", "bob@evil@example.com"));
  EXPECT_FALSE(alternative_name_matches("*", "bob@example.com")) << "a host pattern is for hosts";
}

}  // namespace
}  // namespace pki
