// What the broker does to the kernel's SAs and policies and to nft's maps, also when somebody flushes the
// ruleset; in a network namespace of its own, and skipped where there is no XFRM or nftables.

#include "ikd/broker.h"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ikd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const auto gateway = base::Address::v4(0xcb007101), nat = base::Address::v4(0xc6336401);

ike::PeerEntry peer(std::uint32_t number) {
  return {.mark = base::Mark(number << 8),
          .alias = base::Address::v4(0xf0000000 + number),
          .home = nat,
          .dialled = gateway};
}

xfrm::Policy policy_of(const ike::PeerEntry& entry) {
  xfrm::Policy out;
  out.selector = {.source = base::host(base::Address::v4(entry.alias.v4_value() | 0x800000)),
                  .destination = base::host(entry.alias),
                  .protocol = 17,
                  .source_port = 1701,
                  .destination_port = {}};
  out.direction = xfrm::Direction::out;
  out.mark = xfrm::MaskedMark{entry.mark.value, 0x0fffff00};
  out.reqid = xfrm::Reqid(entry.mark.value);
  return out;
}

/// The peer's inbound SA as the core makes it.
xfrm::Sa inbound_of(const ike::PeerEntry& entry, std::uint32_t spi) {
  xfrm::Sa out;
  out.source = entry.home;
  out.destination = gateway;
  out.spi = xfrm::Spi(spi);
  out.reqid = xfrm::Reqid(entry.mark.value);
  out.selector = {.source = base::host(entry.alias),
                  .destination = {base::Address::v4(0), 0},
                  .protocol = 17,
                  .source_port = {},
                  .destination_port = 1701};
  out.transform = {.encryption = xfrm::Encryption::aes_cbc,
                   .encryption_key = base::Secret::of_size(16),
                   .integrity = xfrm::Integrity::hmac_sha1_96,
                   .integrity_key = base::Secret::of_size(20)};
  out.set_mark = xfrm::MaskedMark{entry.mark.value, 0x0fffff00};
  out.encap = xfrm::Encap{.source_port = 40000, .destination_port = 4500};
  return out;
}

xfrm::Sa outbound_of(const ike::PeerEntry& entry, std::uint32_t spi) {
  auto out = inbound_of(entry, spi);
  out.source = policy_of(entry).selector.source.network;
  out.destination = entry.alias;
  out.selector = policy_of(entry).selector;
  out.mark = policy_of(entry).mark;
  out.set_mark.reset();
  out.encap = xfrm::Encap{.source_port = 4500, .destination_port = 40000};
  return out;
}

/// As long as it lives, whatever is asked of XFRM through sockets that are open is refused.
class WithoutXfrm {
 public:
  WithoutXfrm() {
    std::vector<int> sockets;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
      if (const int fd = std::stoi(entry.path().filename()); is_xfrm(fd)) sockets.push_back(fd);
    const int useless = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int fd : sockets) {
      replaced_.emplace_back(fd, ::dup(fd));
      ::dup2(useless, fd);
    }
    ::close(useless);
  }
  ~WithoutXfrm() {
    for (const auto& [fd, socket] : replaced_) {
      ::dup2(socket, fd);
      ::close(socket);
    }
  }
  WithoutXfrm(const WithoutXfrm&) = delete;
  WithoutXfrm& operator=(const WithoutXfrm&) = delete;

 private:
  static bool is_xfrm(int fd) {
    int domain = 0, protocol = 0;
    socklen_t size = sizeof domain;
    if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_NETLINK) return false;
    return ::getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == NETLINK_XFRM;
  }

  std::vector<std::pair<int, int>> replaced_;
};

