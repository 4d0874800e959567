// Every refusal of ikd, provoked by a client that does what leads to it, and the sentence that explains it.

#include <functional>
#include <map>

#include "../ike/company.h"
#include "ikd/chronicle.h"
#include "xfrmctl/explain.h"

namespace {

using namespace scene;
using harness::Fate;
using ike::Refusal;

/// From the `first` datagram on nothing arrives any more.
void lose_from(World& w, std::size_t first) {
  for (std::size_t i = first; i < first + 500; ++i) w.network().fates[i] = Fate::lost;
}

/// What the engine tells of what clients did, as an administrator reads it.
std::string explanation(const World& w) {
  ikd::Chronicle chronicle;
  std::uint64_t now = 1'000'000;
  for (const auto& event : const_cast<World&>(w).kernel().events()) chronicle.note(event, ++now);
  const auto story = xfrmctl::story_of("last", chronicle.history().attempts(), {}, now + 60'000);
  return story ? xfrmctl::story_text(*story) : "nobody has tried to connect";
}

std::string of_client(const InitiatorSettings& client, WorldSettings world = cheap(),
                      const std::function<void(World&)>& before = {}) {
  World w(std::move(world));
  NatBox nat(nat_a);
  auto& c = w.add(client, &nat);
  if (before) before(w);
  c.connect(w.now());
  w.run(130s);
  return explanation(w);
}

std::string of_certificate(const std::function<TestIdentity(Company&)>& make) {
  Company company({KeyKind::p256});
  const auto who = make(company);
  return of_client(company.client(who), company.settings());
}

WorldSettings with_aggressive() {
  auto ws = cheap();
  ws.engine.aggressive = {{"branch-7", "seven"}};
  ws.kernel.psks = {{"seven", "swordfish"}};
  return ws;
}

InitiatorSettings aggressive(const std::string& name) {
  auto s = host();
  s.aggressive = s.trusts_anybody = true;
  s.identity = ike::v1::encode_identification(
      {.type = ike::v1::IdType::fqdn, .protocol = 0, .port = 0, .data = base::as_bytes(name)});
  return s;
}

const std::map<Refusal, std::function<std::string()>> provocations = {
    {Refusal::no_common_ike_proposal,
     [] {
       auto s = host();
       s.ike = ike_transforms({"3des-sha1-modp1024"});
       return of_client(s);
     }},
    {Refusal::not_in_aggressive_mode,
     [] {
       auto ws = with_aggressive();
       auto s = aggressive("branch-7");
       ws.engine.ike_transforms = s.ike = ike_transforms({"aes256-sha256-modp1024"});
       return of_client(s, ws);
     }},
    {Refusal::no_common_esp_proposal,
     [] {
       auto s = host();
       s.esp = esp_suites({"3des-md5"});
       return of_client(s);
     }},
    {Refusal::pfs_group_unknown,
     [] {
       auto s = host();
       s.pfs = crypto::Group{1};
       return of_client(s);
     }},
    {Refusal::key_exchange_failed,
     [] {
       auto ws = cheap();
       ws.kernel.dh = harness::Dh::real;  // and the client's value is no point of the curve
       auto s = host();
       s.ike = ike_transforms({"aes256-sha256-ecp256"});
       return of_client(s, ws);
     }},
    {Refusal::no_psk_for_address,
     [] {
       auto ws = cheap();
       ws.kernel.psks.clear();
       return of_client(host(), ws);
     }},
    {Refusal::wrong_psk,
     [] {
       auto s = host();
       s.psk = "sw0rdfish";
       return of_client(s);
     }},
    {Refusal::wrong_psk_for_identity,
     [] {
       auto s = aggressive("branch-7");
       s.psk = "sw0rdfish";
       return of_client(s, with_aggressive());
     }},
    {Refusal::unknown_identity, [] { return of_client(aggressive("branch-8"), with_aggressive()); }},
    {Refusal::certificate_refused,
     [] {
       return of_certificate([](Company& c) {
         return c.root.issue({.subject = "O=Example, CN=bob", .extended_key_usage = "serverAuth"});
       });
     }},
    {Refusal::certificate_expired,
     [] {
       return of_certificate([](Company& c) {
         return c.root.issue({.subject = "O=Example, CN=bob", .from = -48h, .until = -24h});
       });
     }},
    {Refusal::certificate_not_yet_valid,
     [] {
       return of_certificate([](Company& c) {
         return c.root.issue({.subject = "O=Example, CN=bob", .from = 24h, .until = 48h});
       });
     }},
    {Refusal::certificate_revoked,
     [] {
       return of_certificate([](Company& c) {
         auto bob = c.person("bob");
         [[maybe_unused]] const auto known = c.verifier.add_revocations(c.root.revocation_list({&bob}));
         return bob;
       });
     }},
    {Refusal::certificate_untrusted,
     [] {
       return of_certificate(
           [](Company&) { return TestIdentity::self_signed({.subject = "O=Example, CN=bob"}); });
     }},
    {Refusal::certificate_unknown_class,
     [] {
       return of_certificate([](Company& c) { return c.root.issue({.subject = "O=Elsewhere, CN=bob"}); });
     }},
    {Refusal::own_key_unusable,
     [] {
       Company company({KeyKind::p256});
       const auto bob = company.person("bob");
       const auto other = key_of(company.root.issue({.subject = "CN=other", .key = KeyKind::rsa}));
       auto ws = company.settings();
       ws.kernel.own_keys = {&other};
       return of_client(company.client(bob), ws);
     }},
    {Refusal::no_mark_left,
     [] {
       auto ws = cheap();
       ws.engine.numbering.capacity = 1;
       World w(ws);
       NatBox nat(nat_a);
       for (const std::uint8_t last : {std::uint8_t{2}, std::uint8_t{3}}) {
         w.add(host(last), &nat).connect(w.now());
         w.run(2s);
       }
       return explanation(w);
     }},
    {Refusal::no_third_message, [] { return of_client(host(), cheap(), [](World& w) { lose_from(w, 1); }); }},
    {Refusal::port_4500_blocked,
     [] { return of_client(host(), cheap(), [](World& w) { lose_from(w, 4); }); }},
    {Refusal::no_proof_came,
     [] {
       World w(cheap());
       auto& client = w.add(without_nat());
       lose_from(w, 4);
       client.connect(w.now());
       w.run(40s);
       return explanation(w);
     }},
    {Refusal::no_quick_mode,
     [] {
       World w(cheap());
       NatBox nat(nat_a);
       w.add(host(), &nat).main_mode(w.now());
       w.run(65s);
       return explanation(w);
     }},
    {Refusal::traffic_not_served,
     [] {
       auto s = host();
       s.idcr = udp_id(gateway, 17, 9999);
       return of_client(s);
     }},
    {Refusal::quick_mode_unanswered,
     [] { return of_client(host(), cheap(), [](World& w) { lose_from(w, 7); }); }},
    {Refusal::kernel_refused,
     [] { return of_client(host(), cheap(), [](World& w) { w.kernel().refuse_inbound(1); }); }},
    {Refusal::nft_refused,
     [] {
       return of_client(host(), cheap(),
                        [](World& w) { w.kernel().refuse_inbound(1, Refusal::nft_refused); });
     }},
};

class EveryRefusal : public ::testing::TestWithParam<int> {};

TEST_P(EveryRefusal, OfIkdIsProvokedAndExplained) {
  const auto refusal = static_cast<Refusal>(GetParam());
  ASSERT_TRUE(provocations.contains(refusal)) << name_of(refusal) << " is provoked by nothing here";
  const auto* entry = control::catalogue_entry(name_of(refusal));
  ASSERT_NE(entry, nullptr) << name_of(refusal);
  const auto text = provocations.at(refusal)();
  EXPECT_THAT(text, ::testing::HasSubstr(std::string(entry->meaning)));
  EXPECT_THAT(text, ::testing::HasSubstr(std::string(entry->remedy)));
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryRefusal, ::testing::Range(1, static_cast<int>(Refusal::count_)),
                         [](const auto& instance) {
                           return std::string(name_of(static_cast<Refusal>(instance.param)));
                         });

TEST(Catalogue, AClientThatIsUpIsNotExplainedAway) {
  World w(cheap());
  NatBox nat(nat_a);
  w.add(host(), &nat).connect(w.now());
  w.run(2s);
  EXPECT_THAT(explanation(w), ::testing::HasSubstr("IPsec is up, and no L2TP came through it."));
}

}  // namespace
