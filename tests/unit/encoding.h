#pragma once
// What holds of every protocol between two processes of a daemon: a message is one to the last byte, and
// there is one way to say each thing. Also the samples as seeds of a fuzzer.

#include <cstdlib>
#include <deque>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace encoding {

template <class Message>
using Decode = std::optional<Message> (*)(base::ByteView);

template <class Message>
void expect_that_only_the_whole_message_is_one(const std::deque<Message>& all, Decode<Message> decode) {
  for (std::size_t which = 0; which < all.size(); ++which) {
    const auto bytes = encode(all[which]);
    const auto whole = decode(bytes.view());
    ASSERT_TRUE(whole) << which;
    EXPECT_TRUE(base::equal(encode(*whole).view(), bytes.view())) << which;
    for (std::size_t size = 0; size < bytes.size(); ++size)
      EXPECT_FALSE(decode(bytes.view().first(size))) << which << " cut at " << size;
    auto longer = base::to_bytes(bytes.view());
    longer.push_back(0);
    EXPECT_FALSE(decode(longer)) << which;
  }
}

/// Whatever one byte is changed to, there is one way to say each thing.
template <class Message>
void expect_one_encoding_each(const std::deque<Message>& all, Decode<Message> decode) {
  for (std::size_t which = 0; which < all.size(); ++which) {
    const auto bytes = base::to_bytes(encode(all[which]).view());
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (const std::uint8_t value : base::Bytes{0, 1, 2, 3, 127, 128, 255}) {
        auto changed = bytes;
        changed[at] = value;
        const auto decoded = decode(changed);
        EXPECT_TRUE(!decoded || base::equal(encode(*decoded).view(), changed)) << which << " at " << at;
      }
    }
  }
}

/// Each sample is a seed of the fuzzer; with SAMEROOF_WRITE_SEEDS in the environment it is made one.
class Seeds {
 public:
  /// Below tests/fuzz.
  explicit Seeds(const char* folder)
      : folder_(std::string(SAMEROOF_SOURCE_DIR "/tests/fuzz/") + folder + "/") {}

  template <class Message>
  void expect(const std::string& kind, const std::deque<Message>& all) const {
    for (std::size_t which = 0; which < all.size(); ++which)
      expect(kind + "_" + std::to_string(which), encode(all[which]).view());
  }
  void expect(const std::string& name, base::ByteView bytes) const {
    const auto path = folder_ + name;
    if (std::getenv("SAMEROOF_WRITE_SEEDS") != nullptr)
      std::ofstream(path, std::ios::binary) << base::as_text(bytes);
    std::ifstream file(path, std::ios::binary);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), base::as_text(bytes)) << path;
  }

 private:
  std::string folder_;
};

}  // namespace encoding