class BrokerInAKernel : public testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs CAP_SYS_ADMIN";
    auto kernel = xfrm::Kernel::open();
    if (!kernel || !kernel->dump_policies()) GTEST_SKIP() << "no XFRM here";
    kernel_.emplace(std::move(*kernel));
    if (!load()) GTEST_SKIP() << "no nftables here";
    auto config = config::parse(
        "[[ike.psk]]\nname = \"lab\"\n[ppp]\nlocal_address = \"10.99.0.1\"\npool = \"10.99.1.0/24\"\n"
        "[[service]]\nprotocol = \"tcp\"\nport = 8080\n",
        "sameroof.toml");
    ASSERT_TRUE(config) << config.error().message;
    auto broker = Broker::open(*config);
    ASSERT_TRUE(broker) << broker.error().message;
    broker_.emplace(std::move(*broker));
    const auto probe = inbound_of(first, 0x100);
    if (!kernel_->install(probe)) GTEST_SKIP() << "no ESP here";
    ASSERT_TRUE(kernel_->remove(xfrm::id_of(probe)));
    for (const auto& entry : {first, second}) {
      ASSERT_TRUE(install_entry(entry));
      ASSERT_TRUE(install_policy(entry, policy_of(entry)));
    }
  }
  /// With an SA that is gone again.
  ike::DoneOrRefused install_entry(const ike::PeerEntry& entry) {
    const auto sa = inbound_of(entry, 0x200);
    auto done = broker_->install(ike::InstallInbound{.ticket = {}, .sa = sa.clone(), .new_entry = entry});
    EXPECT_TRUE(broker_->remove(ike::RemoveSa{xfrm::id_of(sa), entry.mark}));
    return done;
  }
  /// With an SA that is gone again.
  ike::DoneOrRefused install_policy(const ike::PeerEntry& entry, const xfrm::Policy& policy) {
    const auto id = xfrm::id_of(outbound_of(entry, 0x200));
    auto done = broker_->install(
        ike::InstallOutbound{.ticket = {}, .sa = outbound_of(entry, 0x200), .new_policy = policy});
    EXPECT_TRUE(broker_->remove(ike::RemoveSa{id, entry.mark}));
    return done;
  }
  /// Begins anew for another L2TP daemon, which has no near ends; both peers are known.
  void serve_another_daemon(const std::string& lookup) {
    const auto config = config::parse(
        "[[ike.psk]]\nname = \"lab\"\n[l2tp]\nlns = \"external\"\nexternal_lookup = \"" + lookup + "\"\n",
        "sameroof.toml");
    ASSERT_TRUE(config) << config.error().message;
    broker_.reset();
    auto broker = Broker::open(*config);
    ASSERT_TRUE(broker) << broker.error().message;
    broker_.emplace(std::move(*broker));
    for (const auto& entry : {first, second}) {
      auto sa = inbound_of(entry, 0x200);
      sa.selector.destination = base::host(gateway);
      const auto id = xfrm::id_of(sa);
      const auto known =
          broker_->install(ike::InstallInbound{.ticket = {}, .sa = std::move(sa), .new_entry = entry});
      ASSERT_TRUE(known) << known.error().message;
      ASSERT_TRUE(broker_->remove(ike::RemoveSa{id, entry.mark}));
    }
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
  /// Whether the maps know this peer: another address of ours for its alias is refused then.
  static bool there(const ike::PeerEntry& entry) {
    auto map = nft::PeerMap::open();
    return map && !map->add_peer(entry.mark, entry.alias, base::Address::v4(0xcb007109));
  }

  const ike::PeerEntry first = peer(1), second = peer(2);
  std::optional<xfrm::Kernel> kernel_;
  std::optional<Broker> broker_;
};

using FlushedRuleset = BrokerInAKernel;

TEST_F(FlushedRuleset, TakesNobodysPolicyWithIt) {
  flush();
  EXPECT_FALSE(broker_->ruleset_loaded());
  EXPECT_TRUE(broker_->remove(ike::RemovePeer{first}));
  EXPECT_THAT(policies(), testing::UnorderedElementsAre(first.alias, second.alias))
      << "nothing else keeps what is still sent to it from leaving in clear text";
}

TEST_F(FlushedRuleset, ThatIsLoadedAgainHasTheLivingAndNothingOfTheGone) {
  flush();
  ASSERT_TRUE(broker_->remove(ike::RemovePeer{first}));
  ASSERT_TRUE(load());
  ASSERT_TRUE(broker_->fill_maps({second}));
  EXPECT_TRUE(there(second));
  EXPECT_FALSE(there(first));
  EXPECT_THAT(policies(), ElementsAre(second.alias));
}

