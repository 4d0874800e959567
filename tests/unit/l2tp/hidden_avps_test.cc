// Hidden AVPs in the messages they travel in: each that RFC 2661 §4.4 allows to be hidden, and what cannot be
// read. The bytes were computed with Python's hashlib from the text of RFC 2661 §4.3, not with this code.

#include <gtest/gtest.h>

#include "bench.h"

namespace l2tp {
namespace {

using base::from_hex;
using testing::Bench;

constexpr auto secret = "swordfish";

const char* const hidden_SCCRQ =
    "8008000000000001"                              // Message Type
    "8008000000020100"                              // Protocol Version
    "8009000000076c6163"                            // Host Name
    "80080000000a0004"                              // Receive Window Size
    "801600000024000102030405060708090a0b0c0d0e0f"  // Random Vector
    "c00c0000000311e207e5d8c5"                      // Framing Capabilities, hidden
    "c011000000048f6bb1333288943e9c8419"            // Bearer Capabilities, hidden
    "c00a000000061ef3da73"                          // Firmware Revision, hidden
    "c02d000000084415f6d7cd0e082dca78b04347aef8780ea0fd8bcb2dd1f6e0bad543dc6758c0cdc353e9"
    "a7f90c"                                             // Vendor Name, hidden
    "801600000024a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"       // Random Vector
    "c01800000009b1f61ed06735a54237b44b8be8eb5b6edd18"   // Assigned Tunnel ID, hidden
    "c0180000000b116212a8dbe882116bae8793125ed69e1028";  // Challenge, hidden

const char* const hidden_SCCCN =
    "8008000000000003"                                         // Message Type
    "801600000024000102030405060708090a0b0c0d0e0f"             // Random Vector
    "c01b0000000d2beec6397448f39e8a8aab45fb97cc207468b9fa51";  // Challenge Response, hidden

const char* const hidden_ICRQ =
    "800800000000000a"                              // Message Type
    "801600000024000102030405060708090a0b0c0d0e0f"  // Random Vector
    "c00a0000000ec84a1c2e"                          // Assigned Session ID, hidden
    "c00c0000000f00013dd28e44"                      // Call Serial Number, hidden
    "801600000024a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"  // Random Vector
    "c00d000000123b2b7fa5194c1c"                    // Bearer Type, hidden
    "c00c00000019fbd051c64a16"                      // Physical Channel ID, hidden
    "c00f00000015c97e45561fedf59517"                // Called Number, hidden
    "c00f00000016e41642c46c2bea2987"                // Calling Number, hidden
    "c009000000171a13b1";                           // Sub-Address, hidden

const char* const hidden_ICCN =
    "800800000000000c"                                  // Message Type
    "801600000024000102030405060708090a0b0c0d0e0f"      // Random Vector
    "c00c000000189c12c2964a77"                          // Tx Connect Speed, hidden
    "c00c00000013afae3e744603"                          // Framing Type, hidden
    "c0120000001a88853768eb8dea9daaf04d45"              // Initial Received LCP CONFREQ, hidden
    "c0120000001bd7b345dfabf0011e6d1f20f3"              // Last Sent LCP CONFREQ, hidden
    "c0120000001c35b86234c4a12a7d14562732"              // Last Received LCP CONFREQ, hidden
    "c00a0000001d22888ae9"                              // Proxy Authen Type, hidden
    "c00d0000001eff18fc0fab07bd"                        // Proxy Authen Name, hidden
    "c0180000001ffae2291805221f413e90dcf9b56162c9e1a6"  // Proxy Authen Challenge, hidden
    "c00a00000020bfe0df8d"                              // Proxy Authen ID, hidden
    "c01800000021cf2042835aa5e0c4133061eb47bd9351a8e8"  // Proxy Authen Response, hidden
    "c00e00000025f2ae8ffcce17d924"                      // Private Group ID, hidden
    "c00c00000026a8ab5e5d9f92";                         // Rx Connect Speed, hidden

const char* const hidden_WEN =
    "800800000000000f"                                                       // Message Type
    "801600000024000102030405060708090a0b0c0d0e0f"                           // Random Vector
    "c022000000229c470bede8db2827159b3a8c129c52925e90fe657035ce5080b07018";  // Call Errors, hidden

const char* const hidden_SLI =
    "8008000000000010"                              // Message Type
    "801600000024000102030405060708090a0b0c0d0e0f"  // Random Vector
    "c01200000023666ad217c57bb83cf25e4516";         // ACCM, hidden

const char* const hidden_OCRQ =
    "8008000000000007"                              // Message Type
    "801600000024000102030405060708090a0b0c0d0e0f"  // Random Vector
    "c00a0000000ec84a1c2d"                          // Assigned Session ID, hidden
    "c00c0000000f00013dd28e4b"                      // Call Serial Number, hidden
    "c00c00000010db251ee75849"                      // Minimum BPS, hidden
    "c00c000000118060087f3319"                      // Maximum BPS, hidden
    "c00c00000012a13175853bdf"                      // Bearer Type, hidden
    "c00c00000013afae3e744603"                      // Framing Type, hidden
    "c00f000000159814717ec3b0095c4c"                // Called Number, hidden
    "c00900000017fc55c1";                           // Sub-Address, hidden

const char* const hidden_CDN =
    "800800000000000e"                              // Message Type
    "8008000000010003"                              // Result Code
    "801600000024000102030405060708090a0b0c0d0e0f"  // Random Vector
    "c00a0000000ec84a1c2e";                         // Assigned Session ID, hidden

const char* const hidden_StopCCN =
    "8008000000000004"                              // Message Type
    "8008000000010001"                              // Result Code
    "801600000024000102030405060708090a0b0c0d0e0f"  // Random Vector
    "c00a00000009543035d7";                         // Assigned Tunnel ID, hidden

const std::string first_vector = "801600000024000102030405060708090a0b0c0d0e0f";
const std::string second_vector = "801600000024a0a1a2a3a4a5a6a7a8a9aaabacadaeaf";

struct Scene {
  explicit Scene(const char* words = secret) : bench(settings(words)) {}
  static Settings settings(const char* words) {
    Settings out;
    out.secret = kept_here(base::Secret::copy_of(base::as_bytes(words)));
    return out;
  }

