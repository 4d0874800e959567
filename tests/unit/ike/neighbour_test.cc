// Nothing that one peer does changes another, however much it knows of it: they share a NAT, a pre-shared
// key, and if the bad one likes, an identity. The same for whoever only listens on the way.

#include "scene.h"

namespace {

using namespace scene;

Bytes spi_bytes(xfrm::Spi spi) {
  wire::Writer out;
  out.u32(spi.value);
  return base::to_bytes(out.view());
}

/// All that others could want to change of a peer.
struct Snapshot {
  Endpoint local, remote;
  std::string identity;
  base::Mark mark;
  Address alias, home;
  std::set<ike::SaNumber> isakmp_sas;
  std::vector<std::pair<xfrm::Spi, xfrm::Spi>> children;
  base::Time last_heard;
  std::size_t kernel_sas = 0;

  Snapshot(World& w, const Initiator& client) {
    const auto* peer = w.peer_of(client);
    if (peer == nullptr) return;
    local = peer->local;
    remote = peer->remote;
    identity = peer->identity;
    mark = peer->mark;
    alias = peer->alias;
    const auto entry = w.kernel().entries().find(mark);
    if (entry != w.kernel().entries().end()) home = entry->second.home;
    isakmp_sas = peer->isakmp_sas;
    for (const auto& c : peer->children) children.emplace_back(c.in, c.out);
    last_heard = peer->last_heard;
    for (const auto& [id, sa] : w.kernel().sas()) kernel_sas += sa.reqid == peer->reqid();
  }
  bool operator==(const Snapshot&) const = default;
};

/// Two behind one NAT, both up.
class Neighbour : public ::testing::Test {
 protected:
  Neighbour() {
    victim_.connect(world_.now());
    bad_.connect(world_.now());
    world_.run(2s);
    before_.emplace(world_, victim_);
  }
  static InitiatorSettings bad() {
    auto s = host(3);
    const auto victims = host(2).local.address;
    s.identity = ike::v1::encode_identification(ike::v1::identification_of(victims));
    return s;
  }
  Endpoint place_of(const Initiator& client) { return world_.peer_of(client)->remote; }
  /// What the bad one has sent and has not arrived yet arrives from elsewhere.
  void send_from(const Endpoint& forged) {
    while (auto send = bad_.next_send()) world_.inject(forged, send->to, send->bytes);
  }
  void expect_untouched() {
    world_.run(15s);
    EXPECT_EQ(Snapshot(world_, victim_), *before_);
    EXPECT_EQ(world_.disagreement(victim_), "");
    victim_.r_u_there(7);
    world_.run(1s);
    ASSERT_FALSE(victim_.notified().empty());
    EXPECT_EQ(victim_.notified().back().data, (Bytes{0, 0, 0, 7})) << "its ISAKMP SA works, too";
    EXPECT_THAT(world_.kernel().complaints(), IsEmpty());
  }

