// Large messages over paths that lose IP fragments (clients.md §2, §7).

#include "harness/client_profile.h"
#include "ike/v1/fragment.h"
#include "ike/v1/vendor_ids.h"
#include "scene.h"

namespace {

using namespace scene;
using harness::ClientProfile;
namespace v1 = ike::v1;

constexpr std::size_t ethernet = 1500 - 28;

WorldSettings with_modp1024() {
  auto ws = cheap();
  ws.engine.ike_transforms.push_back(*ike::parse_ike_transform("aes256-sha256-modp1024"));
  return ws;
}

Bytes long_id(std::size_t size, ike::v1::IdType type, std::uint8_t protocol = 0, std::uint16_t port = 0) {
  const Bytes name(size, 'x');
  return v1::encode_identification({.type = type, .protocol = protocol, .port = port, .data = name});
}

/// Messages 5 and Quick Mode's as large as certificates would make them.
InitiatorSettings large(InitiatorSettings s) {
  s.identity = long_id(2000, v1::IdType::key_id);
  s.idci = long_id(2000, v1::IdType::fqdn, 17, 1701);
  return s;
}

std::vector<ClientProfile> those_with_fragments(std::uint64_t seed) {
  auto out = harness::every_client(seed);
  std::erase_if(out, [](const ClientProfile& p) { return p.fragment_above == 0; });
  return out;
}

TEST(LargeMessages, GoInPiecesToAndFromEveryClientThatKnowsThem) {
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const auto profiles = those_with_fragments(seed);
    EXPECT_THAT(profiles, SizeIs(9)) << "all but MikroTik";
    for (const auto& profile : profiles) {
      World w(with_modp1024());
      NatBox nat(nat_a);
      w.network().conditions.largest = ethernet;
      auto& client = w.add(large(harness::speaking_like(profile, host(2, seed + 1))), &nat);
      client.connect(w.now());
      w.run(5s);
      EXPECT_THAT(w.complaints(), IsEmpty()) << profile.name;
      EXPECT_EQ(w.disagreement(client), "") << profile.name;
      std::size_t pieces = 0;
      for (const auto& d : w.left()) {
        EXPECT_LE(d.bytes.size(), profile.client == ike::Client::android ? 552u : 1232u) << profile.name;
        const auto at = d.from.port == 4500 ? 4u : 0u;
        pieces += v1::decode_header(base::ByteView(d.bytes).subspan(at))->next == v1::PayloadType::fragment;
      }
      EXPECT_GE(pieces, 2u) << profile.name << ": message 2 of Quick Mode";
    }
  }
}

TEST(LargeMessages, ComeThroughInBadWeather) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    auto ws = with_modp1024();
    ws.seed = seed;
    World w(ws);
    NatBox nat(nat_a);
    w.network().conditions = {
        .loss = 0.05, .largest = ethernet, .duplicate = 0.1, .delay = 10ms, .jitter = 40ms};
    auto& client = w.add(large(harness::speaking_like(harness::apple(seed), host(2, seed))), &nat);
    client.connect(w.now());
    w.run(200s);
    EXPECT_EQ(w.disagreement(client), "") << "seed " << seed;
  }
}

TEST(LargeMessages, VanishWithoutFragmentation) {
  World w(cheap());
  NatBox nat(nat_a);
  w.network().conditions.largest = ethernet;
  auto s = large(host());
  auto& client = w.add(s, &nat);
  client.connect(w.now());
  w.run(100s);
  EXPECT_FALSE(client.ike_up()) << "else the tests above show nothing";
}

TEST(LargeMessages, GoWholeToAClientThatKnowsNoPieces) {
  World w(cheap());
  NatBox nat(nat_a);
  auto& client = w.add(large(host()), &nat);
  client.connect(w.now());
  w.run(2s);
  EXPECT_THAT(w.complaints(), IsEmpty());
  EXPECT_EQ(w.disagreement(client), "");
}

TEST(LargeMessages, RepeatedMessage5IsAnsweredWithTheSameBytes) {
  World w(with_modp1024());
  NatBox nat(nat_a);
  auto& client = w.add(large(harness::speaking_like(harness::windows_10(1), host())), &nat);
  client.main_mode(w.now());
  w.run(2s);
  ASSERT_TRUE(client.ike_up());
  std::vector<harness::Datagram> fifth;
  for (const auto& d : w.arrived()) {
    if (d.to.port == 4500) fifth.push_back(d);
  }
  ASSERT_GE(fifth.size(), 2u);
  const auto sixth = w.left().back().bytes;
  const auto before = w.left().size();
  for (const auto& d : fifth) w.inject(d.from, d.to, d.bytes);
  ASSERT_EQ(w.left().size(), before + 1);
  EXPECT_EQ(w.left().back().bytes, sixth);
  EXPECT_EQ(w.engine().counters().duplicates, 1u);
}

