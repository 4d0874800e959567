#include "xfrm/encode.h"

#include <linux/xfrm.h>
#include <netlink/netlink.h>
#include <netlink/xfrm/sa.h>
#include <netlink/xfrm/selector.h>
#include <netlink/xfrm/sp.h>
#include <netlink/xfrm/template.h>

#include "compare.h"
#include "samples.h"
#include "xfrm/decode.h"

// libnl loses the addresses it parsed.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libnl"; }

namespace {

nl::Message message_of(const nl::Request& request) {
  auto bytes = request.view();
  return nl::next_message(bytes).value_or(nl::Message{});
}

nl::Attributes attributes_of(const nl::Request& request, std::size_t fixed) {
  const auto attributes = nl::Attributes::parse(message_of(request).payload.subspan(fixed));
  EXPECT_TRUE(attributes.has_value());
  return attributes.value_or(nl::Attributes{});
}

TEST(Encode, AnSaReadsBackAsItself) {
  for (const auto& sa : {samples::inbound().clone(), samples::outbound().clone()}) {
    const auto request = xfrm::add_sa(sa);
    const auto read = xfrm::decode_sa(message_of(request));
    ASSERT_TRUE(read.has_value());
    expect_same(read->sa, sa);
  }
}

TEST(Encode, InBeetModeSaAndPolicyTellWhereTheyLead) {
  auto sa = samples::outbound();
  sa.mode = xfrm::Mode::beet;
  sa.destination = samples::address("198.51.100.1");
  auto policy = samples::policy();
  policy.outer = xfrm::Ends{.source = sa.source, .destination = sa.destination};
  const auto request = xfrm::add_sa(sa);
  const auto read = xfrm::decode_sa(message_of(request));
  ASSERT_TRUE(read.has_value());
  expect_same(read->sa, sa);
  EXPECT_EQ(xfrm::decode_policy(message_of(xfrm::add_policy(policy))), policy);
}

TEST(Encode, AnSaGoesOnFromWhereAnotherOfAnyWindowWas) {
  using namespace std::chrono_literals;
  const xfrm::SaStatistics carried{
      .bytes = 7000, .packets = 70, .added = 1234567s, .used = 1234599s, .sent = 71};
  for (const std::uint32_t window : {32u, 128u}) {
    auto sa = samples::outbound();
    sa.replay_window = window;
    const auto request = xfrm::add_sa(sa, carried);
    const auto attributes = attributes_of(request, sizeof(xfrm_usersa_info));
    const auto lifetime = attributes.get_as<xfrm_lifetime_cur>(XFRMA_LTIME_VAL);
    ASSERT_TRUE(lifetime);
    EXPECT_EQ(lifetime->bytes, 7000u);
    EXPECT_EQ(lifetime->packets, 70u);
    EXPECT_EQ(lifetime->add_time, 1234567u);
    EXPECT_EQ(lifetime->use_time, 1234599u);
    const auto read = xfrm::decode_sa(message_of(request));
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->statistics.sent, 71u) << window;
    expect_same(read->sa, sa);
  }
  EXPECT_FALSE(
      attributes_of(xfrm::add_sa(samples::outbound()), sizeof(xfrm_usersa_info)).has(XFRMA_LTIME_VAL));
}

TEST(Encode, EveryAlgorithmReadsBackAsItself) {
  using xfrm::Encryption;
  using xfrm::Integrity;
  for (const auto encryption : {Encryption::null, Encryption::des3_cbc, Encryption::aes_cbc}) {
    for (const auto integrity :
         {Integrity::hmac_md5_96, Integrity::hmac_sha1_96, Integrity::hmac_sha2_256_128,
          Integrity::hmac_sha2_384_192, Integrity::hmac_sha2_512_256}) {
      auto sa = samples::inbound();
      sa.transform.encryption = encryption;
      sa.transform.integrity = integrity;
      const auto read = xfrm::decode_sa(message_of(xfrm::add_sa(sa)));
      ASSERT_TRUE(read.has_value());
      EXPECT_EQ(read->sa.transform.encryption, encryption);
      EXPECT_EQ(read->sa.transform.integrity, integrity);
    }
  }
}

TEST(Encode, AbsentLimitsAreUnlimitedAndNotZero) {
  const auto request = xfrm::add_sa(samples::outbound());
  const auto info = nl::pod<xfrm_usersa_info>(message_of(request).payload);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->lft.soft_byte_limit, XFRM_INF);
  EXPECT_EQ(info->lft.hard_byte_limit, XFRM_INF);
  EXPECT_EQ(info->lft.soft_packet_limit, XFRM_INF);
  EXPECT_EQ(info->lft.hard_packet_limit, XFRM_INF);
  EXPECT_EQ(info->lft.hard_add_expires_seconds, 0U) << "of seconds, zero is the unlimited one";
}

TEST(Encode, MarksAreSentOnlyWhereTheyAreGiven) {
  const auto inbound = xfrm::add_sa(samples::inbound());
  const auto in = attributes_of(inbound, sizeof(xfrm_usersa_info));
  EXPECT_FALSE(in.has(XFRMA_MARK));
  EXPECT_EQ(in.get_as<std::uint32_t>(XFRMA_SET_MARK), 0x00000100U);
  EXPECT_EQ(in.get_as<std::uint32_t>(XFRMA_SET_MARK_MASK), 0x0fffff00U);
  const auto outbound = xfrm::add_sa(samples::outbound());
  const auto out = attributes_of(outbound, sizeof(xfrm_usersa_info));
  ASSERT_TRUE(out.has(XFRMA_MARK));
  EXPECT_EQ(out.get_as<xfrm_mark>(XFRMA_MARK)->m, 0x0fffff00U);
  EXPECT_FALSE(out.has(XFRMA_SET_MARK));
  EXPECT_FALSE(out.has(XFRMA_SET_MARK_MASK));
}