  World world_{cheap()};
  NatBox nat_{nat_a};
  Initiator& victim_ = world_.add(host(2), &nat_);
  Initiator& bad_ = world_.add(bad(), &nat_);
  std::optional<Snapshot> before_;
};

TEST_F(Neighbour, DeletesNoForeignEspSa) {
  const auto spis = spis_of(victim_);
  for (const auto spi : {spis.in, spis.out}) {
    const auto body = spi_bytes(spi);
    bad_.informational(
        ike::v1::PayloadType::delete_,
        ike::v1::encode_delete({.protocol = ike::v1::protocol_ipsec_esp, .spi_size = 4, .spis = body}));
  }
  expect_untouched();
}

TEST_F(Neighbour, DeletesNoForeignIsakmpSa) {
  const auto [initiator, responder] = victim_.cookies();
  Bytes cookies(initiator.begin(), initiator.end());
  base::append(cookies, responder);
  bad_.informational(
      ike::v1::PayloadType::delete_,
      ike::v1::encode_delete({.protocol = ike::v1::protocol_isakmp, .spi_size = 16, .spis = cookies}));
  expect_untouched();
}

TEST_F(Neighbour, InitialContactUnderTheSameIdentityClearsNobody) {
  bad_.notify(ike::v1::notify::initial_contact);
  expect_untouched();
  auto again = bad();
  again.seed = 77;
  again.local.address = Address::v4(0xc0a80104);
  again.contact = harness::Contact::in_message_5;
  world_.add(again, &nat_).connect(world_.now());
  world_.run(2s);
  EXPECT_THAT(world_.engine().peers(), SizeIs(3));
  EXPECT_EQ(world_.disagreement(victim_), "");
}

TEST_F(Neighbour, MayRepeatTheVictimsMessages) {
  const auto bads_place = place_of(bad_);
  victim_.r_u_there(1);
  world_.run(1s);
  before_.emplace(world_, victim_);
  const auto recorded = world_.arrived();
  for (const auto& d : recorded) {
    world_.inject({bads_place.address, bads_place.port}, d.to, d.bytes);
    world_.inject({stranger, 4500}, d.to, d.bytes);
    world_.inject(d.from, d.to, d.bytes);
  }
  expect_untouched();
}

TEST_F(Neighbour, MayWriteTheVictimsCookiesOnItsOwnMessages) {
  const auto places = {place_of(victim_), place_of(bad_)};
  bad_.r_u_there(1);
  bad_.quick_mode(world_.now());
  bad_.delete_esp(spis_of(bad_).in);
  const auto [initiator, responder] = victim_.cookies();
  while (auto send = bad_.next_send()) {
    auto bytes = send->bytes;
    std::ranges::copy(initiator, bytes.begin() + 4);
    std::ranges::copy(responder, bytes.begin() + 12);
    for (const auto& place : places) world_.inject(place, send->to, bytes);
  }
  expect_untouched();
}

TEST_F(Neighbour, MayUseTheVictimsMessageIds) {
  for (const auto& d : world_.arrived()) {
    const auto h = ike::v1::decode_header(base::ByteView(d.bytes).subspan(4));
    if (d.to.port == 4500 && h && h->message_id.value != 0) bad_.quick_mode_with(h->message_id, world_.now());
  }
  expect_untouched();
  // Nor does it use up what the victim has not used yet.
  const ike::v1::MessageId next(0x5eed);
  bad_.quick_mode_with(next, world_.now());
  world_.run(2s);
  victim_.quick_mode_with(next, world_.now());
  world_.run(2s);
  ASSERT_THAT(victim_.children(), SizeIs(2));
  EXPECT_EQ(world_.disagreement(victim_, 1), "");
}

TEST_F(Neighbour, MayWriteTheVictimsAddressOnItsOwnMessages) {
  const auto victims_place = place_of(victim_);
  bad_.r_u_there(1);
  send_from(victims_place);
  expect_untouched();
  bad_.quick_mode(world_.now());
  send_from(victims_place);
  world_.run(15s);
  EXPECT_EQ(world_.disagreement(victim_), "");
  bad_.r_u_there(2);
  send_from(victims_place);
  world_.run(2s);
  ASSERT_EQ(world_.peer_of(bad_)->key, world_.peer_of(victim_)->key) << "it is believed to be there";
  // The victim's next Main Mode is the victim's all the same.
  victim_.rekey_ike(world_.now());
  world_.run(5s);
  victim_.quick_mode(world_.now());
  world_.run(5s);
  ASSERT_THAT(victim_.children(), SizeIs(2));
  EXPECT_EQ(world_.disagreement(victim_, 1), "");
  EXPECT_EQ(world_.peer_of(victim_, 1)->mark, before_->mark);
}

/// Holds the pre-shared key that all hold, calls itself what the victim does, and writes any source address
/// on what it sends. What the gateway answers it need not get where it can compute it: message 6.
class Forger {
 public:
  Forger(World& world, InitiatorSettings settings) : world_(world), itself_(std::move(settings)) {}

  /// Messages 1 to 4 from here, and message 5 from there.
  void main_mode(const Endpoint& here, const Endpoint& there) {
    itself_.main_mode(world_.now());
    for (const auto& from : {here, here, there}) {
      say(from);
      hear();
    }
  }
  Initiator& itself() { return itself_; }
  void say(const Endpoint& from) {
    while (auto send = itself_.next_send()) world_.inject(from, send->to, send->bytes);
    world_.run(20ms);
  }

 private:
  void hear() {
    for (; read_ < world_.left().size(); ++read_) {
      const auto& d = world_.left()[read_];
      const auto bytes = base::ByteView(d.bytes).subspan(d.from.port == 4500 ? 4 : 0);
      const auto header = ike::v1::decode_header(bytes);
      if (header && header->initiator == itself_.cookies().first)
        itself_.input(d.from, {itself_.settings().local.address, d.from.port}, d.bytes, world_.now());
    }
  }

