// ISAKMP's header, payload chain, notifications and Deletes: shapes that decode and shapes that do not.

#include "ike/v1/payload.h"

#include <gtest/gtest.h>

#include "ike/v1/exchange_table.h"
#include "ike/v1/message.h"

namespace {

namespace v1 = ike::v1;
using base::Bytes;
using base::from_hex;
using v1::Malformed;
using v1::Payload;
using v1::PayloadType;

const auto header_bytes = from_hex(
    "0102030405060708 1112131415161718"  // CKY-I, CKY-R
    "08 10 20 01 a1b2c3d4 0000001c");    // HASH first, 1.0, Quick Mode, encrypted, M-ID, 28 bytes

template <class T>
std::optional<Malformed> why(const v1::Decoded<T>& result) {
  return result ? std::nullopt : std::optional(result.error());
}

TEST(Header, DecodesToItsFieldsAndBack) {
  const auto h = v1::decode_header(header_bytes).value();
  EXPECT_EQ(h.initiator[0], 1);
  EXPECT_EQ(h.responder[7], 0x18);
  EXPECT_EQ(h.next, PayloadType::hash);
  EXPECT_EQ(h.exchange, v1::Exchange::quick_mode);
  EXPECT_TRUE(h.encrypted());
  EXPECT_EQ(h.message_id, v1::MessageId(0xa1b2c3d4));
  wire::Writer out;
  v1::put_header(out, h);
  EXPECT_TRUE(base::equal(out.view(), header_bytes));
}

TEST(Header, OfAnyShorterSizeIsRefused) {
  for (std::size_t size = 0; size < v1::header_size; ++size)
    EXPECT_EQ(why(v1::decode_header(base::ByteView(header_bytes).first(size))), Malformed::short_header);
}

TEST(Header, LengthBeyondTheDatagramOrBelowTheHeaderIsRefused) {
  for (const std::uint8_t length : {std::uint8_t{0}, std::uint8_t{27}, std::uint8_t{29}, std::uint8_t{255}}) {
    auto bytes = header_bytes;
    bytes[27] = length;
    EXPECT_EQ(why(v1::decode_header(bytes)), Malformed::bad_length) << int{length};
  }
  auto huge = header_bytes;
  huge[24] = 0xff;
  EXPECT_EQ(why(v1::decode_header(huge)), Malformed::bad_length);
  auto with_tail = header_bytes;
  with_tail.push_back(0);
  EXPECT_EQ(v1::decode_header(with_tail).value().length, 28u);
}

TEST(Header, OfIkev2IsRefused) {
  auto bytes = header_bytes;
  bytes[17] = 0x20;
  EXPECT_EQ(why(v1::decode_header(bytes)), Malformed::bad_version);
}

TEST(Chain, DecodesPayloadsAndLeavesThePadding) {
  const auto bytes = from_hex("0a00 0006 aabb  0000 0005 cc  0000");
  const auto chain = v1::decode_chain(PayloadType::hash, bytes).value();
  ASSERT_EQ(chain.payloads.size(), 2u);
  EXPECT_EQ(chain.payloads[0].type, PayloadType::hash);
  EXPECT_EQ(chain.payloads[1].type, PayloadType::nonce);
  EXPECT_EQ(base::to_bytes(chain.payloads[1].body), Bytes{0xcc});
  EXPECT_EQ(chain.size, 11u);
}

TEST(Chain, LengthsThatLieAreRefused) {
  EXPECT_EQ(why(v1::decode_chain(PayloadType::hash, from_hex("0000 0003"))), Malformed::bad_payload_length);
  EXPECT_EQ(why(v1::decode_chain(PayloadType::hash, from_hex("0000 0000"))), Malformed::bad_payload_length)
      << "a length of zero would loop";
  EXPECT_EQ(why(v1::decode_chain(PayloadType::hash, from_hex("0000 0005"))), Malformed::bad_payload_length);
  EXPECT_EQ(why(v1::decode_chain(PayloadType::hash, from_hex("0000 ffff 00"))),
            Malformed::bad_payload_length);
  EXPECT_EQ(why(v1::decode_chain(PayloadType::hash, from_hex("0000"))), Malformed::bad_payload_length);
  EXPECT_EQ(why(v1::decode_chain(PayloadType::hash, {})), Malformed::bad_payload_length);
  EXPECT_EQ(why(v1::decode_chain(PayloadType::hash, from_hex("0a00 0004"))), Malformed::bad_payload_length)
      << "the next one is missing";
}

TEST(Chain, ReservedByteMustBeZero) {
  EXPECT_EQ(why(v1::decode_chain(PayloadType::hash, from_hex("0001 0004"))), Malformed::reserved_not_zero);
}

TEST(Chain, OfTooManyPayloadsIsRefused) {
  Bytes bytes;
  for (std::size_t i = 0; i < v1::most_payloads; ++i) base::append(bytes, from_hex("0d00 0004"));
  base::append(bytes, from_hex("0000 0004"));
  EXPECT_EQ(why(v1::decode_chain(PayloadType::vendor_id, bytes)), Malformed::too_many_payloads);
  EXPECT_TRUE(v1::decode_chain(PayloadType::vendor_id, base::ByteView(bytes).subspan(4)));
}

TEST(Notification, RoundTripsAndRefusesEveryTruncationOfItsFixedPart) {
  const auto bytes = from_hex("00000001 01 04 8d28 01020304 0000002a");
  const auto n = v1::decode_notification(bytes).value();
  EXPECT_EQ(n.type, v1::notify::r_u_there);
  EXPECT_EQ(base::hex(n.spi), "01020304");
  EXPECT_EQ(base::hex(n.data), "0000002a");
  EXPECT_EQ(v1::encode_notification(n), bytes);
  for (std::size_t size = 0; size < 12; ++size)
    EXPECT_EQ(why(v1::decode_notification(base::ByteView(bytes).first(size))), Malformed::bad_notification);
}

TEST(Delete, RoundTripsAndItsCountMustFit) {
  const auto bytes = from_hex("00000001 03 04 0002 01020304 05060708");
  const auto d = v1::decode_delete(bytes).value();
  EXPECT_EQ(d.spis.size(), 8u);
  EXPECT_EQ(v1::encode_delete(d), bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_EQ(why(v1::decode_delete(base::ByteView(bytes).first(size))), Malformed::bad_delete);
  EXPECT_EQ(why(v1::decode_delete(from_hex("00000001 03 04 0001 01020304 05"))), Malformed::bad_delete);
  EXPECT_EQ(why(v1::decode_delete(from_hex("00000001 03 00 ffff"))), Malformed::bad_delete)
      << "65535 SPIs of no bytes";
}

TEST(Message, DecryptionNeedsWholeBlocks) {
  const auto t = ike::parse_ike_transform("aes128-sha1-modp2048").value();
  const auto key = base::Secret::of_size(16);
  for (const std::size_t extra : {std::size_t{0}, std::size_t{1}, std::size_t{15}, std::size_t{17}}) {
    auto datagram = header_bytes;
    datagram.resize(v1::header_size + extra);
    datagram[27] = static_cast<std::uint8_t>(datagram.size());
    const auto h = v1::decode_header(datagram).value();
    EXPECT_FALSE(v1::decrypt(h, datagram, t, key, Bytes(16))) << extra;
  }
}

TEST(Message, EncryptedDatagramDecryptsToItsPayloadsAndChainsItsIv) {
  for (const auto* name : {"aes256-sha256-modp2048", "3des-sha1-modp2048"}) {
    const auto t = ike::parse_ike_transform(name).value();
    const auto key = base::Secret::of_size(t.cipher == crypto::Cipher::des3_cbc ? 24 : 32);
    Bytes iv(crypto::Cipher::des3_cbc == t.cipher ? 8 : 16, 0x5a);
    const auto first_iv = iv;
    v1::Header h;
    h.exchange = v1::Exchange::quick_mode;
    const Bytes nonce(21, 0xab);
    const auto datagram = v1::encode_encrypted(h, {{PayloadType::nonce, nonce}}, t, key, iv);
    const auto decoded = v1::decode_header(datagram).value();
    EXPECT_EQ(decoded.length, datagram.size());
    EXPECT_TRUE(decoded.encrypted());
    const auto clear = v1::decrypt(decoded, datagram, t, key, first_iv).value();
    EXPECT_EQ(clear.next_iv, iv);
    const auto chain = v1::decode_chain(decoded.next, clear.body).value();
    EXPECT_EQ(base::to_bytes(chain.find(PayloadType::nonce)->body), nonce);
  }
}

v1::Chain chain_of(std::initializer_list<PayloadType> types) {
  v1::Chain out;
  for (const auto type : types) out.payloads.push_back({type, {}});
  return out;
}

TEST(ExchangeTable, RowsAreInTheOrderOfTheirSteps) {
  for (std::size_t i = 0; i < std::size(v1::exchange_table); ++i)
    EXPECT_EQ(static_cast<std::size_t>(v1::exchange_table[i].step), i);
}

TEST(ExchangeTable, EveryMessageNeedsItsPayloadsOnceAndTakesNoStrangers) {
  for (const auto& row : v1::exchange_table) {
    v1::Chain complete;
    for (std::uint8_t type = 1; type < 32; ++type) {
      if ((row.once >> type & 1) != 0) complete.payloads.push_back({PayloadType{type}, {}});
    }
    EXPECT_TRUE(v1::legal(row.step, complete));
    for (std::size_t i = 0; i < complete.payloads.size(); ++i) {
      auto without = complete;
      without.payloads.erase(without.payloads.begin() + static_cast<std::ptrdiff_t>(i));
      EXPECT_FALSE(v1::legal(row.step, without));
      auto twice = complete;
      twice.payloads.push_back(complete.payloads[i]);
      EXPECT_FALSE(v1::legal(row.step, twice));
    }
    for (unsigned type = 0; type < 256; ++type) {
      auto more = complete;
      more.payloads.push_back({PayloadType{static_cast<std::uint8_t>(type)}, {}});
      // The drafts' NAT payloads stand where the RFC's do.
      const unsigned place = type == 130 ? 20 : type == 131 ? 21 : type;
      const bool known = place < 32 && ((row.optional | row.any) >> place & 1) != 0;
      EXPECT_EQ(v1::legal(row.step, more), known) << type;
    }
  }
}

TEST(ExchangeTable, OptionalPayloadsComeOnceAndOthersAnyNumberOfTimes) {
  using P = PayloadType;
  EXPECT_TRUE(v1::legal(v1::Step::quick_mode_1, chain_of({P::hash, P::sa, P::nonce, P::key_exchange})));
  EXPECT_FALSE(v1::legal(v1::Step::quick_mode_1,
                         chain_of({P::hash, P::sa, P::nonce, P::key_exchange, P::key_exchange})));
  EXPECT_TRUE(
      v1::legal(v1::Step::main_mode_3, chain_of({P::key_exchange, P::nonce, P::nat_d, P::nat_d, P::nat_d})));
}

}  // namespace