TEST_F(FlushedRuleset, KeepsThePoliciesOfTheGone) {
  flush();
  ASSERT_TRUE(broker_->remove(ike::RemovePeer{first}));
  EXPECT_FALSE(broker_->fill_maps({second})) << "there are none yet";
  EXPECT_THAT(policies(), testing::UnorderedElementsAre(first.alias, second.alias));
  EXPECT_EQ(broker_->kept(), 1u);
}

TEST_F(FlushedRuleset, WhoGetsTheNumberOfOneThatIsGoneGetsItsPolicy) {
  flush();
  ASSERT_TRUE(broker_->remove(ike::RemovePeer{first}));
  ASSERT_TRUE(load());
  ASSERT_TRUE(install_entry(first));
  ASSERT_TRUE(install_policy(first, policy_of(first)));
  EXPECT_EQ(broker_->kept(), 0u);
  ASSERT_TRUE(broker_->fill_maps({first, second}));
  EXPECT_THAT(policies(), testing::UnorderedElementsAre(first.alias, second.alias));
  ASSERT_TRUE(broker_->remove(ike::RemovePeer{first}));
  EXPECT_THAT(policies(), ElementsAre(second.alias));
}

TEST_F(FlushedRuleset, CollectsNoMorePoliciesThanTheGoneHad) {
  flush();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(broker_->remove(ike::RemovePeer{first}));
  EXPECT_EQ(broker_->kept(), 1u);
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

TEST_F(FlushedRuleset, CountsNothing) {
  const auto counts = broker_->rule_counts();
  ASSERT_TRUE(counts) << counts.error().message;
  EXPECT_THAT(*counts, testing::Contains(testing::Field(&RuleCount::rule, "leak")));
  flush();
  EXPECT_THAT(broker_->rule_counts().value_or(std::vector<RuleCount>()), IsEmpty());
}

TEST_F(FlushedRuleset, FillingTwiceChangesNothing) {
  ASSERT_TRUE(broker_->fill_maps({first, second}));
  EXPECT_TRUE(there(first));
  ASSERT_TRUE(broker_->remove(ike::RemovePeer{first}));
  EXPECT_FALSE(there(first));
  EXPECT_THAT(policies(), ElementsAre(second.alias));
}

TEST_F(FlushedRuleset, IsToldOfWhereItIsInTheWayOfAPeer) {
  flush();
  const auto third = peer(3);
  const auto installed = broker_->install(
      ike::InstallInbound{.ticket = {}, .sa = inbound_of(third, 0x1000), .new_entry = third});
  ASSERT_FALSE(installed);
  EXPECT_EQ(installed.error().refusal, ike::Refusal::nft_refused);
  const auto moved = broker_->move({.mark = first.mark,
                                    .alias = first.alias,
                                    .new_home = base::Address::v4(0xc6336402),
                                    .port = 40001,
                                    .inbound = {},
                                    .outbound = {}});
  EXPECT_TRUE(moved) << "its answers find it all the same";
}

TEST_F(BrokerInAKernel, WhatTheKernelRefusesToRemoveIsTriedAgain) {
  const auto sa = inbound_of(first, 0x1000);
  ASSERT_TRUE(broker_->install(ike::InstallInbound{.ticket = {}, .sa = sa.clone(), .new_entry = {}}));
  {
    const WithoutXfrm refusing;
    EXPECT_FALSE(broker_->remove(ike::RemovePeer{first}));
  }
  EXPECT_EQ(broker_->kept(), 1u);
  EXPECT_THAT(policies(), testing::UnorderedElementsAre(first.alias, second.alias));
  EXPECT_TRUE(broker_->remove(ike::RemovePeer{second}));
  EXPECT_EQ(broker_->kept(), 0u);
  EXPECT_THAT(policies(), IsEmpty());
  EXPECT_TRUE(kernel_->get(xfrm::id_of(sa))) << "it is found by its peer alone";
  EXPECT_TRUE(broker_->remove(ike::RemovePeer{first}));
  EXPECT_FALSE(kernel_->get(xfrm::id_of(sa)));
}

TEST_F(BrokerInAKernel, WhoseNumberStillHasSasIsNotKnownElsewhere) {
  const auto sa = outbound_of(first, 0x1000);
  ASSERT_TRUE(broker_->install(ike::InstallOutbound{.ticket = {}, .sa = sa.clone(), .new_policy = {}}));
  {
    const WithoutXfrm refusing;
    EXPECT_FALSE(broker_->remove(ike::RemovePeer{first}));
  }
  auto elsewhere = first;
  elsewhere.home = base::Address::v4(0xc6336402);
  EXPECT_FALSE(install_entry(elsewhere)) << "its SA would be lost from sight";
  EXPECT_TRUE(broker_->remove(ike::RemovePeer{first}));
  EXPECT_TRUE(install_entry(elsewhere));
}

TEST_F(BrokerInAKernel, AFullMapIsCalledSo) {
  flush();
  ASSERT_EQ(std::system("sed '/map alias {/,/}/s/size .*/size 1/' " SAMEROOF_SOURCE_DIR
                        "/nft/sameroof.nft | nft -f -"),
            0);
  ASSERT_TRUE(broker_->fill_maps({first}));
  const auto installed = broker_->install(
      ike::InstallInbound{.ticket = {}, .sa = inbound_of(second, 0x1000), .new_entry = second});
  ASSERT_FALSE(installed);
  EXPECT_EQ(installed.error().refusal, ike::Refusal::nft_refused);
  EXPECT_EQ(installed.error().message, "adding the peer at 240.0.0.2: the set is full");
}

TEST_F(BrokerInAKernel, WhatXfrmRefusesLeavesNoMapElements) {
  // The same SA twice; or, where the kernel has no ESP, once.
  (void)kernel_->install(inbound_of(second, 0x1000));
  const auto third = peer(3);
  const auto installed = broker_->install(
      ike::InstallInbound{.ticket = {}, .sa = inbound_of(third, 0x1000), .new_entry = third});
  ASSERT_FALSE(installed);
  EXPECT_EQ(installed.error().refusal, ike::Refusal::kernel_refused);
  EXPECT_FALSE(there(third));
}

using BrokerAndSas = BrokerInAKernel;

TEST_F(BrokerAndSas, InstallsAndRemovesWhatIsOurs) {
  const auto id = xfrm::id_of(inbound_of(first, 0x1000));
  ASSERT_TRUE(broker_->install(
      ike::InstallInbound{.ticket = {}, .sa = inbound_of(first, 0x1000), .new_entry = first}));
  EXPECT_TRUE(kernel_->get(id));
  EXPECT_TRUE(broker_->remove(ike::RemoveSa{id, first.mark}));
  EXPECT_FALSE(kernel_->get(id));
  EXPECT_TRUE(broker_->remove(ike::RemoveSa{id, first.mark})) << "what is not there is as good as removed";
}

TEST_F(BrokerAndSas, PeerThatGoesTakesAlongWhatWasNotRemovedBefore) {
  for (const auto& peer : {first, second}) {
    ASSERT_TRUE(broker_->install(ike::InstallInbound{
        .ticket = {}, .sa = inbound_of(peer, 0x4000 + peer.mark.value), .new_entry = peer}));
  }
  const auto id_of = [](const ike::PeerEntry& peer) {
    return xfrm::id_of(inbound_of(peer, 0x4000 + peer.mark.value));
  };
  EXPECT_TRUE(broker_->remove(ike::RemovePeer{first}));
  EXPECT_FALSE(kernel_->get(id_of(first)));
  EXPECT_TRUE(kernel_->get(id_of(second)));
}

TEST_F(BrokerAndSas, LeavesTheSasOfOthersAlone) {
  auto foreign = inbound_of(first, 0x2000);
  foreign.reqid = xfrm::Reqid(77);
  foreign.set_mark.reset();
  ASSERT_TRUE(kernel_->install(foreign));
  const auto removed = broker_->remove(ike::RemoveSa{xfrm::id_of(foreign), first.mark});
  ASSERT_FALSE(removed);
  EXPECT_THAT(removed.error().message, HasSubstr("outside our range"));
  EXPECT_FALSE(
      broker_->install(ike::InstallInbound{.ticket = {}, .sa = foreign.clone(), .new_entry = std::nullopt}));
  EXPECT_TRUE(broker_->clean_up());
  EXPECT_TRUE(kernel_->get(xfrm::id_of(foreign)));
}

TEST_F(BrokerAndSas, ComparisonTellsWhatIsGoneWhatIsAnothersAndWhatIsWorn) {
  const auto install = [this](xfrm::Sa sa) {
    EXPECT_TRUE(kernel_->install(sa));
    return xfrm::id_of(sa);
  };
  const auto well = install(inbound_of(first, 0x6000));
  auto used_up = inbound_of(first, 0x6001), foreign = inbound_of(first, 0x6002);
  used_up.lifetimes.soft.packets = 0;
  foreign.reqid = xfrm::Reqid(77);
  foreign.set_mark.reset();
  const auto worn = install(std::move(used_up)), others = install(std::move(foreign));
  const auto gone = xfrm::id_of(inbound_of(first, 0x6003));
  const auto found = broker_->compare({well, worn, others, gone});
  ASSERT_TRUE(found);
  EXPECT_THAT(found->absent, ElementsAre(others, gone));
  EXPECT_THAT(found->worn, ElementsAre(worn));
}

// The kernel's limit is a time of the wall clock, and looked at when the SA is updated.
TEST_F(BrokerAndSas, MovedPairIsLeftToTheCoresClock) {
  auto in = inbound_of(first, 0x7000);
  in.lifetimes.hard.time = std::chrono::seconds(3600);
  in.lifetimes.hard.packets = 1000;
  ASSERT_TRUE(kernel_->install(in));
  ASSERT_TRUE(broker_->move({.mark = first.mark,
                             .alias = first.alias,
                             .new_home = {},
                             .port = 40001,
                             .inbound = {xfrm::id_of(in)},
                             .outbound = {}}));
  const auto moved = kernel_->get(xfrm::id_of(in));
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->sa.encap->source_port, 40001);
  EXPECT_EQ(moved->sa.lifetimes.hard.time, std::nullopt);
  EXPECT_EQ(moved->sa.lifetimes.hard.packets, 1000u);
}

