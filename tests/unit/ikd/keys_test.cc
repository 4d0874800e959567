#include "ikd/keys.h"

#include <gtest/gtest.h>

#include "harness/authority.h"
#include "ike/v1/keymat.h"

namespace ikd {
namespace {

const auto in_range = base::Address::v4(0xc6336401), elsewhere = base::Address::v4(0x0a000001);

Keys keys(std::size_t others = 0) {
  config::Ike ike;
  config::Secrets secrets;
  const auto add = [&](std::string name, std::optional<base::Prefix> peer, std::vector<std::string> values) {
    ike.psks.push_back({.name = name,
                        .peer = peer,
                        .device = false,
                        .bind_user = false,
                        .aggressive = false,
                        .identity = {},
                        .line = 0});
    for (const auto& v : values) secrets.psk[name].push_back(base::Secret::copy_of(base::as_bytes(v)));
  };
  add("family", {}, {"new", "old"});
  add("office", base::Prefix{base::Address::v4(0xc6336400), 24}, {"desk"});
  for (std::size_t i = 0; i < others; ++i) add("user" + std::to_string(i), {}, {"x"});
  return Keys(ike, std::move(secrets));
}

ike::DeriveSkeyids request(const base::Address& peer, std::vector<std::string> names = {},
                           std::size_t from = 0) {
  return {.ticket = ike::Ticket(7),
          .hash = crypto::Hash::sha2_256,
          .ni = base::Bytes(16, 1),
          .nr = base::Bytes(16, 2),
          .peer = peer,
          .names = std::move(names),
          .from = from};
}

TEST(Keys, EverySecretGivesASkeyidAndTheNewestComesFirst) {
  const auto done = keys().derive(request(elsewhere));
  ASSERT_EQ(done.candidates.size(), 2u);
  EXPECT_EQ(done.ticket, ike::Ticket(7));
  EXPECT_EQ(done.candidates[1].name, "family");
  EXPECT_EQ(done.candidates[1].secret, 1u);
  const auto r = request(elsewhere);
  const auto expected = ike::v1::skeyid_of_psk(r.hash, base::as_bytes("old"), r.ni, r.nr);
  EXPECT_TRUE(base::equal(done.candidates[1].skeyid.view(), expected.view()));
  EXPECT_FALSE(done.next);
}

TEST(Keys, ASecretIsKnownAgainWhereverItStands) {
  const auto before = keys().derive(request(elsewhere, {"family"})).candidates;
  const auto after = keys(300).derive(request(elsewhere, {"family"})).candidates;
  EXPECT_EQ(before[0].id, after[0].id);
  EXPECT_EQ(before[1].id, after[1].id);
  EXPECT_NE(before[0].id, before[1].id);
  const auto user = keys(300).derive(request(elsewhere, {"user0", "user1"})).candidates;
  EXPECT_EQ(user[0].id, user[1].id) << "of the secret, not of its name";
}

TEST(Keys, AKeyForANetworkIsForNobodyElse) {
  EXPECT_EQ(keys().derive(request(in_range)).candidates.size(), 3u);
  EXPECT_EQ(keys().derive(request(in_range, {"office"})).candidates.size(), 1u);
  EXPECT_EQ(keys().derive(request(elsewhere, {"office"})).candidates.size(), 0u);
}

TEST(Keys, NamesComeInTheOrderAskedForAndUnknownOnesNotAtAll) {
  const auto done = keys().derive(request(in_range, {"office", "nobody", "family"}));
  ASSERT_EQ(done.candidates.size(), 3u);
  EXPECT_EQ(done.candidates[0].name, "office");
  EXPECT_FALSE(done.next);
}

TEST(Keys, BatchesTogetherAreAllOfThem) {
  const auto all = keys(1000);
  std::size_t total = 0, batches = 0;
  for (std::optional<std::size_t> at = 0; at; ++batches) {
    const auto done = all.derive(request(elsewhere, {}, *at));
    EXPECT_LE(done.candidates.size(), Keys::batch + 1);
    total += done.candidates.size();
    at = done.next;
  }
  EXPECT_EQ(total, 1002u);
  EXPECT_EQ(batches, 4u);
  EXPECT_TRUE(all.derive(request(elsewhere, {}, 99999)).candidates.empty());
}

TEST(Keys, SignsHashesAndNothingElse) {
  const auto gateway = harness::TestIdentity::self_signed({.subject = "CN=gw", .key = harness::KeyKind::rsa});
  const auto chain = gateway.pem(), key = gateway.key_pem();
  std::vector<pki::OwnIdentity> own;
  own.push_back(std::move(
      pki::own_identity({"gw.pem", base::as_bytes(chain)}, {"gw.key", base::as_bytes(key)}, "").value()));
  const Keys all({}, {}, std::move(own));
  const auto signs = [&](std::size_t certificate, std::size_t size) {
    return all.sign({.ticket = {}, .certificate = certificate, .hash = base::Bytes(size)})
        .signature.has_value();
  };
  for (const auto hash : {16u, 20u, 32u, 48u, 64u}) EXPECT_TRUE(signs(0, hash)) << hash;
  constexpr std::size_t sha256_digest_info = 51;
  EXPECT_FALSE(signs(0, sha256_digest_info)) << "that would be a signature over anything";
  EXPECT_FALSE(signs(0, 0));
  EXPECT_FALSE(signs(1, 20)) << "no such certificate";
}

}  // namespace
}  // namespace ikd
