// Messages in pieces: their shape, and how little one can take from others by sending them.

#include "ike/fragments.h"

#include <ctime>

#include <gmock/gmock.h>

namespace {

using namespace std::chrono_literals;
using base::Address;
using base::Bytes;
using base::Endpoint;
using ike::FragmentLimits;
using ike::Fragments;
using ike::SaNumber;
using ::testing::IsEmpty;
using ::testing::SizeIs;
namespace v1 = ike::v1;

const base::Time start{1h};
const Endpoint somebody{Address::v4(0xc6336401), 4500};
const Endpoint neighbour{Address::v4(0xc6336401), 4501};
const Endpoint elsewhere{Address::v4(0xc6336402), 4500};

Bytes message_of(std::size_t size) {
  v1::Header header;
  header.initiator = {1, 2, 3};
  header.responder = {4, 5, 6};
  header.exchange = v1::Exchange::quick_mode;
  header.flags = v1::flag_encryption;
  header.message_id = v1::MessageId(0x1234);
  header.length = static_cast<std::uint32_t>(size);
  wire::Writer out;
  v1::put_header(out, header);
  for (auto i = out.view().size(); i < size; ++i) out.u8(static_cast<std::uint8_t>(i * 7));
  return out.take();
}

struct Piece {
  Bytes datagram;
  v1::Fragment fragment;
};
/// As a receiver finds them. (Pieces borrow their datagrams: keep the vector.)
std::vector<Piece> pieces_of(const Bytes& message, std::size_t most) {
  std::vector<Piece> out;
  for (auto& datagram : v1::split(message, most)) out.push_back({std::move(datagram), {}});
  for (auto& piece : out) {
    const auto header = v1::decode_header(piece.datagram);
    const auto chain =
        v1::decode_chain(header->next, base::ByteView(piece.datagram).subspan(v1::header_size));
    piece.fragment = *v1::decode_fragment(chain->payloads.at(0).body);
  }
  return out;
}

TEST(Fragment, SplitMessageComesBackWholeInAnyOrder) {
  const auto message = message_of(5000);
  auto pieces = pieces_of(message, 548);
  EXPECT_THAT(pieces, SizeIs(10));
  for (const auto rotate : {0, 3, 9}) {
    std::rotate(pieces.begin(), pieces.begin() + rotate, pieces.end());
    Fragments f;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const auto taken = f.take(SaNumber(1), somebody, pieces[i].fragment, start);
      ASSERT_TRUE(taken);
      ASSERT_EQ(taken->has_value(), i + 1 == pieces.size());
      if (*taken) {
        EXPECT_EQ(**taken, message);
      }
    }
    EXPECT_EQ(f.bytes(), 0u);
    EXPECT_EQ(f.messages(), 0u);
    EXPECT_FALSE(f.next_timeout());
  }
}

TEST(Fragment, DatagramsLookLikeStrongSwans) {
  const auto pieces = pieces_of(message_of(3000), 1228);
  ASSERT_THAT(pieces, SizeIs(3));
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto header = *v1::decode_header(pieces[i].datagram);
    EXPECT_LE(pieces[i].datagram.size(), 1228u);
    EXPECT_EQ(header.length, pieces[i].datagram.size());
    EXPECT_EQ(header.next, v1::PayloadType::fragment);
    EXPECT_EQ(header.exchange, v1::Exchange::main_mode);
    EXPECT_EQ(header.message_id.value, 0u);
    EXPECT_FALSE(header.encrypted());
    EXPECT_EQ(header.responder, (v1::Cookie{4, 5, 6}));
    EXPECT_EQ(pieces[i].fragment.id, 1);
    EXPECT_EQ(pieces[i].fragment.number, i + 1);
    EXPECT_EQ(pieces[i].fragment.last, i == 2);
  }
}

TEST(Fragment, WhatCannotBeSplitIsNot) {
  EXPECT_THAT(v1::split(message_of(60000), 200), IsEmpty());
  EXPECT_THAT(v1::split(Bytes(5), 1228), IsEmpty());
}