/// Of a peer whose inbound SA is there: the kernel's name of its outbound one.
xfrm::SaId at(const base::Address& home, const xfrm::Sa& outbound) {
  auto out = xfrm::id_of(outbound);
  out.destination = home;
  return out;
}

class MovingPeer : public BrokerInAKernel {
 protected:
  void SetUp() override {
    BrokerInAKernel::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(
        broker_->install(ike::InstallOutbound{.ticket = {}, .sa = out_.clone(), .new_policy = std::nullopt}));
  }
  ike::DoneOrRefused move_to(const base::Address& home, std::uint16_t port = 40001) {
    return broker_->move({.mark = first.mark,
                          .alias = first.alias,
                          .new_home = home,
                          .port = port,
                          .inbound = {},
                          .outbound = {xfrm::id_of(out_)}});
  }
  std::optional<xfrm::Ends> led_to() {
    const auto policies = kernel_->dump_policies();
    if (!policies) return std::nullopt;
    for (const auto& policy : *policies) {
      if (policy.selector.destination.network == first.alias) return policy.outer;
    }
    return std::nullopt;
  }

  const base::Address elsewhere = base::Address::v4(0xc6336402);
  const xfrm::Sa out_ = outbound_of(first, 0x9000);
};

TEST_F(MovingPeer, IsReachedInBeetModeBetweenTheOuterAddresses) {
  const auto there = kernel_->get(at(nat, out_));
  ASSERT_TRUE(there);
  EXPECT_EQ(there->sa.mode, xfrm::Mode::beet);
  EXPECT_EQ(there->sa.source, gateway);
  EXPECT_EQ(there->sa.selector, out_.selector);
  EXPECT_EQ(led_to(), (xfrm::Ends{.source = gateway, .destination = nat}));
  EXPECT_THAT(broker_->compare({xfrm::id_of(out_)})->absent, IsEmpty()) << "by the name that the core knows";
}