  /// What is answered to the next message of the peer; a ZLB is of type `none`.
  std::vector<Message> say(const std::string& body, TunnelId to, SessionId session = {}) {
    const auto bytes = from_hex(body);
    bench.effects.clear();
    bench.input(
        encode(Header{.tunnel = to, .session = session, .ns = SeqNo(ns), .nr = SeqNo(nr), .body = bytes}));
    ++ns;
    const auto effects = bench.effects;
    auto out = bench.sent();
    bench.effects = effects;
    for (const auto& message : out) nr = static_cast<std::uint16_t>(nr + (message.type != MessageType::none));
    return out;
  }
  SessionId addressed() const { return decode_header(bench.kept.at(0))->session; }
  TunnelId tunnel() const { return bench.server.tunnels().begin()->first; }

  Bench bench;
  std::uint16_t ns = 0, nr = 0;
};

TEST(HiddenAVPs, EachThatMayBeHiddenIsReadInAWholeLife) {
  Scene scene;
  auto& bench = scene.bench;
  auto sent = scene.say(hidden_SCCRQ, TunnelId());
  ASSERT_EQ(sent.size(), 1u);
  ASSERT_EQ(sent[0].type, MessageType::SCCRP) << (sent[0].result ? sent[0].result->message : "");
  const auto id = *sent[0].assigned_tunnel_id;
  const auto& tunnel = bench.server.tunnels().at(id);
  EXPECT_EQ(tunnel.name().peer, TunnelId(0x1234));
  EXPECT_EQ(tunnel.vendor_name(), "a vendor name of more than two blocks");
  EXPECT_EQ(base::hex(*sent[0].challenge_response), "15934b8f99f235896315f08cdfcc26fb");

  scene.say(hidden_SCCCN, id);
  EXPECT_EQ(bench.count<KernelTunnelUp>(), 1u);

  sent = scene.say(hidden_ICRQ, id);
  ASSERT_EQ(sent.size(), 1u);
  ASSERT_EQ(sent[0].type, MessageType::ICRP) << (sent[0].result ? sent[0].result->message : "");
  EXPECT_EQ(scene.addressed(), SessionId(0x4321));
  const auto call = *sent[0].assigned_session_id;
  scene.say(hidden_ICCN, id, call);
  EXPECT_EQ(bench.count<StartSession>(), 1u);
  for (const auto* trouble : {hidden_WEN, hidden_SLI}) {
    sent = scene.say(trouble, id, call);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].type, MessageType::none) << sent[0].result->message;
  }
  sent = scene.say(hidden_OCRQ, id);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].result->message, "this server places no calls");
  EXPECT_EQ(scene.addressed(), SessionId(0x4322));
  scene.say(hidden_CDN, id);  // as from a peer that does not know our id
  EXPECT_EQ(bench.count<StopSession>(), 1u);
  scene.say(hidden_StopCCN, id);
  EXPECT_EQ(bench.count<TunnelDown>(), 1u);
}

