#include "control/framing.h"

#include <gtest/gtest.h>

namespace control {
namespace {

using namespace std::string_literals;

void feed(Framer& framer, const std::string& text) { framer.append(base::as_bytes(text)); }

TEST(Framing, MessagesComeOutWholeHoweverTheyArrive) {
  const std::string stream = "{\"a\":1}\0{}\0\0rest"s;
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    Framer framer(64);
    std::vector<std::string> messages;
    for (std::size_t i = 0; i < stream.size(); i += piece) {
      feed(framer, stream.substr(i, piece));
      while (auto message = framer.next()) messages.push_back(*message);
    }
    EXPECT_EQ(messages, (std::vector<std::string>{"{\"a\":1}", "{}", ""})) << piece;
    EXPECT_EQ(framer.waiting(), 4U);
  }
}

TEST(Framing, ALongMessageIsRefusedBeforeItsEnd) {
  Framer framer(8);
  feed(framer, "12345678\0"s);
  EXPECT_EQ(framer.next(), "12345678");
  feed(framer, "123456789"s);
  EXPECT_EQ(framer.next(), std::nullopt);
  EXPECT_TRUE(framer.overflowed());
  feed(framer, "\0{}\0"s);
  EXPECT_EQ(framer.next(), std::nullopt);
}

TEST(Framing, ALongMessageIsRefusedAlsoWhenItsEndIsThere) {
  Framer framer(8);
  feed(framer, "123456789\0"s);
  EXPECT_EQ(framer.next(), std::nullopt);
  EXPECT_TRUE(framer.overflowed());
}

}  // namespace
}  // namespace control