TEST_F(MovingPeer, TakesItsSasAlongWhichGoOnCounting) {
  // As if it had been used.
  auto used = kernel_->get(at(nat, out_));
  ASSERT_TRUE(used);
  used->statistics.bytes = 7000, used->statistics.packets = 70, used->statistics.sent = 70;
  used->sa.lifetimes.soft.packets = 1'000'000, used->sa.lifetimes.hard.packets = 2'000'000;
  ASSERT_TRUE(kernel_->remove(at(nat, out_)));
  ASSERT_TRUE(kernel_->install(used->sa, used->statistics));

  ASSERT_TRUE(move_to(elsewhere));
  EXPECT_FALSE(kernel_->get(at(nat, out_)));
  const auto moved = kernel_->get(at(elsewhere, out_));
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->sa.encap->destination_port, 40001);
  EXPECT_GT(moved->statistics.sent, 70u) << "no sequence number is used twice";
  const auto left_out = moved->statistics.sent - 70;
  EXPECT_EQ(moved->sa.lifetimes.soft.packets, 1'000'000 - left_out) << "it has so many fewer";
  EXPECT_EQ(moved->sa.lifetimes.hard.packets, 2'000'000 - left_out);
  EXPECT_EQ(moved->statistics.bytes, 7000u);
  EXPECT_EQ(moved->statistics.packets, 70u);
  EXPECT_EQ(moved->statistics.added, used->statistics.added);
  EXPECT_EQ(led_to(), (xfrm::Ends{.source = gateway, .destination = elsewhere}));

  ASSERT_TRUE(move_to(elsewhere, 40002)) << "asked for again";
  EXPECT_EQ(kernel_->get(at(elsewhere, out_))->sa.encap->destination_port, 40002);
  ASSERT_TRUE(broker_->remove(ike::RemovePeer{first}));
  EXPECT_FALSE(kernel_->get(at(elsewhere, out_)));
  EXPECT_THAT(policies(), ElementsAre(second.alias));
}