  World& world_;
  Initiator itself_;
  std::size_t read_ = world_.left().size();
};

/// What the victim was asked last, said through the forger's own ISAKMP SA, and the numbers after it.
void answer_for_the_victim(Forger& forger, const Endpoint& victims_place) {
  const auto [initiator, responder] = forger.itself().cookies();
  Bytes spi(initiator.begin(), initiator.end());
  base::append(spi, responder);
  for (std::uint32_t sequence = 0; sequence < 40; ++sequence) {
    wire::Writer data;
    data.u32(sequence);
    forger.itself().informational(ike::v1::PayloadType::notification,
                                  ike::v1::encode_notification({.protocol = ike::v1::protocol_isakmp,
                                                                .spi = spi,
                                                                .type = ike::v1::notify::r_u_there_ack,
                                                                .data = data.view()}));
    forger.say(victims_place);
  }
}

TEST_F(Neighbour, ProvingItselfFromTheVictimsAddressMakesItNotTheVictim) {
  auto settings = bad();
  settings.seed = 99;
  const auto victims_place = place_of(victim_);
  Forger forger(world_, settings);
  forger.main_mode({stranger, 500}, victims_place);
  ASSERT_TRUE(forger.itself().ike_up());
  EXPECT_THAT(world_.engine().peers(), SizeIs(3));
  forger.itself().quick_mode(world_.now());
  forger.say({stranger, 4500});
  expect_untouched();
}

TEST_F(Neighbour, IdentitiesInventedAtTheVictimsPlaceDoNotKeepItOut) {
  const auto victims_place = place_of(victim_);
  for (std::uint8_t i = 0; i < 20; ++i) {
    auto settings = host(9, 100 + i);
    settings.identity = udp_id(Address::v4(0x0a000001u + i), 0, 0);
    Forger(world_, settings).main_mode({stranger, 500}, victims_place);
  }
  auto settings = victim_.settings();
  settings.seed = 77;
  settings.identity = udp_id(Address::v4(0x0a00ff01u), 0, 0);
  victim_ = Initiator(settings);  // its host has another name now
  victim_.connect(world_.now());
  world_.run(2s);
  EXPECT_EQ(world_.disagreement(victim_), "");
}

TEST_F(Neighbour, IdentitiesInventedThereByANeighbourBehindTheSameNatDoNotKeepItOutEither) {
  const auto victims_place = place_of(victim_);
  for (std::uint8_t i = 0; i < 20; ++i) {
    auto settings = host(9, 100 + i);
    settings.identity = udp_id(Address::v4(0x0a000001u + i), 0, 0);
    Forger(world_, settings).main_mode({nat_a, 50000}, victims_place);
  }
  EXPECT_THAT(world_.engine().peers(), SizeIs(2 + 7)) << "with the victim eight are said to be there";
  auto settings = victim_.settings();
  settings.seed = 77;
  settings.identity = udp_id(Address::v4(0x0a00ff01u), 0, 0);
  victim_ = Initiator(settings);
  victim_.connect(world_.now());
  world_.run(2s);
  EXPECT_EQ(world_.disagreement(victim_), "");
}

/// The pre-shared key has two secrets, and the neighbour knows both.
TEST_F(Neighbour, WhoClaimsToBeTheVictimWithAnotherSecretChangesNotWhatTheVictimHasProved) {
  world_.kernel().settings().psks = {{"family", "marlin"}, {"family", "swordfish"}};
  const auto proved = world_.peer_of(victim_)->authentication.secret_id;
  auto settings = bad();
  settings.seed = 99;
  settings.psk = "marlin";
  settings.answers_dpd = false;
  Forger forger(world_, settings);
  forger.main_mode({nat_a, 50000}, place_of(victim_));
  ASSERT_TRUE(forger.itself().ike_up());
  ASSERT_THAT(world_.engine().peers(), SizeIs(2));
  EXPECT_EQ(world_.peer_of(victim_)->authentication.secret_id, proved);
}

TEST_F(Neighbour, WhoHasAnotherSecretNowAndAnswersFromItsPlaceHasProvedThat) {
  world_.kernel().settings().psks = {{"family", "marlin"}, {"family", "swordfish"}};
  const auto& peer = *world_.peer_of(victim_);
  const auto before = peer.authentication.secret_id;
  auto settings = victim_.settings();
  settings.seed = 99;
  settings.psk = "marlin";
  victim_ = Initiator(settings);
  victim_.main_mode(world_.now());
  world_.run(2s);
  ASSERT_THAT(peer.isakmp_sas, SizeIs(2));
  EXPECT_NE(peer.authentication.secret_id, before);
}

TEST_F(Neighbour, WhoClaimsToBeTheVictimMayDoNothingBeforeItHasAnsweredFromThere) {
  const auto victims_place = place_of(victim_);
  const auto spis = spi_bytes(spis_of(victim_).in);
  for (std::uint8_t i = 0; i < 6; ++i) {
    SCOPED_TRACE(static_cast<int>(i));
    auto settings = bad();
    settings.seed = 200u + i;
    Forger forger(world_, settings);
    forger.main_mode({nat_a, 50000}, victims_place);
    ASSERT_TRUE(forger.itself().ike_up());
    EXPECT_THAT(world_.engine().peers(), SizeIs(2)) << "its address is proved, and its port is not";
    forger.itself().quick_mode(world_.now());
    forger.say({nat_a, 50001});
    for (int quick_modes = 0; quick_modes < 20; ++quick_modes) {
      forger.itself().quick_mode(world_.now());
      forger.say(victims_place);
    }
    answer_for_the_victim(forger, victims_place);
    forger.itself().informational(
        ike::v1::PayloadType::delete_,
        ike::v1::encode_delete({.protocol = ike::v1::protocol_ipsec_esp, .spi_size = 4, .spis = spis}));
    forger.say(victims_place);
    EXPECT_EQ(world_.disagreement(victim_), "");
  }
  world_.run(60s);
  const auto* peer = world_.peer_of(victim_);
  ASSERT_NE(peer, nullptr);
  EXPECT_THAT(peer->children, SizeIs(1));
  EXPECT_TRUE(peer->nat && peer->peer_behind_nat);
  victim_.r_u_there(7);
  world_.run(1s);
  ASSERT_FALSE(victim_.notified().empty());
  EXPECT_EQ(victim_.notified().back().data, (Bytes{0, 0, 0, 7})) << "its ISAKMP SA is there";
  EXPECT_EQ(world_.disagreement(victim_), "");
}

/// Behind the victim's NAT, and from its port wherever it says so: it claims to be the victim.
class Claimant : public Neighbour {
 protected:
  Claimant() : forger_(world_, as_victim()), victims_place_(place_of(victim_)) {
    forger_.main_mode({nat_a, 50000}, victims_place_);
  }
  static InitiatorSettings as_victim() {
    auto s = bad();
    s.seed = 300;
    s.answers_dpd = false;  // what it is asked there it does not hear
    return s;
  }
  const ike::Peer& victims_peer() { return *world_.peer_of(victim_); }

