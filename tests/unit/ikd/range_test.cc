// What the broker admits: all that the core asks for, and nothing that is one step beside it.

#include "ikd/range.h"

#include <gmock/gmock.h>

#include "harness/world.h"

namespace ikd {
namespace {

using namespace std::chrono_literals;
using base::Address;

const auto gateway = Address::v4(0xcb007101), nat = Address::v4(0xc6336401);
constexpr ike::Service web{.protocol = 6, .port = 8080};
constexpr std::uint32_t mask = 0x0fffff00;

Range range(ike::Numbering numbering = {}) { return {std::move(numbering), {web}}; }

ike::PeerEntry entry(std::uint32_t number = 7) {
  return {.mark = base::Mark(number << 8),
          .alias = Address::v4(0xf0000000 + number),
          .home = nat,
          .dialled = gateway};
}

ike::InstallInbound inbound() {
  ike::InstallInbound out{.ticket = {}, .sa = {}, .new_entry = entry()};
  auto& sa = out.sa;
  sa.source = nat;
  sa.destination = gateway;
  sa.spi = xfrm::Spi(0x1000);
  sa.reqid = xfrm::Reqid(entry().mark.value);
  sa.selector = {.source = base::host(entry().alias),
                 .destination = base::host(gateway),
                 .protocol = 17,
                 .source_port = {},
                 .destination_port = 1701};
  sa.set_mark = xfrm::MaskedMark{entry().mark.value, mask};
  return out;
}

xfrm::Policy policy() {
  xfrm::Policy out;
  out.selector = {.source = base::host(gateway),
                  .destination = base::host(entry().alias),
                  .protocol = 17,
                  .source_port = 1701,
                  .destination_port = {}};
  out.mark = xfrm::MaskedMark{entry().mark.value, mask};
  out.reqid = xfrm::Reqid(entry().mark.value);
  return out;
}

ike::InstallOutbound outbound() {
  ike::InstallOutbound out{.ticket = {}, .sa = {}, .new_policy = policy()};
  auto& sa = out.sa;
  sa.source = gateway;
  sa.destination = entry().alias;
  sa.spi = xfrm::Spi(0x2000);
  sa.reqid = xfrm::Reqid(entry().mark.value);
  sa.selector = policy().selector;
  sa.mark = policy().mark;
  sa.encap.emplace();
  return out;
}

template <class Request, class Change>
bool admitted(Request request, Change change) {
  change(request);
  return range().admits(request);
}

TEST(Range, AdmitsWhatIsOurs) {
  EXPECT_TRUE(range().admits(inbound()));
  EXPECT_TRUE(range().admits(outbound()));
  EXPECT_TRUE(range().admits(entry()));
  EXPECT_TRUE(range().admits(ike::MovePeer{.mark = entry().mark,
                                           .alias = entry().alias,
                                           .new_home = nat,
                                           .port = 4500,
                                           .inbound = {},
                                           .outbound = {}}));
}

TEST(Range, RefusesAnInboundSaThatIsNotThePeersOwn) {
  using In = ike::InstallInbound;
  EXPECT_FALSE(admitted(inbound(), [](In& r) { r.sa.reqid = xfrm::Reqid(0); }));
  EXPECT_FALSE(admitted(inbound(), [](In& r) { r.sa.reqid = xfrm::Reqid(0x10000700); })) << "beyond the mask";
  EXPECT_FALSE(admitted(inbound(), [](In& r) { r.sa.set_mark->value = 0x800; })) << "another peer's mark";
  EXPECT_FALSE(admitted(inbound(), [](In& r) { r.sa.set_mark->mask = 0xffffffff; }));
  EXPECT_FALSE(admitted(inbound(), [](In& r) { r.sa.set_mark.reset(); }));
  EXPECT_FALSE(admitted(inbound(), [](In& r) { r.sa.mode = xfrm::Mode::tunnel; }));
  EXPECT_FALSE(admitted(inbound(), [](In& r) { r.sa.spi = xfrm::Spi(255); }));
  EXPECT_FALSE(admitted(inbound(), [](In& r) { r.sa.selector.source = base::host(entry(8).alias); }));
  EXPECT_FALSE(admitted(inbound(), [](In& r) { r.sa.selector.source.length = 8; })) << "everybody's alias";
  EXPECT_FALSE(admitted(inbound(), [](In& r) { r.sa.selector.destination.length = 0; }));
  EXPECT_FALSE(admitted(inbound(), [](In& r) { r.sa.selector.destination_port = 22; }));
  EXPECT_FALSE(admitted(inbound(), [](In& r) { r.sa.selector.destination_port.reset(); }));
  EXPECT_FALSE(admitted(inbound(), [](In& r) { r.new_entry = entry(8); }));
  EXPECT_FALSE(admitted(inbound(), [](In& r) { r.new_entry->home = gateway; }));
  EXPECT_FALSE(admitted(inbound(), [](In& r) { r.new_entry->dialled = nat; }));
  const auto v6 = *Address::parse("2001:db8::1");
  EXPECT_FALSE(admitted(inbound(), [&](In& r) {
    r.sa.destination = v6;
    r.sa.selector.destination = base::host(v6);
  })) << "half of another family";
}

TEST(Range, RefusesAKeyThatWouldReachBeyondItsAttribute) {
  using In = ike::InstallInbound;
  const auto with_key = [](std::size_t size) {
    return [size](In& r) { r.sa.transform.encryption_key = base::Secret::of_size(size); };
  };
  EXPECT_TRUE(admitted(inbound(), with_key(36)));
  EXPECT_FALSE(admitted(inbound(), with_key(65)));
  EXPECT_FALSE(admitted(inbound(), with_key(65536)));
  EXPECT_FALSE(
      admitted(inbound(), [](In& r) { r.sa.transform.integrity_key = base::Secret::of_size(65536); }));
}

TEST(Range, RefusesAnOutboundSaOrPolicyThatTakesOthersPackets) {
  using Out = ike::InstallOutbound;
  EXPECT_FALSE(admitted(outbound(), [](Out& r) { r.sa.destination = entry(8).alias; }));
  EXPECT_FALSE(admitted(outbound(), [](Out& r) { r.sa.destination = nat; }));
  EXPECT_FALSE(admitted(outbound(), [](Out& r) { r.sa.mark.reset(); }));
  EXPECT_FALSE(admitted(outbound(), [](Out& r) { r.sa.mark->value = 0x800; }));
  EXPECT_FALSE(admitted(outbound(), [](Out& r) { r.sa.set_mark = r.sa.mark; }));
  EXPECT_FALSE(admitted(outbound(), [](Out& r) { r.sa.mode = xfrm::Mode::tunnel; }));
  EXPECT_FALSE(admitted(outbound(), [](Out& r) { r.sa.selector.destination = base::host(entry(8).alias); }));
  EXPECT_FALSE(admitted(outbound(), [](Out& r) { r.sa.selector.source_port = 22; }));
  EXPECT_FALSE(admitted(outbound(), [](Out& r) { r.new_policy->selector.source.length = 0; }));
  EXPECT_FALSE(admitted(outbound(), [](Out& r) { r.new_policy->selector.destination.length = 0; }));
  EXPECT_FALSE(admitted(outbound(), [](Out& r) { r.new_policy->selector.destination = base::host(nat); }));
  EXPECT_FALSE(admitted(outbound(), [](Out& r) { r.new_policy->selector.source_port = 22; }));
  EXPECT_FALSE(admitted(outbound(), [](Out& r) { r.new_policy->selector.destination_port = 1701; }))
      << "one of 65536 for the same packets";
  EXPECT_FALSE(admitted(outbound(), [](Out& r) { r.new_policy->direction = xfrm::Direction::in; }));
  EXPECT_FALSE(admitted(outbound(), [](Out& r) { r.new_policy->mark.reset(); }));
  EXPECT_FALSE(admitted(outbound(), [](Out& r) { r.new_policy->reqid = xfrm::Reqid(0x800); }));
}

TEST(Range, RefusesToRemoveOrMoveWhatIsNotThePeers) {
  auto mixed = entry();
  mixed.alias = entry(8).alias;
  EXPECT_FALSE(range().admits(mixed));
  EXPECT_FALSE(range().admits(entry(0)));
  EXPECT_FALSE(range().admits(ike::MovePeer{.mark = mixed.mark,
                                            .alias = mixed.alias,
                                            .new_home = {},
                                            .port = 4500,
                                            .inbound = {},
                                            .outbound = {}}));
}

TEST(Range, EndsWhereTheNumbersEnd) {
  ike::Numbering few;
  few.capacity = 10;
  EXPECT_TRUE(range(few).admits(entry(10)));
  EXPECT_FALSE(range(few).admits(entry(11)));
}

TEST(Range, WithoutMarksTheAliasNamesThePeer) {
  ike::Numbering unmarked;
  unmarked.lookup = ike::OutboundLookup::alias;
  EXPECT_FALSE(range(unmarked).admits(outbound()));
  auto request = outbound();
  request.sa.mark.reset();
  request.new_policy->mark.reset();
  EXPECT_TRUE(range(unmarked).admits(request));
}

TEST(Range, ATunnelsSocketIsAtThePeersNearEnd) {
  ike::Numbering numbering;
  numbering.near_bit = 0x00800000;
  const auto near = [&](std::uint32_t number) {
    return Address::v4(entry(number).alias.v4_value() | numbering.near_bit);
  };
  EXPECT_FALSE(range(numbering).admits(inbound())) << "only for what opens a tunnel";
  auto in = inbound();
  in.sa.selector.destination = {Address::v4(0), 0};
  EXPECT_TRUE(range(numbering).admits(in));

  EXPECT_FALSE(range(numbering).admits(outbound()));
  const auto from = [&](std::uint32_t number) {
    auto out = outbound();
    out.sa.source = near(number);
    out.sa.selector.source = out.new_policy->selector.source = base::host(near(number));
    return out;
  };
  EXPECT_TRUE(range(numbering).admits(from(7)));
  EXPECT_FALSE(range(numbering).admits(from(8))) << "a neighbour's";

  // Another service has the address that was dialled.
  auto page = inbound();
  page.sa.selector.protocol = web.protocol;
  page.sa.selector.destination_port = web.port;
  EXPECT_TRUE(range(numbering).admits(page));
  page.sa.selector.destination.length = 0;
  EXPECT_FALSE(range(numbering).admits(page));
}

TEST(Range, WhatTheKernelHasIsOursByTheAliasInside) {
  auto sa = outbound().sa.clone();
  sa.mode = xfrm::Mode::beet;
  sa.destination = nat;
  EXPECT_TRUE(range().holds(sa));
  EXPECT_FALSE(admitted(outbound(), [&](auto& r) { r.sa.mode = xfrm::Mode::beet; }))
      << "where to is not asked";
  sa.mark.reset();
  EXPECT_TRUE(range().holds(sa)) << "plain ESP has none";
  sa.selector.destination = base::host(nat);
  EXPECT_FALSE(range().holds(sa)) << "somebody else's, who counts its reqids";
}

TEST(Range, APeerStaysInItsFamily) {
  ike::MovePeer move{.mark = entry().mark,
                     .alias = entry().alias,
                     .new_home = Address::parse("2001:db8:1::2"),
                     .port = 4500,
                     .inbound = {},
                     .outbound = {}};
  EXPECT_FALSE(range().admits(move));
  move.new_home = gateway;
  EXPECT_TRUE(range().admits(move));
}

/// Behind IPv6 a peer's alias is its own address, and its mark alone finds what is sent to it.
TEST(Range, AnIpv6PeerIsNamedByItsMark) {
  const auto us = *Address::parse("2001:db8::1"), them = *Address::parse("2001:db8:1::2"),
             neighbour = *Address::parse("2001:db8:1::3");
  auto in = inbound();
  in.sa.source = in.new_entry->home = in.new_entry->alias = them;
  in.sa.destination = in.new_entry->dialled = us;
  in.sa.selector.source = base::host(them);
  in.sa.selector.destination = base::host(us);
  EXPECT_TRUE(range().admits(in));
  EXPECT_TRUE(range().holds(in.sa));
  EXPECT_FALSE(admitted(std::move(in), [&](auto& r) { r.new_entry->alias = neighbour; }));

  const auto out = [&] {
    auto made = outbound();
    made.sa.source = us;
    made.sa.destination = them;
    made.sa.encap = xfrm::Encap{.source_port = 4500, .destination_port = 4500};
    made.sa.selector.source = made.new_policy->selector.source = base::host(us);
    made.sa.selector.destination = made.new_policy->selector.destination = base::host(them);
    return made;
  };
  EXPECT_TRUE(range().admits(out()));
  EXPECT_TRUE(range().holds(out().sa));
  EXPECT_TRUE(range().holds(*out().new_policy));
  EXPECT_FALSE(admitted(out(), [&](auto& r) { r.sa.destination = neighbour; }));
  EXPECT_FALSE(admitted(out(), [&](auto& r) { r.new_policy->selector.destination.length = 64; }));
  EXPECT_FALSE(admitted(out(), [&](auto& r) { r.sa.mark.reset(); }));

  // To whom plain ESP goes the policy alone asks for the mark.
  auto plain = out();
  plain.sa.encap.reset();
  EXPECT_FALSE(range().admits(plain));
  plain.sa.mark.reset();
  EXPECT_TRUE(range().admits(plain));
  EXPECT_TRUE(range().holds(plain.sa));
  plain.sa.selector = {};
  EXPECT_FALSE(range().holds(plain.sa)) << "the SA of another daemon that counts its reqids";

  ike::Numbering unmarked;
  unmarked.lookup = ike::OutboundLookup::alias;
  auto anybodys = out();
  anybodys.sa.mark.reset();
  anybodys.new_policy->mark.reset();
  EXPECT_FALSE(range(unmarked).admits(anybodys)) << "it would take everybody's packets to that address";
  EXPECT_FALSE(range(unmarked).holds(anybodys.sa));
  EXPECT_FALSE(range(unmarked).holds(*anybodys.new_policy));
}

/// Whatever the core made of a client that came up fits.
TEST(Range, AdmitsWhatTheCoreMakes) {
  harness::WorldSettings settings;
  settings.kernel.dh = harness::Dh::pretended;
  harness::World world(std::move(settings));
  harness::NatBox box(nat);
  harness::InitiatorSettings client;
  client.local = {Address::v4(0xc0a80102), 500};
  client.dh = harness::Dh::pretended;
  client.seed = 2;
  world.add(std::move(client), &box).connect(world.now());
  world.run(2s);
  ASSERT_EQ(world.kernel().inbound_sas(), 1u);
  ASSERT_EQ(world.kernel().outbound_sas(), 1u);
  const auto& peer = world.kernel().entries().begin()->second;
  const auto& made = world.kernel().policies().begin()->second;
  for (const auto& [id, sa] : world.kernel().sas()) {
    if (sa.set_mark) {
      EXPECT_TRUE(range().admits(ike::InstallInbound{.ticket = {}, .sa = sa.clone(), .new_entry = peer}));
    } else {
      EXPECT_TRUE(range().admits(ike::InstallOutbound{.ticket = {}, .sa = sa.clone(), .new_policy = made}));
    }
    EXPECT_TRUE(range().holds(sa));
  }
  EXPECT_TRUE(range().holds(made));
  EXPECT_TRUE(range().admits(peer));
}

}  // namespace
}  // namespace ikd