TEST(Encode, AWindowBeyond32TravelsAsABitmapWithoutEsn) {
  auto sa = samples::inbound();
  sa.replay_window = 100;
  const auto request = xfrm::add_sa(sa);
  const auto info = nl::pod<xfrm_usersa_info>(message_of(request).payload);
  EXPECT_EQ(info->replay_window, 0);
  EXPECT_EQ(info->flags & XFRM_STATE_ESN, 0);
  const auto attributes = attributes_of(request, sizeof(xfrm_usersa_info));
  xfrm_replay_state_esn state{};
  ASSERT_TRUE(nl::copy_head(attributes.get(XFRMA_REPLAY_ESN_VAL), state));
  EXPECT_EQ(state.replay_window, 100U);
  EXPECT_EQ(state.bmp_len, 4U);
  EXPECT_EQ(attributes.get(XFRMA_REPLAY_ESN_VAL).size(), sizeof(xfrm_replay_state_esn) + 16);
}

TEST(Encode, LibnlReadsTheSaAsWeMeantIt) {
  const auto request = xfrm::add_sa(samples::outbound());
  auto bytes = base::to_bytes(request.view());
  xfrmnl_sa* sa = nullptr;
  ASSERT_EQ(xfrmnl_sa_parse(reinterpret_cast<nlmsghdr*>(bytes.data()), &sa), 0);
  EXPECT_EQ(xfrmnl_sa_get_spi(sa), 0x0badcafe);
  EXPECT_EQ(xfrmnl_sa_get_reqid(sa), 1U);
  EXPECT_EQ(xfrmnl_sa_get_mode(sa), XFRM_MODE_TRANSPORT);
  EXPECT_EQ(xfrmnl_sa_get_replay_window(sa), 32);
  unsigned value = 0;
  unsigned mask = 0;
  EXPECT_EQ(xfrmnl_sa_get_mark(sa, &mask, &value), 0);
  EXPECT_EQ(value, 0x00000100U);
  EXPECT_EQ(mask, 0x0fffff00U);
  unsigned type = 0;
  unsigned source_port = 0;
  unsigned destination_port = 0;
  nl_addr* original = nullptr;
  EXPECT_EQ(xfrmnl_sa_get_encap_tmpl(sa, &type, &source_port, &destination_port, &original), 0);
  EXPECT_EQ(source_port, 4500U);
  EXPECT_EQ(destination_port, 40001U);
  nl_addr_put(original);
  char name[64] = {};
  unsigned key_bits = 0;
  unsigned check_bits = 0;
  char key[64] = {};
  EXPECT_EQ(xfrmnl_sa_get_aead_params(sa, name, &key_bits, &check_bits, key), 0);
  EXPECT_STREQ(name, "rfc4106(gcm(aes))");
  EXPECT_EQ(key_bits, 288U);
  EXPECT_EQ(check_bits, 128U);
  auto* selector = xfrmnl_sa_get_sel(sa);
  EXPECT_EQ(xfrmnl_sel_get_sport(selector), 1701);
  EXPECT_EQ(xfrmnl_sel_get_sportmask(selector), 0xffff);
  EXPECT_EQ(xfrmnl_sel_get_dportmask(selector), 0);
  EXPECT_EQ(xfrmnl_sel_get_prefixlen_d(selector), 32);
  xfrmnl_sa_put(sa);
}

TEST(Encode, APolicyReadsBackAsItselfAndToLibnl) {
  const auto policy = samples::policy();
  const auto request = xfrm::add_policy(policy);
  EXPECT_EQ(xfrm::decode_policy(message_of(request)), policy);

  auto bytes = base::to_bytes(request.view());
  xfrmnl_sp* sp = nullptr;
  ASSERT_EQ(xfrmnl_sp_parse(reinterpret_cast<nlmsghdr*>(bytes.data()), &sp), 0);
  EXPECT_EQ(xfrmnl_sp_get_dir(sp), XFRM_POLICY_OUT);
  EXPECT_EQ(xfrmnl_sp_get_priority(sp), 100);
  ASSERT_EQ(xfrmnl_sp_get_nusertemplates(sp), 1);
  auto* esp = xfrmnl_sp_usertemplate_n(sp, 0);
  EXPECT_EQ(xfrmnl_user_tmpl_get_reqid(esp), 1);
  EXPECT_EQ(xfrmnl_user_tmpl_get_mode(esp), XFRM_MODE_TRANSPORT);
  xfrmnl_sp_put(sp);
}

TEST(Encode, NamesCarryTheMark) {
  const auto request = xfrm::delete_sa(id_of(samples::outbound()));
  const auto name = nl::pod<xfrm_usersa_id>(message_of(request).payload);
  ASSERT_TRUE(name.has_value());
  EXPECT_EQ(ntohl(name->spi), 0x0badcafeU);
  EXPECT_EQ(name->proto, 50);
  EXPECT_TRUE(attributes_of(request, MNL_ALIGN(sizeof(xfrm_usersa_id))).has(XFRMA_MARK));
  const auto other = xfrm::delete_policy(id_of(samples::policy()));
  EXPECT_TRUE(attributes_of(other, MNL_ALIGN(sizeof(xfrm_userpolicy_id))).has(XFRMA_MARK));
}

}  // namespace
