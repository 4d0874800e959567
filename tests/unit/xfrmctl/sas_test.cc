// SAs and policies as lists: whose they are, and how they read. Their messages come from our own encoder;
// kernel_test.cc has the kernel's.

#include "xfrmctl/sas.h"

#include <gmock/gmock.h>
#include <linux/xfrm.h>
#include <nlohmann/json.hpp>

#include "messages.h"
#include "validate.h"

// libnl loses the addresses it parsed.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libnl"; }

namespace xfrmctl {
namespace {

using control::Json;
using testing::HasSubstr;
using testing::Not;

constexpr std::uint64_t now = 1'700'000'600;

std::vector<control::Peer> two_peers() {
  std::vector<control::Peer> peers(2);
  for (std::uint32_t i = 0; i < 2; ++i) {
    peers[i].peer = i + 1;
    peers[i].mark = (i + 1) << 8;
    peers[i].alias = "240.0.0." + std::to_string(i + 1);
    peers[i].identity = "192.168.1." + std::to_string(i + 2);
  }
  return peers;
}

KernelSa inbound(std::uint32_t number = 1) { return sa_from_message(messages::inbound(number)); }
KernelSa outbound(std::uint32_t number = 1) { return sa_from_message(messages::outbound(number)); }

/// Somebody else's tunnel.
KernelSa foreign() {
  KernelSa sa;
  sa.source = "192.0.2.1", sa.destination = "192.0.2.2";
  sa.protocol = "ah", sa.mode = "tunnel", sa.spi = 0xabc;
  sa.selector = {.source = "0.0.0.0/0",
                 .destination = "0.0.0.0/0",
                 .protocol = 0,
                 .source_port = {},
                 .destination_port = {}};
  sa.digest = KernelAlgorithm{"hmac(sha512)", 512, 96};
  return sa;
}

KernelPolicy policy(std::uint32_t number = 1) { return policy_from_message(messages::policy(number)); }

Json row(const std::string& text, const char* list, std::size_t i = 0) { return Json::parse(text)[list][i]; }

TEST(Sas, MarkAndAliasTogetherSayWhoseAnSaIs) {
  const auto peers = two_peers();
  const Owners owners(&peers);
  EXPECT_EQ(owners.of(inbound(2)).peer, &peers[1]);
  EXPECT_EQ(owners.of(inbound(2)).direction, "in");
  EXPECT_EQ(owners.of(outbound(2)).peer, &peers[1]);
  EXPECT_EQ(owners.of(outbound(2)).direction, "out");
  auto unmarked = outbound(2);
  unmarked.mark.reset();
  EXPECT_EQ(owners.of(unmarked).peer, &peers[1]) << "as for an L2TP daemon that knows no marks";
  auto other_mark = outbound(2);
  other_mark.mark->value = 0x100;
  EXPECT_EQ(owners.of(other_mark).owner, Owner::foreign);
  auto other_alias = inbound(2);
  other_alias.selector.source = "240.0.0.1/32";
  EXPECT_EQ(owners.of(other_alias).owner, Owner::foreign);
  EXPECT_EQ(owners.of(inbound(3)).owner, Owner::foreign) << "of no peer that ikd knows";
  EXPECT_EQ(owners.of(foreign()).owner, Owner::foreign);
}

TEST(Sas, PeersBehindOneIpv6AddressAreToldApartByTheirMarks) {
  auto peers = two_peers();
  for (auto& peer : peers) peer.alias = "2001:db8::7";
  const Owners owners(&peers);
  for (std::uint32_t number : {1u, 2u}) {
    auto in = inbound(number);
    in.selector.source = "2001:db8::7/128";
    EXPECT_EQ(owners.of(in).peer, &peers[number - 1]);
    auto out = outbound(number);
    out.destination = "2001:db8::7", out.selector.destination = "2001:db8::7/128";
    EXPECT_EQ(owners.of(out).peer, &peers[number - 1]);
    out.mark.reset();
    EXPECT_EQ(owners.of(out).peer, &peers[number - 1]) << "by the reqid: plain ESP";
    out.reqid = 5;
    EXPECT_EQ(owners.of(out).owner, Owner::foreign) << "no alias, but an address that anybody may speak to";
  }
}

TEST(Sas, PoliciesBelongToTheirAliasAndThoseOfSocketsToNobodyKnown) {
  const auto peers = two_peers();
  const Owners owners(&peers);
  EXPECT_EQ(owners.of(policy(2)).peer, &peers[1]);
  auto inwards = policy(2);
  inwards.direction = "in";
  EXPECT_EQ(owners.of(inwards).owner, Owner::foreign);
  auto of_a_socket = policy(2);
  of_a_socket.socket = true;
  EXPECT_EQ(owners.of(of_a_socket).owner, Owner::unknown);
}

TEST(Sas, WithoutIkdNobodyKnowsWhoseTheyAre) {
  const Owners owners(nullptr);
  EXPECT_EQ(owners.of(inbound()).owner, Owner::unknown);
  EXPECT_EQ(owners.of(policy()).owner, Owner::unknown);
  EXPECT_EQ(row(sas_json({foreign()}, owners, now), "sas")["owner"], "unknown");
}

TEST(Sas, JsonHasEveryMemberAndFitsTheSchema) {
  const auto peers = two_peers();
  const Owners owners(&peers);
  const auto text = sas_json({foreign(), outbound(), inbound()}, owners, now);
  EXPECT_EQ(misfit("sas", text), "");
  const auto in = row(text, "sas", 0);
  EXPECT_EQ(in["owner"], "peer");
  EXPECT_EQ(in["peer"], 1);
  EXPECT_EQ(in["identity"], "192.168.1.2");
  EXPECT_EQ(in["direction"], "in");
  EXPECT_EQ(in["spi"], "0x0badca01");
  EXPECT_EQ(in["encap_source_port"], 40001);
  EXPECT_EQ(in["output_mark"], Json({{"value", 0x100}, {"mask", 0x0fffff00}}));
  EXPECT_TRUE(in["mark"].is_null());
  EXPECT_EQ(in["selector"]["source"], "240.0.0.1/32");
  EXPECT_EQ(in["selector"]["destination_port"], 1701);
  EXPECT_EQ(in["transform"], "aes256-sha1");
  EXPECT_EQ(in["cipher"]["key_bits"], 256);
  EXPECT_EQ(in["replay_window"], 128);
  EXPECT_EQ(in["hard_seconds"], 3600);
  EXPECT_TRUE(in["soft_bytes"].is_null());
  const auto out = row(text, "sas", 1);
  EXPECT_EQ(out["direction"], "out");
  EXPECT_EQ(out["mark"]["value"], 0x100);
  EXPECT_TRUE(out["output_mark"].is_null());
  const auto other = row(text, "sas", 2);
  EXPECT_EQ(other["owner"], "foreign");
  EXPECT_TRUE(other["peer"].is_null() && other["direction"].is_null() &&
              other["encap_source_port"].is_null());
}

TEST(Sas, PoliciesAsJsonFitTheSchema) {
  const auto peers = two_peers();
  auto bypass = policy(7);
  bypass.templates.clear();
  bypass.socket = true;
  const auto text = policies_json({bypass, policy()}, Owners(&peers));
  EXPECT_EQ(misfit("policies", text), "");
  const auto ours = row(text, "policies", 0);
  EXPECT_EQ(ours["peer"], 1);
  EXPECT_EQ(ours["direction"], "out");
  EXPECT_EQ(ours["action"], "allow");
  EXPECT_EQ(ours["mark"]["value"], 0x100);
  EXPECT_EQ(ours["templates"][0]["reqid"], 0x100);
  EXPECT_EQ(ours["templates"][0]["mode"], "beet");
  EXPECT_TRUE(ours["templates"][0]["spi"].is_null());
  EXPECT_TRUE(row(text, "policies", 1)["socket"]);
}

TEST(Sas, ADocumentThatLacksAMemberOrHasAnotherDoesNotFit) {
  const auto peers = two_peers();
  auto document = Json::parse(sas_json({inbound()}, Owners(&peers), now));
  document["sas"][0].erase("spi");
  EXPECT_THAT(misfit("sas", document.dump()), HasSubstr("'spi' is a required property"));
  document["sas"][0]["spi"] = "0x0badca01";
  EXPECT_EQ(misfit("sas", document.dump()), "");
  document["sas"][0]["key"] = "00";
  EXPECT_THAT(misfit("sas", document.dump()), HasSubstr("'key' was unexpected"));
}

TEST(Sas, NoKeySurvivesTheReading) {
  auto bytes = messages::inbound(1);
  const std::string key(32, 'k');  // of messages.h
  ASSERT_THAT(std::string(bytes.begin(), bytes.end()), HasSubstr(key));
  (void)sa_from(*reinterpret_cast<nlmsghdr*>(bytes.data()));
  EXPECT_THAT(std::string(bytes.begin(), bytes.end()), Not(HasSubstr("kk")));
}

TEST(Sas, WhatIsNoSaOrPolicyIsNone) {
  auto sa = messages::inbound(1);
  auto policy_bytes = messages::policy(1);
  EXPECT_FALSE(policy_from(*reinterpret_cast<nlmsghdr*>(sa.data())));
  EXPECT_FALSE(sa_from(*reinterpret_cast<nlmsghdr*>(policy_bytes.data())));
  auto& header = *reinterpret_cast<nlmsghdr*>(sa.data());
  header.nlmsg_len = sizeof(nlmsghdr) + 8;
  EXPECT_FALSE(sa_from(header));
}

TEST(Sas, WhatDidNotArriveIsCountedFromTheReplayWindow) {
  auto sa = messages::inbound_sa(1);
  sa.replay_window = 32;  // which needs no attribute of its own
  auto request = xfrm::add_sa(sa);
  xfrm_replay_state_esn replay{};
  replay.seq = 20;
  replay.replay_window = 128;
  request.attr(XFRMA_REPLAY_ESN_VAL, replay);
  auto read = sa_from_message(base::to_bytes(request.view()));
  EXPECT_EQ(read.newest, 20U);
  EXPECT_EQ(read.replay_window, 128U);
  read.packets = 17;
  EXPECT_EQ(row(sas_json({read}, Owners(nullptr), now), "sas")["lost"], 3);
}

TEST(Sas, TheTableReads) {
  const auto peers = two_peers();
  auto in = inbound();
  in.bytes = 1234, in.packets = 12, in.added = now - 600, in.used = now - 3, in.replayed = 2;
  auto out = outbound();
  out.added = now - 600;
  auto other = foreign();
  other.added = now - 7200, other.mark = KernelMark{5, 0xff};
  EXPECT_EQ("\n" + sas_table({other, out, in}, Owners(&peers), now),
            R"(
   PEER DIR FROM               TO                 SPI      MARK        TRANSFORM       BYTES PACKETS AGE IDLE ERRORS
      1 in  198.51.100.1:40001 203.0.113.1:4500   0badca01 gives 0x100 aes256-sha1      1.2k      12 10m   3s      2
      1 out 203.0.113.1:4500   198.51.100.1:40001 feed0001 0x100       aes256-sha1         0       0 10m    -      -
foreign -   192.0.2.1          192.0.2.2          00000abc 0x5/0xff    ah hmac(sha512)     0       0  2h    -      -
)");
}

TEST(Sas, ThePoliciesReadToo) {
  const auto peers = two_peers();
  auto bypass = policy(7);
  bypass.templates.clear();
  bypass.socket = true;
  bypass.direction = "in";
  bypass.mark.reset();
  EXPECT_EQ("\n" + policies_table({bypass, policy()}, Owners(&peers)), R"(
PEER DIR       FROM             TO        PROTOCOL MARK  WANTS                PRIORITY
   1 out       203.0.113.1:1701 240.0.0.1 udp      0x100 esp beet reqid 0x100      100
   - socket in 203.0.113.1:1701 240.0.0.7 udp      -     clear                     100
)");
}

TEST(Sas, AlgorithmsThatIkdDoesNotKnowHaveTheKernelsNames) {
  auto sa = inbound();
  sa.cipher = KernelAlgorithm{"cbc(camellia)", 256, 0};
  sa.digest = KernelAlgorithm{"hmac(sha256)", 256, 96};
  EXPECT_EQ(transform_text(sa), "cbc(camellia)-hmac(sha256)") << "96 bits are not RFC 4868's";
  sa.cipher.reset(), sa.digest.reset();
  sa.aead = KernelAlgorithm{"rfc4106(gcm(aes))", 288, 128};
  EXPECT_EQ(transform_text(sa), "aes256gcm16");
}

}  // namespace
}  // namespace xfrmctl
