// What the broker does with the kernel's policies and nft's maps when somebody flushes the ruleset; in a
// network namespace of its own, and skipped where there is no XFRM or nftables.

#include "ikd/broker.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <sched.h>

namespace ikd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const auto gateway = base::Address::v4(0xcb007101), nat = base::Address::v4(0xc6336401);

ike::PeerEntry peer(std::uint32_t number) {
  return {.mark = base::Mark(number << 8), .alias = base::Address::v4(0xf0000000 + number), .home = nat};
}

xfrm::Policy policy_of(const ike::PeerEntry& entry) {
  xfrm::Policy out;
  out.selector = {.source = {gateway, 32},
                  .destination = {entry.alias, 32},
                  .protocol = 17,
                  .source_port = 1701,
                  .destination_port = {}};
  out.direction = xfrm::Direction::out;
  out.mark = xfrm::MaskedMark{entry.mark.value, 0x0fffff00};
  out.reqid = xfrm::Reqid(entry.mark.value);
  return out;
}

class FlushedRuleset : public testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
    auto kernel = xfrm::Kernel::open();
    if (!kernel || !kernel->dump_policies()) GTEST_SKIP() << "no XFRM here";
    kernel_.emplace(std::move(*kernel));
    if (!load()) GTEST_SKIP() << "no nftables here";
    auto config = config::parse(
        "[[ike.psk]]\nname = \"lab\"\n[ppp]\nlocal_address = \"10.99.0.1\"\npool = \"10.99.1.0/24\"\n",
        "sameroof.toml");
    ASSERT_TRUE(config) << config.error().message;
    config::Secrets secrets;
    secrets.psk["lab"].push_back(base::Secret::copy_of(base::as_bytes("swordfish")));
    auto broker = Broker::open(*config, Keys(config->ike, std::move(secrets)));
    ASSERT_TRUE(broker) << broker.error().message;
    broker_.emplace(std::move(*broker));
    for (const auto& entry : {first, second}) ASSERT_TRUE(kernel_->install(policy_of(entry)));
    ASSERT_TRUE(broker_->fill_maps({first, second}));
  }
  static bool load() { return std::system("nft -f " SAMEROOF_SOURCE_DIR "/nft/sameroof.nft") == 0; }
  static void flush() { ASSERT_EQ(std::system("nft flush ruleset"), 0); }
  std::vector<base::Address> policies() {
    std::vector<base::Address> out;
    const auto policies = kernel_->dump_policies();
    EXPECT_TRUE(policies);
    if (!policies) return out;
    for (const auto& policy : *policies) out.push_back(policy.selector.destination.network);
    return out;
  }
  /// Whether the maps know this peer: another home for its alias is refused then.
  static bool there(const ike::PeerEntry& entry) {
    auto map = nft::PeerMap::open();
    return map && !map->add_peer(entry.mark, entry.alias, base::Address::v4(0xc6336409));
  }
  ike::RemovePeer goodbye(const ike::PeerEntry& entry) {
    return {.entry = entry, .policies = {xfrm::id_of(policy_of(entry))}};
  }

  const ike::PeerEntry first = peer(1), second = peer(2);
  std::optional<xfrm::Kernel> kernel_;
  std::optional<Broker> broker_;
};

TEST_F(FlushedRuleset, TakesNobodysPolicyWithIt) {
  flush();
  EXPECT_FALSE(broker_->ruleset_loaded());
  EXPECT_TRUE(broker_->remove(goodbye(first)));
  EXPECT_THAT(policies(), testing::UnorderedElementsAre(first.alias, second.alias))
      << "nothing else keeps what is still sent to it from leaving in clear text";
}

TEST_F(FlushedRuleset, ThatIsLoadedAgainHasTheLivingAndNothingOfTheGone) {
  flush();
  ASSERT_TRUE(broker_->remove(goodbye(first)));
  ASSERT_TRUE(load());
  ASSERT_TRUE(broker_->fill_maps({second}));
  EXPECT_TRUE(there(second));
  EXPECT_FALSE(there(first));
  EXPECT_THAT(policies(), ElementsAre(second.alias));
}

TEST_F(FlushedRuleset, KeepsPoliciesBeyondTheDaemonsEndAndTheNextRunRemovesThem) {
  flush();
  const auto ended = broker_->clean_up();
  ASSERT_FALSE(ended);
  EXPECT_THAT(ended.error().message, HasSubstr("policies stay"));
  EXPECT_THAT(policies(), testing::SizeIs(2));
  ASSERT_TRUE(load());
  EXPECT_TRUE(broker_->clean_up());
  EXPECT_THAT(policies(), IsEmpty());
}

TEST_F(FlushedRuleset, FillingTwiceChangesNothing) {
  ASSERT_TRUE(broker_->fill_maps({first, second}));
  EXPECT_TRUE(there(first));
  ASSERT_TRUE(broker_->remove(goodbye(first)));
  EXPECT_FALSE(there(first));
  EXPECT_THAT(policies(), ElementsAre(second.alias));
}

}  // namespace
}  // namespace ikd
