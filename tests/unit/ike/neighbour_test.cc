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
