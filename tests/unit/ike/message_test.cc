// Encrypted messages and the IVs that lead from each to the next, against tests/vectors/ike/messages.txt,
// which Python and the openssl command made.

#include "ike/v1/message.h"

#include <gtest/gtest.h>

#include "../vector_file.h"

namespace {

namespace v1 = ike::v1;
using base::Bytes;
using base::from_hex;
using base::hex;
using v1::PayloadType;

Bytes pattern(unsigned first, std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(first + 7 * i);
  return out;
}

struct Case {
  const char* name;
  const char* transform;
  std::size_t key_size;
};
class Messages : public ::testing::TestWithParam<Case> {
 protected:
  Messages() {
    std::ranges::copy(pattern(6, 8), header_.initiator.begin());
    std::ranges::copy(pattern(7, 8), header_.responder.begin());
    keys_.encryption_key = base::Secret(pattern(11, GetParam().key_size));
    keys_.skeyid_a = base::Secret(pattern(12, 32));
  }
  v1::Header header(v1::Exchange exchange, std::uint32_t id) const {
    auto h = header_;
    h.exchange = exchange;
    h.message_id = v1::MessageId(id);
    return h;
  }
  std::string expected(const std::string& field) const {
    return all_.at(std::string(GetParam().name) + "." + field);
  }
  /// Reads back what the vector holds, and says what a reader's next IV is.
  Bytes read(const std::string& field, base::ByteView iv, std::size_t payloads) const {
    const auto bytes = from_hex(expected(field));
    const auto h = v1::decode_header(bytes).value();
    EXPECT_TRUE(h.encrypted());
    EXPECT_EQ(h.length, bytes.size());
    const auto clear = v1::decrypt(h, bytes, transform_, keys_.encryption_key, iv).value();
    const auto chain = v1::decode_chain(h.next, clear.body);
    EXPECT_TRUE(chain && chain->payloads.size() == payloads) << field;
    return clear.next_iv;
  }

  const std::map<std::string, std::string> all_ = vectors::of("ike/messages.txt");
  const ike::IkeTransform transform_ = ike::parse_ike_transform(GetParam().transform).value();
  v1::Header header_;
  v1::SessionKeys keys_;
  const Bytes ni_ = pattern(1, 20), nr_ = pattern(2, 32);
};

TEST_P(Messages, AreThoseOfAnIndependentComputationFromMainModeToQuickMode) {
  auto iv = v1::phase1_iv(transform_, pattern(3, 256), pattern(4, 256));
  for (const unsigned number : {5u, 6u}) {
    const auto field = "main_mode_" + std::to_string(number);
    const auto id = pattern(15 + number, 8), hash = pattern(17 + number, 20);
    const auto next = read(field, iv, 2);
    EXPECT_EQ(hex(v1::encode_encrypted(header(v1::Exchange::main_mode, 0),
                                       {{PayloadType::identification, id}, {PayloadType::hash, hash}},
                                       transform_, keys_.encryption_key, iv)),
              expected(field));
    EXPECT_EQ(iv, next);
  }
  const auto last = iv;

  const auto notification = pattern(30, 32);
  auto informational_iv = v1::phase2_iv(transform_, last, v1::MessageId(0x0badcafe));
  read("informational", informational_iv, 2);
  EXPECT_EQ(hex(v1::encode_phase2(header(v1::Exchange::informational, 0x0badcafe),
                                  {{PayloadType::notification, notification}}, transform_, keys_, {},
                                  informational_iv)),
            expected("informational"));

  const v1::MessageId id(0xa1b2c3d4);
  iv = v1::phase2_iv(transform_, last, id);
  const auto sa = pattern(31, 52), idci = pattern(32, 8), idcr = pattern(33, 8);
  for (const bool first : {true, false}) {
    const std::string field = first ? "quick_mode_1" : "quick_mode_2";
    const auto next = read(field, iv, 5);
    const base::ByteView covered = first ? base::ByteView() : base::ByteView(ni_);
    EXPECT_EQ(hex(v1::encode_phase2(header(v1::Exchange::quick_mode, id.value),
                                    {{PayloadType::sa, sa},
                                     {PayloadType::nonce, first ? ni_ : nr_},
                                     {PayloadType::identification, idci},
                                     {PayloadType::identification, idcr}},
                                    transform_, keys_, covered, iv)),
              expected(field));
    EXPECT_EQ(iv, next);
  }
  read("quick_mode_3", iv, 1);
  const auto hash3 = v1::phase2_hash3(transform_.hash, keys_.skeyid_a, id, ni_, nr_);
  EXPECT_EQ(
      hex(v1::encode_encrypted(header(v1::Exchange::quick_mode, id.value),
                               {{PayloadType::hash, hash3.view()}}, transform_, keys_.encryption_key, iv)),
      expected("quick_mode_3"));
}

TEST_P(Messages, AuthenticOnesAreTakenAndNoneWithAnotherNonceOrMessageId) {
  const auto last = from_hex(expected("main_mode_6"));
  const auto block = transform_.cipher == crypto::Cipher::des3_cbc ? 8u : 16u;
  const auto bytes = from_hex(expected("quick_mode_1"));
  const auto h = v1::decode_header(bytes).value();
  const auto iv = v1::phase2_iv(transform_, base::ByteView(last).last(block), h.message_id);
  const auto clear = v1::decrypt(h, bytes, transform_, keys_.encryption_key, iv).value();
  EXPECT_TRUE(v1::authenticated_chain(h, clear.body, transform_.hash, keys_, {}));
  EXPECT_FALSE(v1::authenticated_chain(h, clear.body, transform_.hash, keys_, ni_));
  auto other = h;
  other.message_id.value ^= 1;
  EXPECT_FALSE(v1::authenticated_chain(other, clear.body, transform_.hash, keys_, {}));
}

INSTANTIATE_TEST_SUITE_P(Of, Messages,
                         ::testing::Values(Case{"md5_3des", "3des-md5-modp1024", 24},
                                           Case{"sha1_aes128", "aes128-sha1-modp2048", 16},
                                           Case{"sha256_aes256", "aes256-sha256-modp2048", 32}),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
