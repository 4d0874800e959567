// clients.md §8, line by line, as far as it is IKE's, and the quirks named elsewhere in it.

#include "harness/client_profile.h"
#include "scene.h"

namespace {

using namespace scene;
using harness::ClientProfile;
namespace v1 = ike::v1;

WorldSettings with_modp1024() {
  auto ws = cheap();
  ws.engine.ike_transforms.push_back(*ike::parse_ike_transform("aes256-sha256-modp1024"));
  return ws;
}

class ListedClient : public ::testing::TestWithParam<ClientProfile> {
 protected:
  InitiatorSettings settings(std::uint8_t last = 2) const {
    return harness::speaking_like(GetParam(), host(last));
  }
};

std::string name_of(const ::testing::TestParamInfo<ClientProfile>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Checklist, ListedClient, ::testing::ValuesIn(harness::every_client(11)), name_of);

// 1. Cookies, never addresses, say who it is.
TEST_P(ListedClient, Message1FromAKnownAddressAndPortIsSomebodyNew) {
  World w(with_modp1024());
  // Both boxes have one outside address and port: what a host behind the NAT had, another one has now.
  NatBox now_hers(nat_a), his(nat_a);
  auto& she = w.add(settings(3), &now_hers);
  auto& he = w.add(settings(2), &his);
  he.connect(w.now());
  w.run(3s);
  ASSERT_EQ(w.disagreement(he), "");
  she.connect(w.now());
  w.run(3s);
  EXPECT_EQ(w.disagreement(she), "");
  EXPECT_EQ(w.disagreement(he), "") << "his SAs stand";
  EXPECT_THAT(w.engine().peers(), SizeIs(2));
}

// 2. The port may change between any two messages.
TEST_P(ListedClient, PortMayDifferInEachExchange) {
  World w(with_modp1024());
  NatBox nat(nat_a);
  auto& client = w.add(settings(), &nat);
  client.main_mode(w.now());
  w.run(2s);
  ASSERT_TRUE(client.ike_up());
  nat.rebind();
  EXPECT_TRUE(client.quick_mode(w.now()));
  w.run(3s);
  EXPECT_EQ(w.disagreement(client), "");
}

// 2. Some go to port 4500 with message 3, before anybody can know of a NAT, and stay there.
TEST_P(ListedClient, MayFloatWithMessage3) {
  for (const bool behind_a_nat : {true, false}) {
    World w(with_modp1024());
    NatBox nat(nat_a);
    auto s = harness::speaking_like(GetParam(), behind_a_nat ? host() : without_nat());
    s.floats_in_message_3 = true;
    auto& client = w.add(s, behind_a_nat ? &nat : nullptr);
    client.connect(w.now());
    w.run(3s);
    EXPECT_THAT(w.complaints(), IsEmpty());
    ASSERT_EQ(w.disagreement(client), "");
    EXPECT_EQ(w.peer_of(client)->peer_behind_nat, behind_a_nat);
    EXPECT_FALSE(w.peer_of(client)->we_behind_nat);
    EXPECT_EQ(w.left().front().from.port, 500);
    for (std::size_t i = 1; i < w.left().size(); ++i)
      EXPECT_EQ(w.left()[i].from.port, 4500) << "what came to 4500 is answered there: message " << 2 * i + 2;
  }
}

// 3. A host of several addresses says a hash of each, in any order; only the first one is about us.
TEST_P(ListedClient, MayHaveSeveralAddresses) {
  using enum harness::NatD;
  constexpr auto another = another_of_its_addresses;
  for (const auto& about : {std::vector{gateway, itself, another}, std::vector{gateway, another, itself},
                            std::vector{gateway, another, another, itself, another}}) {
    for (const bool behind_a_nat : {true, false}) {
      World w(with_modp1024());
      NatBox nat(nat_a);
      auto base = behind_a_nat ? host() : without_nat();
      base = harness::speaking_like(GetParam(), base);
      base.nat_d = about;
      auto& client = w.add(base, behind_a_nat ? &nat : nullptr);
      client.connect(w.now());
      w.run(3s);
      EXPECT_THAT(w.complaints(), IsEmpty());
      ASSERT_EQ(w.disagreement(client), "");
      EXPECT_EQ(w.peer_of(client)->peer_behind_nat, behind_a_nat);
      EXPECT_FALSE(w.peer_of(client)->we_behind_nat);
      EXPECT_EQ(client.floated(), behind_a_nat || base.floats_in_message_3);
    }
  }
}

// §2: old Apples have them in the wrong order. Both ends then seem to be behind a NAT, and ESP goes in UDP,
// which it does anyway where there is one.
TEST_P(ListedClient, MaySayTheHashesInTheWrongOrder) {
  auto s = settings();
  s.nat_d = {harness::NatD::itself, harness::NatD::gateway};
  Connected c(with_modp1024(), s);
  c.world.run(2s);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
  EXPECT_EQ(c.world.disagreement(c.client), "");
  EXPECT_TRUE(c.client.floated());
}

// 5. What it believes to be its address, and where its port is, is its own affair.
TEST_P(ListedClient, IdciMayBeAddressNameAndAnyPort) {
  for (const auto& idci : {udp_id(Address::v4(0xc0a80102), 17, 1701), udp_id(Address::v4(0xc0a80102), 17, 0),
                           udp_id(Address::v4(0x0a090807), 17, 51234), udp_id(nat_a, 17, 1701),
                           base::from_hex("02 11 06a5 6c6170746f70")}) {
    auto s = settings();
    s.idci = idci;
    Connected c(with_modp1024(), s);
    c.world.run(2s);
    EXPECT_THAT(c.world.complaints(), IsEmpty());
    EXPECT_EQ(c.world.disagreement(c.client), "") << base::hex(idci);
  }
}

// 6. SAs are between the outer addresses.
TEST_P(ListedClient, SasNameTheOuterAddresses) {
  Connected c(with_modp1024(), settings());
  c.world.run(2s);
  ASSERT_THAT(c.client.children(), SizeIs(1));
  const auto* in = c.world.kernel().inbound(c.client.children()[0].out);
  ASSERT_NE(in, nullptr);
  EXPECT_EQ(in->source, nat_a);
  EXPECT_EQ(in->destination, gateway);
}

// 7. RESPONDER-LIFETIME where ours is shorter, and only there.
TEST_P(ListedClient, IsToldWhatIsShorter) {
  auto ws = with_modp1024();
  ws.engine.ike_lifetime = 1200s;
  ws.engine.esp_lifetime = 600s;
  Connected shorter(ws, settings());
  shorter.world.run(2s);
  std::size_t told = 0;
  for (const auto& n : shorter.client.notified()) told += n.type == v1::notify::responder_lifetime;
  EXPECT_EQ(told, 2u);
  ws.engine.ike_lifetime = ws.engine.esp_lifetime = 86400s;
  Connected longer(ws, settings());
  longer.world.run(2s);
  EXPECT_FALSE(longer.client.was_notified(v1::notify::responder_lifetime));
  EXPECT_EQ(longer.world.disagreement(longer.client), "");
}

// 9. The old inbound SA takes what is under way, the new outbound one carries ours.
TEST_P(ListedClient, KeepsTheOldPairThroughARekey) {
  auto s = settings();
  s.deletes = harness::Deletes::at_hang_up;  // of Windows' own habit below
  Connected c(with_modp1024(), s);
  c.world.run(2s);
  for (int rekey = 0; rekey < 3; ++rekey) {
    EXPECT_TRUE(c.client.quick_mode(c.world.now()));
    c.world.run(2s);
  }
  ASSERT_THAT(c.client.children(), SizeIs(4));
  const auto* peer = c.world.peer_of(c.client, 3);
  ASSERT_NE(peer, nullptr);
  ASSERT_NE(peer->active(), nullptr);
  EXPECT_EQ(peer->active()->in, c.client.children()[3].out);
  EXPECT_NE(c.world.kernel().inbound(c.client.children()[2].out), nullptr);
}

// §1 to §3: some delete the pair that they have replaced, most all that they have when they hang up. Who
// goes without a word is asked, and gone when it does not answer.
TEST_P(ListedClient, GoesAsItsKindDoes) {
  Connected c(with_modp1024(), settings());
  auto& w = c.world;
  w.run(2s);
  const auto old = spis_of(c.client);
  ASSERT_TRUE(c.client.quick_mode(w.now()));
  w.run(40s);
  const bool at_once = GetParam().deletes == harness::Deletes::old_pair_too;
  ASSERT_THAT(c.client.children(), SizeIs(at_once ? 1 : 2));
  EXPECT_EQ(w.kernel().inbound(old.out) == nullptr, at_once);
  EXPECT_EQ(w.disagreement(c.client, at_once ? 0 : 1), "");
  c.client.hang_up();
  w.run(35s);
  EXPECT_EQ(w.nothing_left(), GetParam().deletes != harness::Deletes::none);
  w.run(300s);
  EXPECT_TRUE(w.nothing_left());
  EXPECT_EQ(w.kernel().events_of(EventKind::peer_silent), GetParam().deletes == harness::Deletes::none);
  EXPECT_THAT(w.complaints(), IsEmpty());
}

// §1, §2: ESP outlives the ISAKMP SA, and a new Main Mode takes it over.
TEST_P(ListedClient, EspOutlivesTheIsakmpSa) {
  Connected c(with_modp1024(), settings());
  c.world.run(2s);
  c.client.delete_isakmp();
  c.world.run(2s);
  EXPECT_EQ(c.world.disagreement(c.client), "");
  c.client.main_mode(c.world.now());
  c.world.run(2s);
  ASSERT_TRUE(c.client.ike_up());
  EXPECT_THAT(c.world.engine().peers(), SizeIs(1)) << "INITIAL-CONTACT or not, it is the same";
  EXPECT_EQ(c.world.disagreement(c.client), "");
  EXPECT_TRUE(c.client.quick_mode(c.world.now()));
  c.world.run(2s);
  EXPECT_EQ(c.world.disagreement(c.client, c.client.children().size() - 1), "");
}

// §2: "QM retransmits after the ISAKMP SA is gone", and keepalives with a marker that does not belong there.
TEST_P(ListedClient, StrayPacketsAreNothing) {
  Connected c(with_modp1024(), settings());
  c.world.run(2s);
  const auto arrived = c.world.arrived();
  c.client.delete_isakmp();
  c.world.run(1s);
  const auto before = c.world.left().size();
  const auto last = arrived.back();
  c.world.inject(last.from, last.to, last.bytes);
  c.world.inject(last.from, last.to, base::from_hex("00000000ff"));
  c.world.inject(last.from, last.to, base::from_hex("ff"));
  EXPECT_EQ(c.world.left().size(), before);
  EXPECT_EQ(c.world.disagreement(c.client), "");
}

// §1: a Windows whose rekey names itself instead of its address (MS-818043).
TEST(OldWindows, RekeyMayNameItselfInsteadOfItsAddress) {
  auto s = harness::speaking_like(harness::windows_10(2), host());
  Connected c(cheap(), s);
  ASSERT_THAT(c.client.children(), SizeIs(1));
  c.client.call_itself(base::from_hex("02 11 06a5 6c6170746f70"));
  EXPECT_TRUE(c.client.quick_mode(c.world.now()));
  c.world.run(2s);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
  EXPECT_THAT(c.client.children(), SizeIs(1)) << "it has deleted its old pair";
  EXPECT_EQ(c.world.disagreement(c.client), "");
}

// 8. At 1 Gbit/s it rekeys every two seconds: nothing may pile up.
TEST(Windows, MayRekeyEveryTwoSecondsForHours) {
  Connected c(cheap(), harness::speaking_like(harness::windows_10(4), host()));
  for (int i = 0; i < 300; ++i) {
    const auto old = spis_of(c.client, 0);
    ASSERT_TRUE(c.client.quick_mode(c.world.now()));
    c.world.run(2s);
    ASSERT_THAT(c.client.children(), SizeIs(1)) << i << ": it deletes the old pair";
    EXPECT_NE(spis_of(c.client).in, old.in);
  }
  EXPECT_THAT(c.world.complaints(), IsEmpty());
  EXPECT_EQ(c.world.disagreement(c.client), "");
  EXPECT_LE(c.world.kernel().inbound_sas(), 8u) << "the pair, and those that linger for packets under way";
}

}  // namespace