TEST_F(MovingPeer, StaysAsAWholeWhereTheKernelRefusesAPart) {
  // Its second SA cannot follow: the name is taken.
  const auto another = outbound_of(first, 0x9001);
  ASSERT_TRUE(broker_->install(
      ike::InstallOutbound{.ticket = {}, .sa = another.clone(), .new_policy = std::nullopt}));
  auto in_the_way = kernel_->get(at(nat, another));
  ASSERT_TRUE(in_the_way);
  in_the_way->sa.destination = elsewhere;
  ASSERT_TRUE(kernel_->install(in_the_way->sa));

  const auto refused = move_to(elsewhere);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().refusal, ike::Refusal::kernel_refused);
  EXPECT_TRUE(kernel_->get(at(nat, out_)));
  EXPECT_TRUE(kernel_->get(at(nat, another)));
  EXPECT_FALSE(kernel_->get(at(elsewhere, out_)));
  EXPECT_EQ(led_to(), (xfrm::Ends{.source = gateway, .destination = nat}));

  ASSERT_TRUE(kernel_->remove(at(elsewhere, another)));
  EXPECT_TRUE(move_to(elsewhere));
  EXPECT_TRUE(kernel_->get(at(elsewhere, another)));
}

/// As to a peer without a NAT: in no UDP, and by no mark.
xfrm::Sa plain(xfrm::Sa outbound) {
  outbound.encap.reset();
  outbound.mark.reset();
  return outbound;
}

TEST_F(MovingPeer, TakesPlainEspAlongToo) {
  const auto sa = plain(outbound_of(first, 0x9001));
  ASSERT_TRUE(
      broker_->install(ike::InstallOutbound{.ticket = {}, .sa = sa.clone(), .new_policy = std::nullopt}));
  ASSERT_TRUE(move_to(elsewhere));
  EXPECT_FALSE(kernel_->get(at(nat, sa)));
  const auto moved = kernel_->get(at(elsewhere, sa));
  ASSERT_TRUE(moved);
  EXPECT_FALSE(moved->sa.encap);
  ASSERT_TRUE(broker_->remove(ike::RemovePeer{first}));
  EXPECT_FALSE(kernel_->get(at(elsewhere, sa)));
}