/// An SCCRQ with Framing Capabilities, which the server can do without, as given.
std::string sccrq_with(const std::string& avps) {
  return "8008000000000001"
         "8008000000020100"
         "800800000009"
         "0005" +
         avps;
}

TEST(HiddenAVPs, WhatCannotBeReadIsRefusedInWordsOrOverlooked) {
  const std::string hidden = "c00c0000000311e207e5d8c5", by_the_way = "400c0000000311e207e5d8c5";
  struct Case {
    const char* what;
    std::string avps;
    bool readable = false;
    const char* words = secret;
  };
  const Case cases[] = {
      {"as it should be", first_vector + hidden, true},
      {"the last vector counts", second_vector + first_vector + hidden, true},
      {"another vector since", first_vector + second_vector + hidden},
      {"no vector", hidden},
      {"the vector comes after it", hidden + first_vector},
      {"the vector is hidden itself", "c01600000024000102030405060708090a0b0c0d0e0f" + hidden},
      {"another secret", first_vector + hidden, false, "Swordfish"},
      {"no secret here", first_vector + hidden, false, ""},
      {"nothing in it", first_vector + "c00600000003"},
      {"half a length in it", first_vector + "c0070000000311"},
      {"a length beyond its end", first_vector + "c00c0000000311e307e5d8c5"},
  };
  for (const auto& each : cases) {
    Scene scene(each.words);
    const auto sent = scene.say(sccrq_with(each.avps), TunnelId());
    ASSERT_EQ(sent.size(), 1u) << each.what;
    EXPECT_EQ(sent[0].type, each.readable ? MessageType::SCCRP : MessageType::StopCCN) << each.what;
    if (each.readable || !sent[0].result) continue;
    EXPECT_EQ(sent[0].result->code, static_cast<std::uint16_t>(StopResult::general_error)) << each.what;
    if (each.what == std::string("the vector is hidden itself")) {
      EXPECT_EQ(sent[0].result->message, "AVP 36 is hidden and cannot be read");
    } else {
      EXPECT_EQ(sent[0].result->message, "AVP 3 is hidden and cannot be read") << each.what;
      EXPECT_EQ(sent[0].result->error, static_cast<std::uint16_t>(GeneralError::unknown_mandatory_avp));
    }
  }
  Scene scene;
  const auto sent = scene.say(sccrq_with(by_the_way), TunnelId());
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, MessageType::SCCRP) << "it was not mandatory";
}

TEST(HiddenAVPs, AReadableOneOfTheWrongLengthIsJudgedLikeAPlainOne) {
  Scene scene;
  const auto sent = scene.say(sccrq_with(first_vector + "c00c0000000311e507e5d8c5"), TunnelId());
  ASSERT_EQ(sent.size(), 1u);
  ASSERT_TRUE(sent[0].result);
  EXPECT_EQ(sent[0].result->message, "AVP 3 has the wrong length");
}

TEST(HiddenAVPs, ATunnelIdThatCannotBeReadHasNoAnswer) {
  Scene scene("Swordfish");
  EXPECT_TRUE(scene.say(hidden_SCCRQ, TunnelId()).empty());
  EXPECT_EQ(scene.bench.dropped(DropReason::malformed_sccrq), 1u);
}

TEST(HiddenAVPs, WhatCannotBeReadInACallEndsTheCallOnly) {
  Scene scene;
  scene.say(hidden_SCCRQ, TunnelId());
  const auto id = scene.tunnel();
  scene.say(hidden_SCCCN, id);
  const std::string icrq =
      "800800000000000a"
      "80080000000e0021";
  auto sent = scene.say(icrq + second_vector + "c00c0000000f00013dd28e44", id);
  ASSERT_EQ(sent.size(), 1u);
  ASSERT_EQ(sent[0].type, MessageType::CDN);
  EXPECT_EQ(sent[0].result->message, "AVP 15 is hidden and cannot be read");
  EXPECT_EQ(scene.addressed(), SessionId(0x21));
  sent = scene.say(icrq + first_vector + "c00c0000000f00013dd28e44", id);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, MessageType::ICRP);
  EXPECT_EQ(scene.bench.server.tunnels().at(id).state(), TunnelState::established);
}

TEST(HiddenAVPs, AResponseThatCannotBeReadProvesNothing) {
  Scene scene;
  scene.say(hidden_SCCRQ, TunnelId());
  auto scccn = std::string(hidden_SCCCN);
  scccn.replace(scccn.find(first_vector), first_vector.size(), second_vector);
  const auto sent = scene.say(scccn, scene.tunnel());
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, MessageType::StopCCN);
  EXPECT_EQ(scene.bench.count<KernelTunnelUp>(), 0u);
}

}  // namespace
}  // namespace l2tp
