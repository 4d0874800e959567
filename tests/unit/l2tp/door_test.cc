// Which datagrams come to the core: by mark and address, as the ruleset has put them in.

#include "l2tpd/door.h"

#include <gtest/gtest.h>

namespace l2tpd {
namespace {

using config::Cleartext;

base::Address address(const char* text) { return *base::Address::parse(text); }

const config::Marks marks;  // number << 8 in 0x0fffff00, aliases in 240.0.0.0/8
const base::Mark none, seven(0x700);
const auto alias_of_seven = address("240.0.0.7"), alias_of_eight = address("240.0.0.8");
const auto anybody = address("192.0.2.1"), anybody_v6 = address("2001:db8::1");

Entry judge(Cleartext cleartext, base::Mark mark, const base::Address& from,
            const config::Marks& of = marks) {
  return Door(of, cleartext).judge(mark, from);
}

TEST(Door, APeerComesFromTheAliasThatBelongsToItsMark) {
  for (const auto cleartext : {Cleartext::off, Cleartext::beside}) {
    EXPECT_EQ(judge(cleartext, seven, alias_of_seven), Entry::welcome);
    EXPECT_EQ(judge(cleartext, seven, alias_of_eight), Entry::astray);
    EXPECT_EQ(judge(cleartext, base::Mark(0x800), alias_of_seven), Entry::astray);
    EXPECT_EQ(judge(cleartext, seven, anybody), Entry::astray) << "the ruleset would have given it its alias";
    EXPECT_EQ(judge(cleartext, seven, address("240.128.0.7")), Entry::astray) << "its near end is ours";
  }
}

TEST(Door, OverIPv6PeersKeepTheirAddresses) {
  EXPECT_EQ(judge(Cleartext::off, seven, anybody_v6), Entry::welcome);
  EXPECT_EQ(judge(Cleartext::off, base::Mark(0x701), anybody_v6), Entry::astray) << "nobody's mark";
}

TEST(Door, AMarkIsTheNumberOfAPeer) {
  EXPECT_EQ(judge(Cleartext::off, base::Mark(0x100), address("240.0.0.1")), Entry::welcome);
  const auto last = marks.capacity();
  ASSERT_EQ(last, 0xffffeu);
  EXPECT_EQ(judge(Cleartext::off, marks.mark_of(last), marks.alias_of(last)), Entry::welcome);
  EXPECT_EQ(judge(Cleartext::off, marks.mark_of(last + 1), marks.alias_of(last + 1)), Entry::astray);
  for (const std::uint32_t outside : {0x701U, 0x10000700U, 0x80000000U, 0x1U})
    EXPECT_EQ(judge(Cleartext::off, base::Mark(outside), alias_of_seven), Entry::astray) << outside;
}

TEST(Door, AliasesMayBeFewerThanMarks) {
  config::Marks few;
  few.alias = {address("100.64.0.0"), 24};  // the upper half are near ends
  ASSERT_EQ(few.capacity(), 126u);
  EXPECT_EQ(judge(Cleartext::off, few.mark_of(126), address("100.64.0.126"), few), Entry::welcome);
  EXPECT_EQ(judge(Cleartext::off, few.mark_of(127), address("100.64.0.127"), few), Entry::astray);
  EXPECT_EQ(judge(Cleartext::off, few.mark_of(200), address("100.64.0.200"), few), Entry::astray);
}

TEST(Door, WithoutAMarkItIsClearText) {
  for (const auto& from : {anybody, anybody_v6}) {
    EXPECT_EQ(judge(Cleartext::off, none, from), Entry::clear_text);
    EXPECT_EQ(judge(Cleartext::beside, none, from), Entry::welcome);
    EXPECT_EQ(judge(Cleartext::only, none, from), Entry::welcome);
  }
}

TEST(Door, ClearTextDoesNotComeFromAnAlias) {
  for (const auto cleartext : {Cleartext::beside, Cleartext::only}) {
    EXPECT_EQ(judge(cleartext, none, alias_of_seven), Entry::astray);
    EXPECT_EQ(judge(cleartext, none, address("240.128.0.7")), Entry::astray);
    EXPECT_EQ(judge(cleartext, none, address("239.255.255.255")), Entry::welcome);
  }
}

TEST(Door, WhereOnlyClearTextIsServedNoPeerIs) {
  EXPECT_EQ(judge(Cleartext::only, seven, alias_of_seven), Entry::marked);
  EXPECT_EQ(judge(Cleartext::only, base::Mark(0x701), anybody_v6), Entry::marked);
}

}  // namespace
}  // namespace l2tpd
