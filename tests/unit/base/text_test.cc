#include "base/text.h"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Text, OneLineHoldsNothingThatATerminalObeys) {
  EXPECT_EQ(one_line("peer 7 (Müller, 日本, 😀)"), "peer 7 (Müller, 日本, 😀)");
  EXPECT_EQ(one_line(std::string_view("a\n\x1b[2J\0\x7f", 8)), "a??[2J??");
  EXPECT_EQ(one_line("\xc2\x9b"
                     "2J \xc2\x85 \xc2\xa0"),
            "?2J ? \xc2\xa0")
      << "C1 has a CSI of its own";
  EXPECT_EQ(one_line("\x9b"
                     "2J"),
            "?2J");
}

TEST(Text, WhatIsNoUtf8IsReplacedOctetByOctet) {
  EXPECT_EQ(one_line("M\xfcller"), "M?ller");
  EXPECT_EQ(one_line("\xc0\xaf"), "??") << "overlong";
  EXPECT_EQ(one_line("\xed\xa0\x80"), "???") << "half of a surrogate pair";
  EXPECT_EQ(one_line("\xf4\x90\x80\x80"), "????") << "beyond Unicode";
  EXPECT_EQ(one_line("caf\xc3"), "caf?") << "cut";
}

}  // namespace
}  // namespace base