/// One piece as it goes over 4500.
Bytes piece(const std::pair<v1::Cookie, v1::Cookie>& cookies, std::uint8_t number, bool last,
            base::ByteView data) {
  wire::Writer out;
  out.u32(0);
  v1::Header h;
  h.initiator = cookies.first;
  h.responder = cookies.second;
  h.next = v1::PayloadType::fragment;
  h.length = static_cast<std::uint32_t>(v1::header_size + 8 + data.size());
  v1::put_header(out, h);
  out.u32(static_cast<std::uint32_t>(8 + data.size()));
  out.u16(1);
  out.u8(number);
  out.u8(last ? 1 : 0);
  out.bytes(data);
  return out.take();
}

struct Attacked : Connected {
  Attacked() : Connected(cheap(), harness::speaking_like(harness::apple(1), host())) { world.run(2s); }
  Endpoint anywhere{stranger, 4500}, gate{gateway, 4500};
};

TEST(HostileFragments, OfUnknownCookiesAreNotKept) {
  Attacked a;
  auto cookies = a.client.cookies();
  cookies.second[3] ^= 1;
  for (std::uint8_t n = 1; n < 60; ++n)
    a.world.inject(a.anywhere, a.gate, piece(cookies, n, false, Bytes(1000)));
  EXPECT_EQ(a.world.dropped(DropReason::unknown_cookies), 59u);
  EXPECT_EQ(a.world.dropped(DropReason::fragment_limit), 0u);
}

TEST(HostileFragments, FromAClientThatNamedNoneAreNotKept) {
  Connected c;
  const Endpoint from{stranger, 4500}, gate{gateway, 4500};
  c.world.inject(from, gate, piece(c.client.cookies(), 1, false, Bytes(100)));
  EXPECT_EQ(c.world.dropped(DropReason::unexpected_payload), 1u);
}

TEST(HostileFragments, DoNotDisturbWhomTheyName) {
  Attacked a;
  const auto cookies = a.client.cookies();
  const auto own = a.nat.outward({a.client.settings().local.address, 4500});
  // From elsewhere, and with its address forged: pieces without end, a message of another SA, a piece of
  // pieces, a message that lies about its length, nothing in pieces.
  auto foreign = cookies;
  foreign.second[0] ^= 1;
  const auto whole = piece(foreign, 1, true, Bytes(10));
  const auto nested = piece(cookies, 1, true, Bytes(10));
  for (const auto& from : {a.anywhere, own}) {
    a.world.inject(from, a.gate, piece(cookies, 1, true, base::ByteView(whole).subspan(4)));
    a.world.inject(from, a.gate, piece(cookies, 1, true, base::ByteView(nested).subspan(4)));
    a.world.inject(from, a.gate, piece(cookies, 1, true, base::ByteView(nested).subspan(4).first(20)));
    a.world.inject(from, a.gate, piece(cookies, 1, true, {}));
    a.world.inject(from, a.gate, piece(cookies, 0, false, Bytes(10)));
    a.world.inject(from, a.gate, piece(cookies, 200, false, Bytes(10)));
    for (std::uint8_t n = 1; n < 40; ++n)
      a.world.inject(from, a.gate, piece(cookies, n, false, Bytes(1000, n)));
  }
  EXPECT_GE(a.world.dropped(DropReason::malformed), 8u);
  EXPECT_GE(a.world.dropped(DropReason::fragment_limit), 2u);
  EXPECT_THAT(a.world.complaints(), IsEmpty());
  EXPECT_TRUE(a.client.quick_mode(a.world.now()));
  a.world.run(2s);
  EXPECT_THAT(a.client.children(), SizeIs(2));
  EXPECT_EQ(a.world.disagreement(a.client, 1), "");
}

TEST(HostileFragments, LeaveNothingBehind) {
  Attacked a;
  for (std::uint8_t n = 1; n < 10; ++n)
    a.world.inject(a.anywhere, a.gate, piece(a.client.cookies(), n, false, Bytes(1000)));
  a.world.engine().shut_down(a.world.now());
  a.world.run(1s);
  EXPECT_TRUE(a.world.nothing_left());
}

TEST(HostileFragments, OfAHalfOpenSaGoWithIt) {
  World w(cheap());
  NatBox nat(nat_a);
  auto ws = harness::speaking_like(harness::apple(1), host());
  ws.psk = "guessed";
  auto& client = w.add(ws, &nat);
  client.main_mode(w.now());
  w.run(500ms);
  for (std::uint8_t n = 1; n < 10; ++n)
    w.inject({nat_a, 40002}, {gateway, 4500}, piece(client.cookies(), n, false, Bytes(1000)));
  w.run(60s);
  EXPECT_EQ(w.engine().half_open(), 0u);
  EXPECT_TRUE(w.nothing_left());
}

}  // namespace