TEST(Fragment, ShapeIsJudged) {
  for (const auto* bad : {"", "0001", "000101", "00010100", "00010001aa"})
    EXPECT_FALSE(v1::decode_fragment(base::from_hex(bad))) << bad;
  const auto body = base::from_hex("abcd 05 ff 99");
  const auto good = v1::decode_fragment(body);
  ASSERT_TRUE(good);
  EXPECT_EQ(good->id, 0xabcd);
  EXPECT_EQ(good->number, 5);
  EXPECT_TRUE(good->last);
  EXPECT_THAT(good->data, SizeIs(1));
}

struct Sender {
  Bytes data;
  v1::Fragment piece(std::uint8_t number, bool last = false, std::uint16_t id = 1) {
    return {.id = id, .number = number, .last = last, .data = data};
  }
};

TEST(Fragments, RepeatedPiecesChangeNothing) {
  const auto message = message_of(2000);
  const auto pieces = pieces_of(message, 1228);
  Fragments f;
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(*f.take(SaNumber(1), somebody, pieces[0].fragment, start), std::nullopt);
  const auto bytes = f.bytes();
  EXPECT_EQ(*f.take(SaNumber(1), somebody, pieces[0].fragment, start + 1s), std::nullopt);
  EXPECT_EQ(f.bytes(), bytes);
  EXPECT_EQ(*f.take(SaNumber(1), somebody, pieces[1].fragment, start), message);
}

TEST(Fragments, LatePieceOfTheLastMessageDoesNotSpoilTheNext) {
  const auto old_message = message_of(3500), message = message_of(2000);
  const auto old = pieces_of(old_message, 1228), pieces = pieces_of(message, 1228);
  for (const auto late : {0u, 1u, 2u}) {
    Fragments f;
    ASSERT_TRUE(f.take(SaNumber(1), somebody, old[late].fragment, start));
    Bytes got;
    // The first round may begin anew in its middle; the repetition must do.
    for (int round = 0; round < 2 && got.empty(); ++round) {
      for (const auto& piece : pieces) {
        if (auto whole = *f.take(SaNumber(1), somebody, piece.fragment, start)) got = *whole;
      }
    }
    EXPECT_EQ(got, message) << late;
  }
}

TEST(Fragments, AnotherIdBeginsAnew) {
  Fragments f;
  Sender s{Bytes(10, 1)};
  ASSERT_TRUE(f.take(SaNumber(1), somebody, s.piece(1, false, 1), start));
  EXPECT_EQ(*f.take(SaNumber(1), somebody, s.piece(2, true, 2), start), std::nullopt);
  EXPECT_EQ(*f.take(SaNumber(1), somebody, s.piece(1, false, 2), start), Bytes(20, 1));
}

TEST(Fragments, SendersAndSasDoNotMix) {
  Fragments f;
  Sender s{Bytes(10, 1)};
  ASSERT_TRUE(f.take(SaNumber(1), somebody, s.piece(1), start));
  EXPECT_EQ(*f.take(SaNumber(1), neighbour, s.piece(2, true), start), std::nullopt);
  EXPECT_EQ(*f.take(SaNumber(2), somebody, s.piece(2, true), start), std::nullopt);
  EXPECT_EQ(*f.take(SaNumber(1), elsewhere, s.piece(2, true), start), std::nullopt);
  EXPECT_EQ(f.messages(), 4u);
  EXPECT_TRUE(f.take(SaNumber(1), somebody, s.piece(2, true), start)->has_value());
}

TEST(Fragments, ForgedPiecesFromElsewhereDoNotDisturbASender) {
  Fragments f;
  Sender honest{Bytes(500, 1)}, forger{Bytes(10, 2)};
  ASSERT_TRUE(f.take(SaNumber(1), somebody, honest.piece(1), start));
  for (std::uint16_t port = 1; port < 2000; ++port)
    ASSERT_TRUE(f.take(SaNumber(1), {elsewhere.address, port}, forger.piece(2), start));
  EXPECT_LE(f.messages(), 5u);
  EXPECT_EQ(*f.take(SaNumber(1), somebody, honest.piece(2, true), start), Bytes(1000, 1));
}

TEST(Fragments, MessageHasItsLimits) {
  Fragments f;
  Sender s{Bytes(1000, 1)};
  for (std::uint8_t i = 1; i <= 16; ++i)
    ASSERT_TRUE(f.take(SaNumber(1), somebody, s.piece(i), start)) << int(i);
  EXPECT_FALSE(f.take(SaNumber(1), somebody, s.piece(17), start));
  EXPECT_EQ(f.bytes(), 0u) << "what can never be finished is not kept";
  EXPECT_FALSE(f.take(SaNumber(1), somebody, s.piece(65), start));
  EXPECT_EQ(f.messages(), 0u);
}

