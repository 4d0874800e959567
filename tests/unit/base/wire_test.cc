#include <gtest/gtest.h>

#include "wire/reader.h"
#include "wire/writer.h"

namespace wire {
namespace {

TEST(Reader, ReadsBigEndianNumbers) {
  const auto bytes = base::from_hex("01 0203 04050607 08090a0b0c0d0e0f");
  Reader in(bytes);
  EXPECT_EQ(in.u8(), 0x01);
  EXPECT_EQ(in.u16(), 0x0203);
  EXPECT_EQ(in.u32(), 0x04050607u);
  EXPECT_EQ(in.u64(), 0x08090a0b0c0d0e0fu);
  EXPECT_TRUE(in.ok());
  EXPECT_EQ(in.left(), 0u);
}

TEST(Reader, StaysBrokenAfterTheFirstShortRead) {
  const auto bytes = base::from_hex("010203");
  Reader in(bytes);
  EXPECT_EQ(in.u32(), 0u);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.u8(), 0u);
  EXPECT_EQ(in.left(), 0u);
  EXPECT_TRUE(in.rest().empty());
}

TEST(Reader, SubReaderIsConfinedAndInheritsFailure) {
  const auto bytes = base::from_hex("0102030405");
  Reader in(bytes);
  auto part = in.sub(2);
  EXPECT_EQ(part.u16(), 0x0102);
  EXPECT_EQ(part.left(), 0u);
  EXPECT_EQ(in.u8(), 3);
  EXPECT_FALSE(in.sub(3).ok());
}

TEST(Writer, PatchesLengthsOnceTheContentsStand) {
  Writer out;
  const auto length = out.mark();
  out.u16(0);
  out.u32(0xdeadbeef);
  out.patch_u16(length, out.since(length).size());
  EXPECT_EQ(base::hex(out.view()), "0006deadbeef");
}

}  // namespace
}  // namespace wire
