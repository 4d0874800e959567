// Every scripted client from message 1 to its pair of SAs: what is chosen, and that it is content.

#include "harness/client_profile.h"
#include "scene.h"

namespace {

using namespace scene;
using harness::ClientProfile;

/// The defaults, and below them what Android needs, as an operator would add it.
WorldSettings with_modp1024() {
  auto ws = cheap();
  for (const auto& t : ike_transforms({"aes256-sha256-modp1024", "aes256-sha1-modp1024"}))
    ws.engine.ike_transforms.push_back(t);
  return ws;
}

struct Chosen {
  ClientProfile (*profile)(std::uint64_t seed);
  const char* ike;
  const char* esp;
};

void PrintTo(const Chosen& c, std::ostream* out) { *out << c.profile(0).name; }

class ScriptedClient : public ::testing::TestWithParam<Chosen> {};

// clients.md §0: what is best for each by our own order, whatever its own.
INSTANTIATE_TEST_SUITE_P(
    All, ScriptedClient,
    ::testing::Values(Chosen{harness::windows_10, "aes128-sha1-ecp256", "aes256-sha1"},
                      Chosen{harness::apple, "aes256-sha256-modp2048", "aes256-sha256"},
                      Chosen{harness::android_7, "aes256-sha256-modp1024", "aes256-sha384"},
                      Chosen{harness::android_6, "aes256-sha256-modp1024", "aes256-sha1"},
                      Chosen{harness::chromeos, "aes128-sha256-ecp256", "aes128gcm16"},
                      Chosen{harness::network_manager_strongswan, "aes128-sha1-ecp256", "aes256-sha1"},
                      Chosen{harness::network_manager_libreswan, "aes128-sha1-ecp256", "aes256-sha1"},
                      Chosen{harness::mikrotik, "aes256-sha256-modp2048", "aes256-sha256"},
                      Chosen{harness::cisco, "aes256-sha1-modp2048", "aes256-sha1"},
                      Chosen{harness::racoon, "aes256-sha1-modp2048", "aes256-sha256"}));

TEST_P(ScriptedClient, ComesUpBehindANatAndGetsWhatIsBestForIt) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const auto profile = GetParam().profile(seed);
    Connected c(with_modp1024(), harness::speaking_like(profile, host(2, seed + 1)));
    c.world.run(3s);
    EXPECT_THAT(c.world.complaints(), IsEmpty()) << "seed " << seed;
    ASSERT_THAT(c.client.children(), SizeIs(1)) << "seed " << seed;
    EXPECT_EQ(c.world.disagreement(c.client), "") << "seed " << seed;
    EXPECT_TRUE(c.client.floated());
    const auto* peer = c.world.peer_of(c.client);
    ASSERT_NE(peer, nullptr);
    EXPECT_EQ(peer->client, profile.client);
    EXPECT_EQ(to_string(c.world.engine().isakmp_sa(*peer->isakmp_sas.begin())->transform), GetParam().ike);
    EXPECT_EQ(to_string(c.client.children()[0].suite), GetParam().esp);
  }
}

TEST_P(ScriptedClient, ComesUpWithoutANat) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    World w(with_modp1024());
    auto base = without_nat();
    base.seed = seed + 1;
    const auto profile = GetParam().profile(seed);
    auto& client = w.add(harness::speaking_like(profile, base));
    client.connect(w.now());
    w.run(3s);
    EXPECT_THAT(w.complaints(), IsEmpty()) << "seed " << seed;
    EXPECT_EQ(w.disagreement(client), "") << "seed " << seed;
    EXPECT_EQ(client.floated(), profile.floats_in_message_3);
  }
}

TEST_P(ScriptedClient, ComesUpThroughLossByItsOwnPatience) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    auto ws = with_modp1024();
    ws.seed = seed + 1;
    World w(ws);
    NatBox nat(nat_a);
    w.network().conditions = {.loss = 0.2, .duplicate = 0.1, .jitter = 50ms};
    auto& client = w.add(harness::speaking_like(GetParam().profile(seed), host(2, seed + 1)), &nat);
    client.connect(w.now());
    w.run(180s);
    EXPECT_EQ(w.disagreement(client), "") << "seed " << seed;
  }
}