TEST(Fragments, PatienceEnds) {
  Fragments f;
  Sender s{Bytes(10, 1)};
  ASSERT_TRUE(f.take(SaNumber(1), somebody, s.piece(1), start));
  ASSERT_TRUE(f.take(SaNumber(1), somebody, s.piece(2), start + 20s));
  EXPECT_EQ(f.next_timeout(), start + 30s) << "the first piece counts";
  f.timeout(start + 29s);
  EXPECT_EQ(f.messages(), 1u);
  f.timeout(start + 30s);
  EXPECT_EQ(f.messages(), 0u);
  EXPECT_EQ(f.bytes(), 0u);
}

TEST(Fragments, GoWithTheirSa) {
  Fragments f;
  Sender s{Bytes(10, 1)};
  for (const auto sa : {1u, 2u, 3u}) {
    ASSERT_TRUE(f.take(SaNumber(sa), somebody, s.piece(1), start));
    ASSERT_TRUE(f.take(SaNumber(sa), elsewhere, s.piece(1), start));
  }
  f.forget(SaNumber(2));
  EXPECT_EQ(f.messages(), 4u);
  f.forget(SaNumber(1));
  f.forget(SaNumber(3));
  EXPECT_EQ(f.messages(), 0u);
  EXPECT_EQ(f.bytes(), 0u);
  EXPECT_FALSE(f.next_timeout());
}

TEST(Fragments, FloodOfOneAddressDrownsItsOwnMessages) {
  const FragmentLimits limits;
  Fragments f(limits);
  Sender honest{Bytes(1000, 1)}, flood{Bytes(1200, 2)};
  ASSERT_TRUE(f.take(SaNumber(1), elsewhere, honest.piece(1), start));
  for (std::uint32_t sa = 2; sa < 2000; ++sa) {
    for (std::uint8_t piece = 1; piece < 10; ++piece) {
      ASSERT_TRUE(f.take(SaNumber(sa), somebody, flood.piece(piece), start));
      ASSERT_LE(f.bytes(), limits.source + 2000);
    }
  }
  EXPECT_EQ(*f.take(SaNumber(1), elsewhere, honest.piece(2, true), start), Bytes(2000, 1));
}

TEST(Fragments, FloodFromManyAddressesLeavesRoomForSmallSenders) {
  const FragmentLimits limits{.total = 100'000};
  Fragments f(limits);
  Sender honest{Bytes(1000, 1)}, flood{Bytes(1200, 2)};
  ASSERT_TRUE(f.take(SaNumber(1), elsewhere, honest.piece(1), start));
  for (std::uint32_t i = 0; i < 500; ++i) {
    const Endpoint from{Address::v4(0x0a000000 + i), 500};
    for (std::uint8_t piece = 1; piece < 6; ++piece) {
      ASSERT_TRUE(f.take(SaNumber(2 + i), from, flood.piece(piece), start));
      ASSERT_LE(f.bytes(), limits.total);
    }
  }
  EXPECT_EQ(*f.take(SaNumber(1), elsewhere, honest.piece(2, true), start), Bytes(2000, 1));
}

/// Of this thread's time, where so many addresses hold all the memory there is.
double cost_of_a_piece(std::uint32_t addresses) {
  Sender flood{Bytes(500, 2)};
  Fragments f({.total = addresses * std::size_t{600}});
  const auto send = [&](std::uint32_t who) {
    ASSERT_TRUE(f.take(SaNumber(who), {Address::v4(0x0a000000 + who), 500}, flood.piece(1), start));
  };
  for (std::uint32_t i = 0; i < 2 * addresses; ++i) send(i);
  constexpr std::uint32_t pieces = 1000;
  const auto before = std::clock();
  for (std::uint32_t i = 0; i < pieces; ++i) send(2 * addresses + i);
  return static_cast<double>(std::clock() - before) / pieces;
}

TEST(Fragments, FloodIsNoDearerWhereManyAddressesTakePart) {
  EXPECT_LT(cost_of_a_piece(6000), 5 * cost_of_a_piece(60));
}

}  // namespace