// What asks for it may have been taken over: SAs that nobody finds again would fill the kernel.
TEST_F(MovingPeer, IsAtNoOtherPlaceBecauseItIsSaidToBeNew) {
  const auto install = [this](const ike::PeerEntry& entry, std::uint32_t spi) {
    return broker_->install(
        ike::InstallInbound{.ticket = {}, .sa = inbound_of(entry, spi), .new_entry = entry});
  };
  auto another = first;
  another.home = elsewhere;
  EXPECT_FALSE(install(another, 0x1000));
  EXPECT_THAT(broker_->compare({xfrm::id_of(out_)})->absent, IsEmpty());
  ASSERT_TRUE(install(first, 0x1001));
  EXPECT_FALSE(install(first, 0x1001)) << "the name is taken";
  EXPECT_THAT(broker_->compare({xfrm::id_of(out_)})->absent, IsEmpty());
  EXPECT_TRUE(there(first));
}

TEST_F(MovingPeer, OfTwoBehindOneNatWithOneSpiTheSecondIsRefusedWhereNoMarkTellsThemApart) {
  const auto mine = plain(outbound_of(first, 0x9002)), theirs = plain(outbound_of(second, 0x9002));
  const auto install = [this](const xfrm::Sa& sa) {
    return broker_->install(ike::InstallOutbound{.ticket = {}, .sa = sa.clone(), .new_policy = std::nullopt});
  };
  ASSERT_TRUE(install(mine));
  const auto refused = install(theirs);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().refusal, ike::Refusal::kernel_refused);
  EXPECT_TRUE(broker_->remove(ike::RemoveSa{xfrm::id_of(theirs), second.mark})) << "as good as removed";
  ASSERT_TRUE(kernel_->get(at(nat, mine)));
  EXPECT_EQ(kernel_->get(at(nat, mine))->sa.reqid, mine.reqid);
  ASSERT_TRUE(install(outbound_of(second, 0x9000))) << "as the first's, and by marks they are two";
}

TEST_F(BrokerAndSas, OfTwoBehindOneNatWithOneSpiAnotherDaemonHasBothWhereConntrackTellsThemApart) {
  const auto of = [](const ike::PeerEntry& entry, std::uint32_t spi) {
    auto sa = outbound_of(entry, spi);
    sa.source = gateway;
    sa.selector.source = base::host(gateway);
    return sa;
  };
  const auto install = [this](const xfrm::Sa& sa) {
    return broker_->install(ike::InstallOutbound{.ticket = {}, .sa = sa.clone(), .new_policy = std::nullopt});
  };
  serve_another_daemon("conntrack");
  for (const auto& entry : {first, second}) {
    const auto installed = install(of(entry, 0x9000));
    EXPECT_TRUE(installed) << installed.error().message;
  }
  for (const auto& entry : {first, second})
    EXPECT_TRUE(broker_->remove(ike::RemoveSa{xfrm::id_of(of(entry, 0x9000)), entry.mark}));

  serve_another_daemon("alias");
  auto mine = of(first, 0x9000), theirs = of(second, 0x9000), anew = of(second, 0x9001);
  for (auto* sa : {&mine, &theirs, &anew}) sa->mark.reset();
  const auto served = install(mine);
  ASSERT_TRUE(served) << served.error().message;
  const auto refused = install(theirs);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "another peer at 198.51.100.1 has chosen the same SPI");
  EXPECT_TRUE(broker_->remove(ike::RemoveSa{xfrm::id_of(theirs), second.mark})) << "as good as removed";
  auto name = xfrm::id_of(mine);
  name.destination = nat;
  ASSERT_TRUE(kernel_->get(name));
  EXPECT_EQ(kernel_->get(name)->sa.reqid, mine.reqid);
  EXPECT_TRUE(install(anew)) << "who dials again chooses anew";
}

// Who has no NAT, and is the NAT of others, sees which SPIs they choose.
TEST_F(MovingPeer, CannotBeHiddenByPlainEspToItsNat) {
  auto plain = outbound_of(second, out_.spi.value);
  plain.encap.reset();
  plain.mark.reset();
  const auto install = [&] {
    return broker_->install(
        ike::InstallOutbound{.ticket = {}, .sa = plain.clone(), .new_policy = std::nullopt});
  };
  const auto refused = install();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "another peer at 198.51.100.1 has chosen the same SPI");
  EXPECT_TRUE(broker_->remove(ike::RemoveSa{xfrm::id_of(out_), first.mark}));
  EXPECT_FALSE(kernel_->get(at(nat, out_)));
  EXPECT_TRUE(install());
}

