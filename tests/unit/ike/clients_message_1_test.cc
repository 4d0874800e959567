// What each client says first, and what it is told in message 2 (clients.md §0 to §6).

#include "harness/client_profile.h"
#include "ike/v1/vendor_ids.h"
#include "scene.h"

namespace {

using namespace scene;
using harness::ClientProfile;
using ike::Client;
namespace v1 = ike::v1;

Bytes message_1(const ClientProfile& profile) {
  Initiator sample(harness::speaking_like(profile, host()));
  sample.main_mode(base::Time{});
  return sample.next_send()->bytes;
}

struct Decoded {
  Bytes bytes;
  v1::Chain chain;
  v1::SaPayload offered;
  explicit Decoded(Bytes message) : bytes(std::move(message)) {
    const auto header = v1::decode_header(bytes);
    chain = *v1::decode_chain(header->next, base::ByteView(bytes).subspan(v1::header_size));
    offered = *v1::decode_sa(chain.find(v1::PayloadType::sa)->body);
  }
};

class EveryClient : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(EveryClient, IsRecognisedByItsMessage1) {
  for (const auto& profile : harness::every_client(GetParam())) {
    const Decoded m(message_1(profile));
    EXPECT_EQ(ike::recognise(m.chain, m.offered), profile.client) << profile.name;
  }
}

TEST_P(EveryClient, IsNotRecognisedByItsProposalsAlone) {
  for (auto profile : harness::every_client(GetParam())) {
    profile.vendor_ids = {base::to_bytes(v1::vendor_rfc3947)};
    const Decoded m(message_1(profile));
    EXPECT_EQ(ike::recognise(m.chain, m.offered), Client::unknown) << profile.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, EveryClient, ::testing::Range<std::uint64_t>(0, 8));

TEST(Windows, Message1Has408BytesLikeTheRealOne) {
  for (std::uint64_t seed = 0; seed < 8; ++seed)
    EXPECT_EQ(message_1(harness::windows_10(seed)).size(), 408u) << "SA V V V V V V V V";
}

TEST(Windows, OlderOnesLackTheFirstVendorId) {
  auto profile = harness::windows_10(1);
  profile.vendor_ids.erase(profile.vendor_ids.begin());
  const Decoded m(message_1(profile));
  EXPECT_EQ(ike::recognise(m.chain, m.offered), Client::windows);
}

TEST(Android, IsToldFromAppleAndRacoonByItsGroupAlone) {
  auto profile = harness::android_7(1);
  profile.ike[3].group = 14;
  const Decoded m(message_1(profile));
  EXPECT_EQ(ike::recognise(m.chain, m.offered), Client::unknown);
}

TEST(StrongSwan, IsRecognisedByItsOwnNameAndWithoutFragmentation) {
  auto profile = harness::network_manager_strongswan(1);
  std::erase(profile.vendor_ids, base::to_bytes(v1::vendor_fragmentation_main));
  const Decoded m(message_1(profile));
  EXPECT_EQ(ike::recognise(m.chain, m.offered), Client::strongswan);
  profile.vendor_ids = {base::to_bytes(v1::vendor_strongswan)};
  const Decoded named(message_1(profile));
  EXPECT_EQ(ike::recognise(named.chain, named.offered), Client::strongswan);
}

/// The vendor IDs of message 2.
std::vector<Bytes> answered(ike::VendorIds policy, const std::vector<Bytes>& offered) {
  auto ws = cheap();
  ws.engine.vendor_ids = policy;
  World w(ws);
  auto s = host();
  s.vendor_ids = offered;
  w.add(s, nullptr).main_mode(w.now());
  w.run(50ms);
  std::vector<Bytes> out;
  if (w.left().empty()) return out;
  const Decoded m(w.left().front().bytes);
  for (const auto& p : m.chain.payloads) {
    if (p.type == v1::PayloadType::vendor_id) out.push_back(base::to_bytes(p.body));
  }
  return out;
}

const auto rfc3947 = base::to_bytes(v1::vendor_rfc3947);
const auto dpd = base::to_bytes(v1::vendor_dpd);
const auto bare_fragmentation = base::to_bytes(v1::vendor_fragmentation);
const auto fragmentation = base::to_bytes(v1::vendor_fragmentation_main);

TEST(Message2, SaysOnlyWhatWasSaidWhereVendorIdsAreMinimal) {
  const auto minimal = [](const std::vector<Bytes>& offered) {
    return answered(ike::VendorIds::minimal, offered);
  };
  EXPECT_THAT(minimal({rfc3947}), ::testing::UnorderedElementsAre(rfc3947));
  EXPECT_THAT(minimal({rfc3947, bare_fragmentation}),
              ::testing::UnorderedElementsAre(rfc3947, fragmentation));
  EXPECT_THAT(minimal({dpd, rfc3947}), ::testing::UnorderedElementsAre(rfc3947, dpd));
  EXPECT_THAT(minimal({base::to_bytes(v1::vendor_xauth)}), IsEmpty());
}

/// The vendor IDs of the message 1 by which we renew an ISAKMP SA.
std::vector<Bytes> said_in_ours(ike::VendorIds policy, const std::vector<Bytes>& offered) {
  auto ws = cheap();
  ws.engine.vendor_ids = policy;
  ws.engine.ike_lifetime = 600s;
  auto s = host();
  s.vendor_ids = offered;
  Connected c(ws, s);
  c.world.run(595s);
  std::vector<Bytes> out;
  for (const auto& d : c.world.left()) {
    const auto message = base::ByteView(d.bytes).subspan(d.from.port == 4500 ? 4 : 0);
    const auto header = v1::decode_header(message);
    if (!header || header->responder != v1::Cookie{}) continue;
    const auto chain = v1::decode_chain(header->next, message.subspan(v1::header_size));
    for (const auto& p : chain->payloads) {
      if (p.type == v1::PayloadType::vendor_id) out.push_back(base::to_bytes(p.body));
    }
    break;
  }
  return out;
}

TEST(Message1OfOurs, SaysOnlyWhatTheClientSaidWhereVendorIdsAreMinimal) {
  using ::testing::UnorderedElementsAre;
  EXPECT_THAT(said_in_ours(ike::VendorIds::minimal, {rfc3947}), UnorderedElementsAre(rfc3947));
  EXPECT_THAT(said_in_ours(ike::VendorIds::minimal, {rfc3947, dpd}), UnorderedElementsAre(rfc3947, dpd));
  EXPECT_THAT(said_in_ours(ike::VendorIds::all, {rfc3947}),
              UnorderedElementsAre(rfc3947, fragmentation, dpd));
}

TEST(Message2, OffersFragmentsAndDpdUnasked) {
  EXPECT_THAT(answered(ike::VendorIds::all, {rfc3947}),
              ::testing::UnorderedElementsAre(rfc3947, fragmentation, dpd));
  EXPECT_THAT(answered(ike::VendorIds::all, {base::to_bytes(v1::vendor_xauth)}),
              ::testing::UnorderedElementsAre(fragmentation, dpd))
      << "but never NAT traversal, which would be a choice";
}

TEST(Message2, NeverChoosesADraftOfNatTraversalWhereTheRfcIsOffered) {
  for (const auto& profile : harness::every_client(3)) {
    const auto ids = answered(ike::VendorIds::all, profile.vendor_ids);
    EXPECT_THAT(ids, ::testing::Contains(rfc3947)) << profile.name;
    for (const auto& draft : {base::ByteView(v1::vendor_natt_apple), base::ByteView(v1::vendor_natt_00),
                              base::ByteView(v1::vendor_natt_02), base::ByteView(v1::vendor_natt_02n),
                              base::ByteView(v1::vendor_natt_03), base::ByteView(v1::vendor_natt_08)})
      EXPECT_THAT(ids, Not(::testing::Contains(base::to_bytes(draft)))) << profile.name;
  }
}

TEST(Message2, IsNeverLargerThanMessage1OfARealClient) {
  for (const auto& profile : harness::every_client(5)) {
    auto ws = cheap();
    ws.engine.ike_transforms.push_back(*ike::parse_ike_transform("aes256-sha256-modp1024"));
    World w(ws);
    w.add(harness::speaking_like(profile, without_nat())).main_mode(w.now());
    w.run(50ms);
    ASSERT_THAT(w.left(), Not(IsEmpty())) << profile.name;
    EXPECT_LE(w.left().front().bytes.size(), w.arrived().front().bytes.size()) << profile.name;
  }
}

}  // namespace