  Forger forger_;
  Endpoint victims_place_;
};

TEST_F(Claimant, DoesNotUseUpTheVictimsQuickModes) {
  forger_.itself().ask_for({}, udp_id(gateway, 17, 53));  // which is refused, and so never under way
  for (int i = 0; i < 100; ++i) forger_.itself().quick_mode(world_.now());
  forger_.say(victims_place_);
  EXPECT_GT(world_.dropped(DropReason::quick_mode_limit), 0u);
  victim_.quick_mode(world_.now());
  world_.run(1s);  // no message is repeated in this time
  ASSERT_THAT(victim_.children(), SizeIs(2));
  EXPECT_EQ(world_.disagreement(victim_, 1), "");
}

TEST_F(Claimant, DoesNotKeepUsFromRenewingTheVictimsKeys) {
  forger_.itself().quick_mode(world_.now());
  forger_.say(victims_place_);
  ASSERT_THAT(victims_peer().children, SizeIs(2)) << "its Quick Mode waits for message 3";
  world_.engine().nearly_expired(victims_peer().inbound_id(spis_of(victim_).out), world_.now());
  world_.pump();
  const auto header = ike::v1::decode_header(base::ByteView(world_.left().back().bytes).subspan(4));
  ASSERT_TRUE(header);
  EXPECT_EQ(header->exchange, ike::v1::Exchange::quick_mode);
  EXPECT_EQ(std::pair(header->initiator, header->responder), victim_.cookies());
}

TEST_F(Claimant, IsNoSignOfTheVictimsLife) {
  forger_.itself().quick_mode(world_.now());
  forger_.say(victims_place_);
  forger_.itself().r_u_there(1);
  forger_.say(victims_place_);
  EXPECT_EQ(victims_peer().last_heard, before_->last_heard);
}

TEST_F(Claimant, SpendsNoGuessOfWhatTheVictimWasAsked) {
  world_.run(40s);  // it has been asked often enough itself
  nat_.rebind();
  const auto place = nat_.outward({victim_.settings().local.address, 4500});
  const auto& peer = victims_peer();
  world_.engine().mapped({.sa = peer.inbound_id(spis_of(victim_).out),
                          .reqid = peer.reqid(),
                          .old_source = peer.remote,
                          .new_source = place},
                         world_.now());
  const auto& victims_sa = *world_.engine().isakmp_sa(*peer.isakmp_sas.begin());
  while (!victims_sa.dpd_asked) world_.run(5ms);
  ASSERT_FALSE(peer.known_to_be_there());
  for (std::uint32_t n = 1; n < 10; ++n) {
    wire::Writer data;
    data.u32(*victims_sa.dpd_asked + n);
    const auto [initiator, responder] = forger_.itself().cookies();
    Bytes spi(initiator.begin(), initiator.end());
    base::append(spi, responder);
    forger_.itself().informational(ike::v1::PayloadType::notification,
                                   ike::v1::encode_notification({.protocol = ike::v1::protocol_isakmp,
                                                                 .spi = spi,
                                                                 .type = ike::v1::notify::r_u_there_ack,
                                                                 .data = data.view()}));
  }
  while (auto send = forger_.itself().next_send()) world_.inject(place, send->to, send->bytes);
  world_.run(1s);
  EXPECT_TRUE(peer.known_to_be_there());
}

TEST_F(Claimant, DoesNotKeepTheVictimFromBeingAskedWhereItHasMoved) {
  nat_.rebind();
  const auto& peer = victims_peer();
  const auto place = nat_.outward({victim_.settings().local.address, 4500});
  world_.engine().mapped({.sa = peer.inbound_id(spis_of(victim_).out),
                          .reqid = peer.reqid(),
                          .old_source = peer.remote,
                          .new_source = place},
                         world_.now());
  world_.run(1s);
  EXPECT_EQ(peer.remote, place);
  EXPECT_TRUE(peer.known_to_be_there());
}

TEST_F(Neighbour, WhoClaimsToBeTheVictimDoesNotMakeItsAnswersOfNoUse) {
  const auto& peer = *world_.peer_of(victim_);
  const auto& victims_sa = *world_.engine().isakmp_sa(*peer.isakmp_sas.begin());
  world_.network().conditions.delay = 300ms;
  while (!victims_sa.dpd_asked) world_.run(5ms);
  const auto asked = world_.now();
  auto settings = bad();
  settings.seed = 99;
  settings.answers_dpd = false;
  Forger forger(world_, settings);
  forger.main_mode({nat_a, 50000}, place_of(victim_));
  ASSERT_TRUE(forger.itself().ike_up());
  ASSERT_THAT(world_.engine().peers(), SizeIs(2));
  world_.run(1s);
  EXPECT_GT(peer.last_heard, asked);
}

TEST_F(Neighbour, MayNameTheVictimsSpiInNotifications) {
  const auto [in, out] = spis_of(victim_);
  for (const auto& spi : {spi_bytes(in), spi_bytes(out)}) {
    for (const auto type : std::initializer_list<std::uint16_t>{11, 14, 16, 18, 24576, 24577, 24578})
      bad_.informational(
          ike::v1::PayloadType::notification,
          ike::v1::encode_notification(
              {.protocol = ike::v1::protocol_ipsec_esp, .spi = spi, .type = type, .data = {}}));
  }
  expect_untouched();
}

TEST_F(Neighbour, MayEndItself) {
  bad_.delete_esp(spis_of(bad_).in);
  bad_.delete_isakmp();
  expect_untouched();
  EXPECT_THAT(world_.engine().peers(), SizeIs(1));
}

TEST_F(Neighbour, StrangersClearMessagesChangeNothing) {
  const auto [initiator, responder] = victim_.cookies();
  ike::v1::Header header;
  header.initiator = initiator;
  header.responder = responder;
  header.message_id = ike::v1::MessageId(0x1234);
  const auto spis = spi_bytes(spis_of(victim_).in);
  const auto deletion =
      ike::v1::encode_delete({.protocol = ike::v1::protocol_ipsec_esp, .spi_size = 4, .spis = spis});
  for (int exchange = 0; exchange < 256; ++exchange) {
    header.exchange = static_cast<ike::v1::Exchange>(exchange);
    const auto message = ike::v1::encode_clear(header, {{ike::v1::PayloadType::delete_, deletion}});
    Bytes marked(4);
    base::append(marked, message);
    world_.inject(place_of(victim_), {gateway, 4500}, marked);
    world_.inject({stranger, 500}, {gateway, 500}, message);
  }
  expect_untouched();
}

}  // namespace