TEST_P(ScriptedClient, RekeysItsEspSaAndDeletesTheOldOne) {
  const auto profile = GetParam().profile(1);
  Connected c(with_modp1024(), harness::speaking_like(profile, host()));
  c.world.run(3s);
  ASSERT_THAT(c.client.children(), SizeIs(1));
  const auto old = spis_of(c.client);
  EXPECT_TRUE(c.client.quick_mode(c.world.now()));
  c.world.run(2s);
  if (profile.deletes != harness::Deletes::old_pair_too) c.client.delete_esp(old.in);
  ASSERT_THAT(c.client.children(), SizeIs(1));
  c.world.run(30s);
  EXPECT_THAT(c.world.complaints(), IsEmpty());
  EXPECT_EQ(c.world.disagreement(c.client), "");
  EXPECT_EQ(c.world.kernel().inbound(old.out), nullptr);
}

TEST_P(ScriptedClient, SharesANatWithAllTheOthers) {
  World w(with_modp1024());
  NatBox nat(nat_a);
  std::vector<Initiator*> clients;
  std::uint8_t last = 10;
  auto all = harness::every_client(7);
  all.push_back(GetParam().profile(2));
  for (const auto& profile : all) {
    auto s = host(last++);
    s.spi = xfrm::Spi(0x1234abcd);  // even one SPI for all
    clients.push_back(&w.add(harness::speaking_like(profile, s), &nat));
    clients.back()->connect(w.now());
  }
  w.run(5s);
  EXPECT_THAT(w.complaints(), IsEmpty());
  for (const auto* client : clients) EXPECT_EQ(w.disagreement(*client), "");
  EXPECT_THAT(w.engine().peers(), SizeIs(all.size()));
}

TEST(Preference, IsOursWhateverTheClientsOrderIs) {
  for (const auto& [offered, chosen] :
       {std::pair{"aes256-sha1-ecp384 aes128-sha1-ecp256", "aes128-sha1-ecp256"},
        std::pair{"aes256-sha1-ecp384 aes256-sha1-modp2048", "aes256-sha1-modp2048"},
        std::pair{"aes256-sha256-modp2048 aes128-sha256-curve25519", "aes128-sha256-curve25519"},
        std::pair{"aes256-sha512-ecp521 aes256-sha384-modp4096 aes128-sha1-ecp384", "aes128-sha1-ecp384"},
        std::pair{"aes128-sha1-modp2048 aes256-sha1-modp2048", "aes256-sha1-modp2048"},
        std::pair{"aes256-sha1-modp2048 aes256-sha256-modp2048", "aes256-sha256-modp2048"}}) {
    auto s = host();
    s.ike.clear();
    for (std::string_view rest = offered; !rest.empty();) {
      const auto word = rest.substr(0, rest.find(' '));
      s.ike.push_back(*ike::parse_ike_transform(word));
      rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    }
    Connected c(cheap(), s);
    const auto* peer = c.world.peer_of(c.client);
    ASSERT_NE(peer, nullptr) << offered;
    EXPECT_EQ(to_string(c.world.engine().isakmp_sa(*peer->isakmp_sas.begin())->transform), chosen);
  }
}

TEST(Android, IsOneAlsoInAnIsakmpSaThatWeBegan) {
  Connected c(with_modp1024(), harness::speaking_like(harness::android_7(1), host()));
  const auto* peer = c.world.peer_of(c.client);
  ASSERT_NE(peer, nullptr);
  ASSERT_EQ(peer->client, ike::Client::android);
  c.client.delete_isakmp();
  c.world.run(1s);
  c.world.engine().nearly_expired(peer->inbound_id(peer->active()->in), c.world.now());
  const auto* ours = c.world.engine().isakmp_sa(peer->reaching);
  ASSERT_NE(ours, nullptr);
  EXPECT_EQ(ours->client, ike::Client::android) << "or it may be given sha256 by the next Quick Mode";
}

TEST(Android, IsRefusedWithAReasonWhereOnlySha256IsConfigured) {
  auto ws = with_modp1024();
  ws.engine.esp_suites = esp_suites({"aes256-sha256", "aes128-sha256"});
  Connected c(ws, harness::speaking_like(harness::android_7(1), host()));
  c.world.run(2s);
  EXPECT_THAT(c.client.children(), IsEmpty());
  EXPECT_TRUE(c.client.was_notified(ike::v1::notify::no_proposal_chosen));
  bool said = false;
  for (const auto& e : c.world.kernel().events())
    said |=
        e.kind == EventKind::quick_mode_refused && e.detail.find("sha256, which it trunc") != e.detail.npos;
  EXPECT_TRUE(said);
}

