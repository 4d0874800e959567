#include "l2tp/message.h"

#include <gtest/gtest.h>

#include "l2tp/avp.h"
#include "vectors.h"

namespace l2tp {
namespace {

using testing::vector;

std::string text(const std::optional<ByteView>& bytes) {
  return bytes ? std::string(base::as_text(*bytes)) : "(absent)";
}

/// A body with one more AVP, given as hexadecimal, behind its Message Type.
Bytes body_with(const char* type, const char* avp) {
  return base::from_hex(std::string("80 08 00 00 00 00") + type + avp);
}

TEST(Message, DecodesTheSCCRQOfWindows) {
  const auto datagram = vector("sccrq-windows10");
  const auto header = decode_header(datagram);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->tunnel, TunnelId(0));
  EXPECT_EQ(header->ns, SeqNo(0));
  const auto m = decode(header->body);
  EXPECT_FALSE(m.fault);
  EXPECT_EQ(m.type, MessageType::SCCRQ);
  EXPECT_EQ(m.protocol_version, 0x0100);
  EXPECT_EQ(m.framing_capabilities, 1u);
  EXPECT_EQ(m.bearer_capabilities, 0u);
  EXPECT_EQ(m.firmware_revision, 0x0a00);
  EXPECT_EQ(text(m.host_name), "DESKTOP-7Q2");
  EXPECT_EQ(text(m.vendor_name), "Microsoft");
  EXPECT_EQ(m.assigned_tunnel_id, TunnelId(4));
  EXPECT_EQ(m.receive_window_size, 8);
}

TEST(Message, DecodesTheSCCRQsOfAppleAndroidAndXl2tpd) {
  const auto apple = vector("sccrq-apple");
  const auto a = decode(decode_header(apple)->body);
  EXPECT_FALSE(a.fault);
  EXPECT_EQ(text(a.host_name), std::string("macbook.local\0", 14));
  EXPECT_EQ(a.receive_window_size, 4);
  EXPECT_FALSE(a.bearer_capabilities);

  const auto android = vector("sccrq-android");
  const auto b = decode(decode_header(android)->body);
  EXPECT_FALSE(b.fault);
  EXPECT_EQ(text(b.host_name), "anonymous");
  EXPECT_EQ(b.receive_window_size, 1);
  EXPECT_EQ(b.assigned_tunnel_id, TunnelId(0xb3d1));

  const auto xl2tpd = vector("sccrq-xl2tpd");
  const auto c = decode(decode_header(xl2tpd)->body);
  EXPECT_FALSE(c.fault);
  EXPECT_EQ(text(c.vendor_name), "xelerance.com");
}

TEST(Message, OverlooksVendorsAndOddLengthsThatAreNotMandatory) {
  const auto icrq = vector("icrq-windows10");
  const auto a = decode(decode_header(icrq)->body);
  EXPECT_FALSE(a.fault);
  EXPECT_EQ(a.assigned_session_id, SessionId(1));
  const auto iccn = vector("iccn-mikrotik");
  const auto b = decode(decode_header(iccn)->body);
  EXPECT_FALSE(b.fault);
  EXPECT_TRUE(b.sequencing_required);
  EXPECT_EQ(b.tx_connect_speed, 100'000'000u);
}

TEST(Message, NamesTheFirstFaultOfAMandatoryAVP) {
  const auto foreign = decode(body_with("0001", "8008 0137 0001 0000"));
  EXPECT_EQ(foreign.fault, (Fault{GeneralError::unknown_mandatory_avp, 0x137, 1}));
  const auto unknown = decode(body_with("0001", "8006 0000 00c8"));
  EXPECT_EQ(unknown.fault, (Fault{GeneralError::unknown_mandatory_avp, 0, 200}));
  const auto too_long = decode(body_with("0001", "8009 0000 0009 000001"));
  EXPECT_EQ(too_long.fault, (Fault{GeneralError::length_wrong, 0, 9}));
  const auto hidden = decode(body_with("0001", "c008 0000 0009 0001"));
  EXPECT_EQ(hidden.fault, (Fault{GeneralError::unknown_mandatory_avp, 0, 9, true}));
  const auto reserved = decode(body_with("0001", "8408 0000 0009 0001"));
  EXPECT_EQ(reserved.fault, (Fault{GeneralError::unknown_mandatory_avp, 0, 9}));
  EXPECT_FALSE(reserved.assigned_tunnel_id);
}

TEST(Message, IgnoresTheSameFaultsWhereTheAVPIsNotMandatory) {
  for (const char* avp : {"0008 0137 0001 0000", "0006 0000 00c8", "0009 0000 0009 000001",
                          "4008 0000 0009 0001", "0408 0000 0009 0001"}) {
    const auto m = decode(body_with("0001", avp));
    EXPECT_FALSE(m.fault) << avp;
    EXPECT_FALSE(m.assigned_tunnel_id) << avp;
  }
}

TEST(Message, ABodyThatEndsWithinAnAVPIsAFault) {
  EXPECT_EQ(decode(body_with("0001", "8008 0000 00")).fault->error, GeneralError::length_wrong);
  EXPECT_EQ(decode(body_with("0001", "8005 0000 0009")).fault->error, GeneralError::length_wrong);
  EXPECT_EQ(decode(body_with("0001", "83ff 0000 0009 0001")).fault->error, GeneralError::length_wrong);
}

TEST(Message, TheMessageTypeComesFirstAndOnce) {
  EXPECT_TRUE(decode(base::from_hex("8008 0000 0009 0001  8008 0000 0000 0001")).fault);
  EXPECT_TRUE(decode(body_with("0001", "8008 0000 0000 0002")).fault);
  EXPECT_EQ(decode(base::from_hex("8008 0000 0009 0001")).type, MessageType::none);
}

TEST(Message, ResultCodeWithoutErrorAndWithWords) {
  const auto bare = decode(body_with("0004", "8008 0000 0001 0001"));
  EXPECT_EQ(bare.result, (Ending{1, 0, ""}));
  const auto full = decode(body_with("000e", "800e 0000 0001 0002 0006 6e6f2021"));
  EXPECT_EQ(full.result, (Ending{2, 6, "no !"}));
  EXPECT_TRUE(decode(body_with("0004", "8009 0000 0001 000100")).fault);
}

TEST(Message, WhatIsEncodedDecodesToTheSame) {
  Message cdn;
  cdn.type = MessageType::CDN;
  cdn.result = hang_up(CallResult::administrative, "PPP: the peer did not authenticate itself");
  cdn.assigned_session_id = SessionId(0xfffe);
  const auto body = encode(cdn);
  const auto back = decode(body);
  EXPECT_EQ(back.type, MessageType::CDN);
  EXPECT_EQ(back.result, cdn.result);
  EXPECT_EQ(back.assigned_session_id, cdn.assigned_session_id);
  EXPECT_FALSE(back.fault);
  EXPECT_EQ(encode(back), body);
}

TEST(Avp, EveryVectorsAVPsEncodeToTheSameBytes) {
  for (const char* name : {"sccrq-windows10", "sccrq-apple", "sccrq-android", "sccrq-xl2tpd",
                           "icrq-windows10", "iccn-mikrotik"}) {
    const auto datagram = vector(name);
    const auto header = decode_header(datagram);
    ASSERT_TRUE(header) << name;
    const auto avps = decode_avps(header->body);
    ASSERT_TRUE(avps) << name;
    wire::Writer out;
    for (const auto& avp : *avps) put_avp(out, avp);
    EXPECT_TRUE(base::equal(out.view(), header->body)) << name;
    EXPECT_EQ(encode(*header), datagram) << name;
  }
}

TEST(Header, RefusesWhatIsNoControlMessageOfVersion2) {
  const auto reason = [](const char* hex) { return decode_header(base::from_hex(hex)).error(); };
  EXPECT_EQ(reason(""), DropReason::malformed_header);
  EXPECT_EQ(reason("c8"), DropReason::malformed_header);
  EXPECT_EQ(reason("0002 0001 0001 ff03"), DropReason::data_message);
  EXPECT_EQ(reason("c803 000c 0000 0000 0000 0000"), DropReason::other_version);
  EXPECT_EQ(reason("c801 000c 0000 0000 0000 0000"), DropReason::other_version);
  EXPECT_EQ(reason("8802 000c 0000 0000 0000 0000"), DropReason::malformed_header);
  EXPECT_EQ(reason("c002 000c 0000 0000 0000 0000"), DropReason::malformed_header);
  EXPECT_EQ(reason("c802 000b 0000 0000 0000 0000"), DropReason::malformed_header);
  EXPECT_EQ(reason("c802 000d 0000 0000 0000 0000"), DropReason::malformed_header);
  EXPECT_EQ(reason("c802 000c 0000 0000 0000 00"), DropReason::malformed_header);
  EXPECT_EQ(reason("ca02 000c 0000 0000 0000 0000"), DropReason::malformed_header);
}

TEST(Header, IgnoresReservedBitsAndPadding) {
  const auto zlb = base::from_hex("fdf2 000c 0007 0000 0003 0004 0000 0000");
  const auto header = decode_header(zlb);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->tunnel, TunnelId(7));
  EXPECT_EQ(header->ns, SeqNo(3));
  EXPECT_EQ(header->nr, SeqNo(4));
  EXPECT_TRUE(header->body.empty());
}

}  // namespace
}  // namespace l2tp
