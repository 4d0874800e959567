#include "xfrm/decode.h"

#include <gmock/gmock.h>
#include <linux/xfrm.h>

#include "netlink/request.h"
#include "samples.h"
#include "xfrm/encode.h"

namespace {

using samples::address;

nl::Message message_of(const nl::Request& request) {
  auto bytes = request.view();
  return nl::next_message(bytes).value_or(nl::Message{});
}

std::uint32_t net32(std::string_view text) {
  return nl::pod<std::uint32_t>(address(text).bytes()).value_or(0);
}

TEST(Decode, AMappingSaysWhereThePeerWasAndIs) {
  xfrm_user_mapping in{};
  in.id.daddr.a4 = net32("203.0.113.1");
  in.id.spi = htonl(0xc0000101);
  in.id.family = AF_INET;
  in.id.proto = 50;
  in.reqid = 7;
  in.old_saddr.a4 = net32("198.51.100.1");
  in.old_sport = htons(40001);
  in.new_saddr.a4 = net32("198.51.100.9");
  in.new_sport = htons(50002);
  nl::Request request(XFRM_MSG_MAPPING);
  request.header(in);
  const auto event = xfrm::decode_event(message_of(request));
  ASSERT_TRUE(event.has_value());
  const xfrm::Mapping expected{
      .sa = {.destination = address("203.0.113.1"), .spi = xfrm::Spi(0xc0000101), .protocol = 50, .mark = {}},
      .reqid = xfrm::Reqid(7),
      .old_source = {address("198.51.100.1"), 40001},
      .new_source = {address("198.51.100.9"), 50002}};
  EXPECT_EQ(std::get<xfrm::Mapping>(*event), expected);
}

TEST(Decode, AnExpireTellsSoftFromHardAndCarriesTheMark) {
  for (const bool hard : {false, true}) {
    xfrm_user_expire in{};
    in.state.id.daddr.a4 = net32("240.0.0.1");
    in.state.id.spi = htonl(0x0badcafe);
    in.state.id.proto = 50;
    in.state.family = AF_INET;
    in.state.reqid = 1;
    in.hard = hard;
    nl::Request request(XFRM_MSG_EXPIRE);
    request.header(in).attr(XFRMA_MARK, xfrm_mark{.v = 0x100, .m = 0x0fffff00});
    const auto event = xfrm::decode_event(message_of(request));
    ASSERT_TRUE(event.has_value());
    const auto& expire = std::get<xfrm::Expire>(*event);
    EXPECT_EQ(expire.hard, hard);
    EXPECT_EQ(expire.sa, id_of(samples::outbound()));
    EXPECT_EQ(expire.reqid, xfrm::Reqid(1));
  }
}

TEST(Decode, AnAcquireNamesThePacketAndTheReqidItWants) {
  xfrm_user_acquire in{};
  in.id.daddr.a4 = net32("240.0.0.1");
  in.saddr.a4 = net32("203.0.113.1");
  in.policy.sel.family = AF_INET;
  in.sel.family = AF_INET;
  in.sel.daddr = in.id.daddr;
  in.sel.saddr = in.saddr;
  in.sel.prefixlen_d = in.sel.prefixlen_s = 32;
  in.sel.proto = 17;
  in.sel.sport = htons(1701);
  in.sel.sport_mask = 0xffff;
  xfrm_user_tmpl wanted{};
  wanted.reqid = 12;
  nl::Request request(XFRM_MSG_ACQUIRE);
  request.header(in).attr(XFRMA_TMPL, wanted);
  const auto event = xfrm::decode_event(message_of(request));
  ASSERT_TRUE(event.has_value());
  const auto& acquire = std::get<xfrm::Acquire>(*event);
  EXPECT_EQ(acquire.source, address("203.0.113.1"));
  EXPECT_EQ(acquire.destination, address("240.0.0.1"));
  EXPECT_EQ(acquire.selector, samples::outbound().selector);
  EXPECT_EQ(acquire.reqid, xfrm::Reqid(12));
  EXPECT_EQ(acquire.mark, std::nullopt);
}

TEST(Decode, NoTruncationOfAnSaReadsOutsideOrDecodesToAnotherIdentity) {
  const auto request = xfrm::add_sa(samples::inbound());
  const auto whole = message_of(request);
  for (std::size_t size = 0; size < whole.payload.size(); ++size) {
    // A copy of exactly this size, so that the sanitizer sees one byte too many.
    const auto shorter = base::to_bytes(whole.payload.first(size));
    auto message = whole;
    message.payload = shorter;
    const auto sa = xfrm::decode_sa(message);
    if (size < sizeof(xfrm_usersa_info)) {
      EXPECT_FALSE(sa.has_value()) << size;
    } else if (sa) {
      EXPECT_EQ(id_of(sa->sa), id_of(samples::inbound())) << size;
    }
  }
}

TEST(Decode, WhatAnSaHasLostIsWhatItsPeerNumberedAndDidNotArrive) {
  const auto statistics_with = [](std::uint16_t type, auto replay) {
    auto request = xfrm::add_sa(samples::outbound());  // whose window needs no attribute of its own
    request.attr(type, replay);
    return xfrm::decode_sa(message_of(request)).value().statistics;
  };
  xfrm_replay_state_esn long_window{};
  long_window.seq = 7;
  long_window.seq_hi = 1;
  EXPECT_EQ(statistics_with(XFRMA_REPLAY_ESN_VAL, long_window).newest, 0x100000007);
  auto statistics = statistics_with(XFRMA_REPLAY_VAL, xfrm_replay_state{.oseq = 99, .seq = 12, .bitmap = 1});
  EXPECT_EQ(statistics.newest, 12U);
  statistics.packets = 9;
  EXPECT_EQ(statistics.lost(), 3U);
  statistics.newest = 0;
  EXPECT_EQ(statistics.lost(), 0U) << "as of an outbound SA";
}

TEST(Decode, AKeyLengthBeyondItsAttributeIsRefused) {
  nl::Request request(XFRM_MSG_NEWSA);
  xfrm_usersa_info info{};
  info.family = AF_INET;
  info.id.proto = 50;
  xfrm_algo cipher{};
  cipher.alg_key_len = 0xffffffff;
  request.header(info).attr(XFRMA_ALG_CRYPT, cipher);
  EXPECT_FALSE(xfrm::decode_sa(message_of(request)).has_value());
}

TEST(Decode, UnknownAlgorithmsAndTruncationsAreOther) {
  nl::Request request(XFRM_MSG_NEWSA);
  xfrm_usersa_info info{};
  info.family = AF_INET;
  info.id.proto = 50;
  xfrm_algo cipher{};
  std::strcpy(cipher.alg_name, "cbc(serpent)");
  xfrm_algo_auth digest{};
  std::strcpy(digest.alg_name, "hmac(sha256)");
  digest.alg_trunc_len = 96;
  request.header(info).attr(XFRMA_ALG_CRYPT, cipher).attr(XFRMA_ALG_AUTH_TRUNC, digest);
  const auto read = xfrm::decode_sa(message_of(request));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->sa.transform.encryption, xfrm::Encryption::other);
  EXPECT_EQ(read->sa.transform.integrity, xfrm::Integrity::other);
}

TEST(Decode, PoliciesThatAreNoEspTransportAreSkipped) {
  nl::Request bypass(XFRM_MSG_NEWPOLICY);
  xfrm_userpolicy_info info{};
  info.sel.family = AF_INET;
  bypass.header(info);
  EXPECT_FALSE(xfrm::decode_policy(message_of(bypass)).has_value());
  nl::Request tunnel(XFRM_MSG_NEWPOLICY);
  xfrm_user_tmpl esp{};
  esp.family = AF_INET;
  esp.id.proto = IPPROTO_ESP;
  esp.mode = XFRM_MODE_TUNNEL;
  tunnel.header(info).attr(XFRMA_TMPL, esp);
  EXPECT_FALSE(xfrm::decode_policy(message_of(tunnel)).has_value());
}

}  // namespace
