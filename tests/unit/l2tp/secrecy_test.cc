// Hidden AVPs and tunnel authentication. The expected bytes were computed with Python's hashlib from the text
// of RFC 2661 §4.3 and §5.1.1, not with this code.

#include "l2tp/secrecy.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "bench.h"
#include "l2tp/message.h"

namespace l2tp {
namespace {

using base::from_hex;
using testing::Bench;
using testing::of_type;

SharedSecret shared(const char* words) { return kept_here(base::Secret::copy_of(base::as_bytes(words))); }

const SharedSecret secret = shared("swordfish");
const Bytes random_vector = from_hex("000102030405060708090a0b0c0d0e0f");
const Bytes challenge = from_hex("00112233445566778899aabbccddeeff");
const char* const long_name = "a host name that fills more than two blocks";

/// Value, padding, and what is on the wire.
struct Hidden {
  std::uint16_t type;
  Bytes value;
  std::size_t padding;
  const char* wire;
};
const Hidden hidden_values[] = {
    {9, from_hex("1234"), 0, "543035d7"},
    {9, from_hex("1234"), 20, "543035d711e34df32893d456e036fd3ba83348713c447d3b"},
    {7, base::to_bytes(base::as_bytes(long_name)), 3,
     "eb64ffa496053539e2e16d395e95602d727739bfc159c95de960805e5417920b7f9b264da3a96f7b7b4aa4a883feb79e"},
    {8, Bytes(14), 0, "443e97f7bb6b6649a50a902d26c39d58"},
};

TEST(Secrecy, HidesAndRevealsAsTheRFCSays) {
  for (const auto& h : hidden_values) {
    EXPECT_EQ(base::hex(*hide(h.type, h.value, h.padding, secret, random_vector)), h.wire);
    EXPECT_EQ(reveal(h.type, from_hex(h.wire), secret, random_vector), h.value);
  }
}

TEST(Secrecy, ALengthInsideThatCannotBeIsNoValue) {
  EXPECT_FALSE(reveal(9, from_hex("543035d7"), shared("Swordfish"), random_vector));
  EXPECT_FALSE(reveal(9, from_hex("54"), secret, random_vector));
  EXPECT_FALSE(reveal(9, {}, secret, random_vector));
}

TEST(Secrecy, ResponsesDependOnTheMessageTheyTravelIn) {
  EXPECT_EQ(base::hex(*challenge_response(MessageType::SCCRP, secret, challenge)),
            "15934b8f99f235896315f08cdfcc26fb");
  EXPECT_EQ(base::hex(*challenge_response(MessageType::SCCCN, secret, challenge)),
            "656c75cfb8f3f231d638dd62346a02eb");
}

/// An SCCRQ with its tunnel id and host name hidden, each with a random vector of its own.
Bytes hidden_SCCRQ() {
  return from_hex(std::string("8008 0000 0000 0001  8008 0000 0002 0100  800a 0000 0003 00000003"
                              "8016 0000 0024 000102030405060708090a0b0c0d0e0f"
                              "c00a 0000 0009") +
                  hidden_values[0].wire + "8016 0000 0024 000102030405060708090a0b0c0d0e0f c036 0000 0007" +
                  hidden_values[2].wire);
}

TEST(Secrecy, HiddenAVPsAreReadWithTheRandomVectorBeforeThem) {
  const auto body = reveal_all(hidden_SCCRQ(), secret);
  const auto m = decode(body);
  EXPECT_FALSE(m.fault);
  EXPECT_EQ(m.assigned_tunnel_id, TunnelId(0x1234));
  EXPECT_EQ(base::as_text(*m.host_name), long_name);
}

TEST(Secrecy, WhatCannotBeReadIsAFaultInWords) {
  for (const auto& key : {SharedSecret(), shared("another")}) {
    const auto body = reveal_all(hidden_SCCRQ(), key);
    const auto m = decode(body);
    ASSERT_TRUE(m.fault);
    EXPECT_EQ(m.fault->sentence(), "AVP 9 is hidden and cannot be read");
  }
  // Hidden before any random vector, and a body that ends within an AVP.
  const auto early = reveal_all(from_hex("8008 0000 0000 0001 c00a 0000 0009 543035d7"), secret);
  EXPECT_EQ(decode(early).fault->error, GeneralError::unknown_mandatory_avp);
  const auto cut = from_hex("8008 0000 0000 0001 8016 0000 0024 0001");
  EXPECT_EQ(reveal_all(cut, secret), cut);
}

TEST(Secrecy, WhereTheSecretIsKeptElsewhereItIsAskedForOncePerMessageAndNotForTooMuch) {
  int asked = 0;
  std::size_t most = 0;
  const SharedSecret elsewhere = [&](const std::vector<AroundSecret>& around) {
    ++asked;
    std::size_t size = 0;
    for (const auto& [before, after] : around) {
      EXPECT_LE(before.size(), longest_before_secret);
      size += before.size() + after.size();
    }
    most = std::max(most, size);
    return secret(around);
  };
  EXPECT_EQ(reveal_all(hidden_SCCRQ(), elsewhere), reveal_all(hidden_SCCRQ(), secret));
  EXPECT_EQ(asked, 1);
  auto endless = from_hex("8008 0000 0000 0001 8016 0000 0024 000102030405060708090a0b0c0d0e0f");
  const auto one = from_hex(std::string("c00a 0000 0009") + hidden_values[0].wire);
  const auto begin = endless.size();
  while (endless.size() + one.size() < 65000) base::append(endless, one);
  const auto body = reveal_all(endless, elsewhere);
  EXPECT_EQ(asked, 2);
  EXPECT_LE(most, most_around_secret);
  EXPECT_EQ(base::hex(ByteView(body).subspan(begin, 8)), "8008000000091234") << "the first ones are read";
  EXPECT_TRUE(base::equal(ByteView(body).last(one.size()), one)) << "and the last ones not";
  EXPECT_EQ(reveal_all(hidden_SCCRQ(), [](const auto&) { return std::vector<Digest>(); }), hidden_SCCRQ())
      << "where there is no MD5 to be had";
}

Settings with_secret() {
  Settings settings;
  settings.secret = secret;
  return settings;
}

Message sccrq() {
  auto m = of_type(MessageType::SCCRQ);
  m.protocol_version = 0x0100;
  m.assigned_tunnel_id = TunnelId(5);
  return m;
}

TEST(TunnelAuthentication, BothSidesProveThatTheyHaveTheSecret) {
  Bench bench(with_secret());
  auto hello = sccrq();
  hello.challenge = challenge;
  bench.input(hello, TunnelId(), 0, 0);
  const auto answer = bench.sent();
  ASSERT_EQ(answer.size(), 1u);
  ASSERT_EQ(answer[0].type, MessageType::SCCRP);
  ASSERT_TRUE(answer[0].challenge && answer[0].challenge_response);
  EXPECT_EQ(base::hex(*answer[0].challenge_response), "15934b8f99f235896315f08cdfcc26fb");
  EXPECT_EQ(answer[0].challenge->size(), challenge_size);
  auto scccn = of_type(MessageType::SCCCN);
  const auto response = *challenge_response(MessageType::SCCCN, secret, *answer[0].challenge);
  scccn.challenge_response = response;
  bench.input(scccn, *answer[0].assigned_tunnel_id, 1, 1);
  EXPECT_EQ(bench.count<KernelTunnelUp>(), 1u);
}

TEST(TunnelAuthentication, AWrongOrMissingResponseIsRefusedInWords) {
  for (const bool missing : {false, true}) {
    Bench bench(with_secret());
    bench.input(sccrq(), TunnelId(), 0, 0);
    const auto answer = bench.sent();
    ASSERT_EQ(answer.size(), 1u);
    EXPECT_FALSE(answer[0].challenge_response) << "nobody asked";
    auto scccn = of_type(MessageType::SCCCN);
    // The right one for the other direction: a reflected response is none.
    const auto reflected = *challenge_response(MessageType::SCCRP, secret, *answer[0].challenge);
    if (!missing) scccn.challenge_response = reflected;
    bench.input(scccn, *answer[0].assigned_tunnel_id, 1, 1);
    EXPECT_EQ(bench.count<OpenTunnelSocket>(), 0u);
    const auto refusal = bench.sent();
    ASSERT_EQ(refusal.size(), 1u);
    EXPECT_EQ(refusal[0].type, MessageType::StopCCN);
    EXPECT_EQ(refusal[0].result->code, static_cast<std::uint16_t>(StopResult::not_authorized));
    EXPECT_EQ(refusal[0].result->message,
              missing ? "the tunnel's secret is asked for here" : "the tunnel's secret is another one here");
  }
}

TEST(TunnelAuthentication, AnEmptyChallengeIsRefused) {
  Bench bench(with_secret());
  auto m = sccrq();
  m.challenge = ByteView();
  bench.input(m, TunnelId(), 0, 0);
  const auto sent = bench.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].result->message, "an empty Challenge");
}

TEST(TunnelAuthentication, APeerThatHidesItsTunnelIdIsAnsweredAtIt) {
  Bench bench(with_secret());
  bench.input(encode(Header{.tunnel = {}, .session = {}, .ns = {}, .nr = {}, .body = hidden_SCCRQ()}));
  ASSERT_EQ(bench.server.tunnels().size(), 1u);
  EXPECT_EQ(bench.server.tunnels().begin()->second.name().peer, TunnelId(0x1234));
  EXPECT_EQ(bench.server.tunnels().begin()->second.host_name(), long_name);
  EXPECT_EQ(bench.sent()[0].type, MessageType::SCCRP);
}

}  // namespace
}  // namespace l2tp