TEST_F(BrokerAndSas, SendsToNobodyWhoseHomeItDoesNotKnow) {
  const auto third = peer(3);
  const auto refused = install_policy(third, policy_of(third));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "nobody is known at 240.0.0.3");
}

TEST_F(BrokerAndSas, OnePeerCannotFillTheKernel) {
  const auto install = [this](std::uint32_t spi) {
    return broker_->install(
        ike::InstallInbound{.ticket = {}, .sa = inbound_of(first, spi), .new_entry = std::nullopt});
  };
  std::uint32_t spi = 0x3000;
  while (spi < 0x4000 && install(spi)) ++spi;
  EXPECT_EQ(spi, 0x3000u + 64) << "32 for each of two services, and the others are refused";
  EXPECT_TRUE(broker_->install(
      ike::InstallInbound{.ticket = {}, .sa = inbound_of(second, 0x5000), .new_entry = std::nullopt}))
      << "a neighbour has room of its own";
  // One that the kernel dropped by itself makes room, too.
  ASSERT_TRUE(kernel_->remove(xfrm::id_of(inbound_of(first, 0x3000))));
  EXPECT_TRUE(install(spi));
}

/// To a peer that comes over IPv6 without a NAT: an SA that no mark tells from another's.
ike::InstallOutbound plain_to(const base::Address& address, const ike::PeerEntry& entry, std::uint32_t spi) {
  auto policy = policy_of(entry);
  policy.selector.source = base::host(*base::Address::parse("2001:db8::1"));
  policy.selector.destination = base::host(address);
  auto sa = outbound_of(entry, spi);
  sa.source = policy.selector.source.network;
  sa.destination = address;
  sa.selector = policy.selector;
  sa.mark.reset();
  sa.encap.reset();
  return {.ticket = {}, .sa = std::move(sa), .new_policy = policy};
}

TEST_F(BrokerAndSas, OfTwoAtOneIpv6AddressWithOneSpiTheSecondIsRefusedAndTakesNothingFromTheFirst) {
  const auto address = *base::Address::parse("2001:db8:2::10");
  const auto of_first = plain_to(address, first, 0x8000);
  const auto id = xfrm::id_of(of_first.sa);
  if (const auto installed = broker_->install(of_first); !installed)
    GTEST_SKIP() << "no ESP over IPv6 here: " << installed.error().message;
  const auto before = policies().size();
  const auto refused = broker_->install(plain_to(address, second, 0x8000));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().refusal, ike::Refusal::kernel_refused);
  EXPECT_EQ(policies().size(), before) << "nor does its policy stand";
  EXPECT_TRUE(broker_->remove(ike::RemoveSa{id, second.mark})) << "as good as removed";
  ASSERT_TRUE(kernel_->get(id));
  EXPECT_EQ(kernel_->get(id)->sa.reqid, of_first.sa.reqid);
  EXPECT_TRUE(broker_->remove(ike::RemoveSa{id, first.mark}));
  EXPECT_FALSE(kernel_->get(id));
}

TEST_F(BrokerAndSas, OnePeerHasOnePolicyForEachService) {
  // A service other than L2TP may send from any address of ours.
  auto page = policy_of(first), another = page;
  page.selector.protocol = another.selector.protocol = 6;
  page.selector.source_port = another.selector.source_port = 8080;
  page.selector.source = base::host(gateway);
  another.selector.source = base::host(base::Address::v4(0xcb007102));
  ASSERT_TRUE(install_policy(first, page));
  const auto refused = install_policy(first, another);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("too many policies"));
  ASSERT_TRUE(broker_->remove(ike::RemovePeer{first}));
  ASSERT_TRUE(install_entry(first));
  EXPECT_TRUE(install_policy(first, another)) << "the next of its number begins anew";
  EXPECT_THAT(policies(), testing::UnorderedElementsAre(first.alias, second.alias));
}

}  // namespace
}  // namespace ikd