TEST(Android, IsRefusedWhereModp1024IsNotConfigured) {
  Connected c(cheap(), harness::speaking_like(harness::android_7(1), host()));
  EXPECT_FALSE(c.client.ike_up());
  EXPECT_TRUE(c.client.was_notified(ike::v1::notify::no_proposal_chosen));
}

std::string refused_offer(World& w) {
  for (const auto& e : w.kernel().events()) {
    if (e.kind == EventKind::proposal_refused) return e.detail;
  }
  return {};
}

TEST(ChromeOs, IsRefusedInWordsWhereItWantsXauth) {
  Connected c(cheap(), harness::speaking_like(harness::chromeos_with_a_user(1), host()));
  EXPECT_FALSE(c.client.ike_up());
  EXPECT_TRUE(c.client.was_notified(ike::v1::notify::no_proposal_chosen));
  EXPECT_THAT(refused_offer(c.world), ::testing::HasSubstr("aes128-sha256-modp3072 with XAUTH"));
  EXPECT_EQ(c.world.kernel().computed_dh(), 0u);
}

TEST(ChromeOs, ThatWouldTakeXauthOrAPreSharedKeyGetsThePreSharedKey) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    auto profile = harness::chromeos_with_a_user(seed);
    const auto plain = harness::chromeos(seed).ike;
    profile.ike.insert(profile.ike.end(), plain.begin(), plain.end());
    Connected c(cheap(), harness::speaking_like(profile, host(2, seed + 1)));
    EXPECT_THAT(c.world.complaints(), IsEmpty());
    EXPECT_EQ(c.world.disagreement(c.client), "");
  }
}

// RouterOS: MODP 1024 unless told otherwise, and that group is not among those of phase 1 here.
TEST(Mikrotik, GetsThePfsThatItAsksForInEveryQuickMode) {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    SCOPED_TRACE(seed);
    const auto profile = harness::mikrotik(seed);
    Connected c(cheap(), harness::speaking_like(profile, host(2, seed + 1)));
    auto& w = c.world;
    ASSERT_EQ(w.kernel().computed_dh(), 2u);
    for (std::uint32_t rekey = 1; rekey <= 3; ++rekey) {
      EXPECT_TRUE(c.client.quick_mode(w.now()));
      w.run(2s);
      EXPECT_EQ(w.kernel().computed_dh(), 2 + rekey);
      EXPECT_EQ(w.disagreement(c.client, c.client.children().size() - 1), "");
    }
    c.client.rekey_ike(w.now());
    w.run(3s);
    EXPECT_TRUE(c.client.quick_mode(w.now()));
    w.run(2s);
    EXPECT_EQ(w.kernel().computed_dh(), 7u);
    EXPECT_EQ(w.disagreement(c.client, c.client.children().size() - 1), "");
    EXPECT_THAT(w.complaints(), IsEmpty());
    EXPECT_EQ(w.engine().counters().quick_modes, 5u);
  }
}

TEST(Windows, NeverGetsDesOrNull) {
  auto profile = harness::windows_10(0);
  profile.esp = {{2, 0, 2}, {11, 0, 2}};
  Connected c(cheap(), harness::speaking_like(profile, host()));
  EXPECT_TRUE(c.client.ike_up());
  EXPECT_THAT(c.client.children(), IsEmpty());
  EXPECT_TRUE(c.client.was_notified(ike::v1::notify::no_proposal_chosen));
}

TEST(Apple, CookieOfEveryMainModeIsBelowItsOwn) {
  int possible = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Connected c(cheap(), harness::speaking_like(harness::apple(seed), host(2, seed)));
    c.client.rekey_ike(c.world.now());
    c.world.run(3s);
    EXPECT_EQ(c.client.isakmp_sas(), 2u);
    const auto [initiator, responder] = c.client.cookies();
    if (initiator[0] == 0) continue;
    ++possible;
    EXPECT_LT(responder, initiator);
  }
  EXPECT_GT(possible, 15);
}

}  // namespace
