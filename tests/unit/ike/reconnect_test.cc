// Who comes back, and what becomes of its old self.

#include "scene.h"

namespace {

using namespace scene;

WorldSettings with_devices() {
  auto ws = cheap();
  ws.kernel.psks = {{"family", "swordfish"}, {"alice's phone", "correct horse"}, {"bob's phone", "battery"}};
  ws.engine.psks = {{"alice's phone", {.device = true}}, {"bob's phone", {.device = true}}};
  return ws;
}

InitiatorSettings phone(std::uint64_t seed, std::string psk = "correct horse") {
  auto s = host(2, seed);
  s.psk = std::move(psk);
  return s;
}

/// A client is up, and comes back from another place.
struct Return {
  World world{with_devices()};
  NatBox home{nat_a}, street{public_host};
  Initiator& first;
  explicit Return(InitiatorSettings before) : first(world.add(std::move(before), &home)) {
    first.connect(world.now());
    world.run(10s);
  }
  Initiator& back(InitiatorSettings after) {
    auto& out = world.add(std::move(after), &street);
    out.connect(world.now());
    world.run(1s);
    EXPECT_EQ(world.disagreement(out), "") << "at once, whatever becomes of the old one";
    return out;
  }
};

TEST(Reconnect, OfAnotherUnderASharedKeyLeavesTheOldOneToDeadPeerDetection) {
  Return r(phone(1, "swordfish"));
  r.back(phone(2, "swordfish"));
  EXPECT_THAT(r.world.engine().peers(), SizeIs(2));
  EXPECT_EQ(r.world.disagreement(r.first), "");
  r.first.stop_answering_dpd();
  r.world.run(310s);
  EXPECT_THAT(r.world.engine().peers(), SizeIs(1));
}

TEST(Reconnect, OfADeviceEndsItsOldSelf) {
  Return r(phone(1));
  auto& now = r.back(phone(2));
  EXPECT_THAT(r.world.engine().peers(), SizeIs(1));
  EXPECT_EQ(r.world.kernel().events_of(EventKind::peer_replaced), 1u);
  EXPECT_EQ(r.world.kernel().sas().size(), 2u);
  EXPECT_EQ(r.world.kernel().entries().size(), 1u);
  EXPECT_EQ(r.world.disagreement(now), "");
  EXPECT_THAT(r.world.kernel().complaints(), IsEmpty());
}

TEST(Reconnect, OfADeviceEndsNobodyElse) {
  Return r(phone(1));
  auto bobs = phone(7, "battery");
  bobs.local.address = host(5).local.address;
  auto& bob = r.world.add(bobs, &r.home);
  auto s = host(9);
  auto& family = r.world.add(s, &r.home);
  bob.connect(r.world.now());
  family.connect(r.world.now());
  r.world.run(2s);
  r.back(phone(2));
  EXPECT_THAT(r.world.engine().peers(), SizeIs(3));
  EXPECT_EQ(r.world.disagreement(bob), "");
  EXPECT_EQ(r.world.disagreement(family), "");
}

TEST(Reconnect, NewMainModeOfADeviceAloneEndsNothing) {
  Return r(phone(1));
  auto& elsewhere = r.world.add(phone(2), &r.street);
  elsewhere.main_mode(r.world.now());
  r.world.run(10s);
  EXPECT_THAT(r.world.engine().peers(), SizeIs(2));
  EXPECT_EQ(r.world.disagreement(r.first), "") << "its NAT may have moved it";
  elsewhere.notify(ike::v1::notify::initial_contact);
  r.world.run(1s);
  EXPECT_THAT(r.world.engine().peers(), SizeIs(1)) << "now it says that it begins anew";
}

TEST(Reconnect, InitialContactInMessage5EndsTheDevicesOldSelf) {
  Return r(phone(1));
  auto s = phone(2);
  s.contact = harness::Contact::in_message_5;
  r.world.add(s, &r.street).main_mode(r.world.now());
  r.world.run(5s);
  EXPECT_THAT(r.world.engine().peers(), SizeIs(1));
}

TEST(Reconnect, InitialContactUnderASharedKeyEndsNobody) {
  Return r(phone(1, "swordfish"));
  auto s = phone(2, "swordfish");
  s.contact = harness::Contact::in_message_5;
  r.back(s).notify(ike::v1::notify::initial_contact);
  r.world.run(5s);
  EXPECT_THAT(r.world.engine().peers(), SizeIs(2));
  EXPECT_EQ(r.world.disagreement(r.first), "");
}

TEST(Reconnect, RekeyWithInitialContactFromTheSamePlaceKeepsEverything) {  // Apple
  auto s = phone(1);
  s.contact = harness::Contact::in_message_5;
  Return r(s);
  r.first.rekey_ike(r.world.now());
  r.world.run(5s);
  r.first.notify(ike::v1::notify::initial_contact);
  r.world.run(5s);
  EXPECT_THAT(r.world.engine().peers(), SizeIs(1));
  EXPECT_EQ(r.world.disagreement(r.first), "");
}

}  // namespace
