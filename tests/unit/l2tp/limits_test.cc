// What a peer may have of the server, and what floods and forged datagrams cost its neighbours: nothing.

#include <cstring>

#include <gtest/gtest.h>

#include "bench.h"

namespace l2tp {
namespace {

using namespace std::chrono_literals;
using testing::alias_a;
using testing::alias_b;
using testing::Bench;
using testing::Lac;
using testing::mark_a;
using testing::mark_b;
using testing::of_type;
using testing::vector;
using testing::World;

/// Our id of the tunnel of that endpoint; none: zero.
TunnelId ask_for_tunnel(Bench& bench, const Endpoint& at, Mark mark) {
  bench.input(vector("sccrq-windows10"), at, mark);
  TunnelId id;
  for (const auto& [candidate, tunnel] : bench.server.tunnels()) {
    if (tunnel.name().remote == at && tunnel.name().mark == mark) id = candidate;
  }
  return id;
}
void send_SCCCN(Bench& bench, TunnelId id, const Endpoint& at, Mark mark) {
  const auto body = encode(of_type(MessageType::SCCCN));
  bench.input(encode(Header{.tunnel = id, .session = {}, .ns = SeqNo(1), .nr = SeqNo(1), .body = body}), at,
              mark);
}
/// A tunnel that stands in clear text.
TunnelId establish_in_clear(Bench& bench, const Endpoint& at) {
  const auto id = ask_for_tunnel(bench, at, Mark());
  send_SCCCN(bench, id, at, Mark());
  bench.effects.clear();
  return id;
}

const Endpoint clear_a{base::Address::v4(0xc0000201), 1701};
const Endpoint clear_b{base::Address::v4(0xc0000202), 1701};

TEST(ClearText, WhoForgesANeighboursAddressEndsNoTunnelOfTheNeighbours) {
  Bench bench;
  const auto id = establish_in_clear(bench, clear_a);
  bench.now += 60s;
  auto stop_ccn = of_type(MessageType::StopCCN);
  stop_ccn.assigned_tunnel_id = TunnelId(4);
  const auto last_words = encode(stop_ccn);
  for (int i = 0; i < 2000; ++i) {
    auto sccrq = of_type(MessageType::SCCRQ);
    sccrq.assigned_tunnel_id = TunnelId(static_cast<std::uint16_t>(4 + i % 300));
    const auto body = encode(sccrq);
    bench.input(encode(Header{.tunnel = {}, .session = {}, .ns = {}, .nr = {}, .body = body}), clear_a,
                Mark());
    bench.input(encode(Header{.tunnel = {}, .session = {}, .ns = {}, .nr = {}, .body = last_words}), clear_a,
                Mark());
  }
  EXPECT_EQ(bench.count<CloseTunnelSocket>(), 0u);
  EXPECT_EQ(bench.count<TunnelDown>(), 0u) << "a stranger must not fill the log";
  ASSERT_TRUE(bench.server.tunnels().contains(id));
  EXPECT_EQ(bench.server.tunnels().at(id).state(), TunnelState::established);
  EXPECT_EQ(bench.server.tunnels().size(), 5u) << "one that stands, and few ids that he might guess";
  EXPECT_GT(bench.dropped(DropReason::crowded_out), 0u);
  // And the neighbour, who may have crashed, still gets a new tunnel of its own.
  bench.now += 60s;
  EXPECT_NE(establish_in_clear(bench, clear_a), TunnelId());
  EXPECT_FALSE(bench.server.tunnels().contains(id));
}

TEST(ClearText, AForgedSCCRQDoesNotDecideHowTheRealOneIsAnswered) {
  Bench bench;
  auto bad = of_type(MessageType::SCCRQ);  // with the tunnel id that a Windows will choose
  bad.assigned_tunnel_id = TunnelId(4);
  bad.receive_window_size = 0;
  const auto body = encode(bad);
  bench.input(encode(Header{.tunnel = {}, .session = {}, .ns = {}, .nr = {}, .body = body}), clear_a, Mark());
  ASSERT_EQ(bench.sent().at(0).type, MessageType::StopCCN);
  bench.input(vector("sccrq-windows10"), clear_a, Mark());
  EXPECT_EQ(bench.sent().at(0).type, MessageType::SCCRP);
}

/// `bytes` with 16 others from `at` on, a multiple of 8, so that std::hash of libstdc++ (MurmurHash64A) is
/// the same.
Bytes colliding_with(Bytes bytes, std::size_t at) {
  constexpr std::uint64_t mul = 0xc6a4a7935bd1e995;
  std::uint64_t inverse = 1;
  for (int i = 0; i < 6; ++i) inverse *= 2 - mul * inverse;
  const auto fold = [](std::uint64_t v) { return v ^ v >> 47; };  // which undoes itself
  const auto mix = [&](std::uint64_t block) { return fold(block * mul) * mul; };
  const auto block_at = [&bytes](std::size_t i) {
    std::uint64_t block = 0;
    std::memcpy(&block, &bytes[i], 8);
    return block;
  };
  std::uint64_t state = 0xc70f6907 ^ bytes.size() * mul;
  for (std::size_t i = 0; i < at; i += 8) state = (state ^ mix(block_at(i))) * mul;
  const auto first = block_at(at) ^ 1;
  const auto made_up_for = (state ^ mix(block_at(at))) * mul ^ (state ^ mix(first)) * mul;
  const auto second = fold((made_up_for ^ mix(block_at(at + 8))) * inverse) * inverse;
  std::memcpy(&bytes[at], &first, 8);
  std::memcpy(&bytes[at + 8], &second, 8);
  return bytes;
}

TEST(ClearText, NorDoesOneThatAHashCannotTellFromIt) {
  auto sccrq = of_type(MessageType::SCCRQ);
  sccrq.assigned_tunnel_id = TunnelId(4);
  sccrq.host_name = base::as_bytes("a host of a very long and telling name");
  const auto real = encode(sccrq);
  const auto name = base::as_text(real).find("a host");
  const auto forged = colliding_with(real, (name + 7) / 8 * 8);
  const auto hash = [](ByteView bytes) { return std::hash<std::string_view>{}(base::as_text(bytes)); };
  ASSERT_NE(forged, real);
  if (hash(forged) != hash(real)) GTEST_SKIP() << "another std::hash";
  Bench bench;
  for (const auto& body : {forged, real})
    bench.input(encode(Header{.tunnel = {}, .session = {}, .ns = {}, .nr = {}, .body = body}), clear_a,
                Mark());
  EXPECT_EQ(bench.dropped(DropReason::duplicate), 0u);
  EXPECT_EQ(bench.server.tunnels().size(), 2u);
}

TEST(ClearText, NothingIsSentUnaskedBeforeThePeerHasProvedWhereItIs) {
  Bench bench;
  bench.input(vector("sccrq-windows10"), clear_a, Mark());
  EXPECT_EQ(bench.sent().size(), 1u);
  while (const auto when = bench.server.next_timeout()) {
    bench.now = *when;
    bench.server.timeout(bench.now);
    while (auto effect = bench.server.next_effect()) bench.effects.push_back(std::move(*effect));
  }
  EXPECT_TRUE(bench.effects.empty());
  EXPECT_TRUE(bench.server.tunnels().empty());
  EXPECT_EQ(bench.now - base::Time{}, 60s);
}

TEST(ClearText, CrowdsOutNoIPsecPeerAndOnlyTheOldestOfItsOwn) {
  Settings settings;
  settings.limits.half_open = 3;
  Bench bench(std::move(settings));
  bench.input(vector("sccrq-apple"), alias_a, mark_a);
  for (std::uint32_t i = 0; i < 5; ++i) {
    bench.now += 1ms;
    bench.input(vector("sccrq-apple"), {base::Address::v4(0xc0000201 + i), 1701}, Mark());
  }
  EXPECT_EQ(bench.dropped(DropReason::crowded_out), 2u);
  std::vector<std::string> left;
  for (const auto& [id, tunnel] : bench.server.tunnels())
    left.push_back(tunnel.name().remote.address.to_string());
  EXPECT_EQ(left, (std::vector<std::string>{"240.0.0.1", "192.0.2.3", "192.0.2.4", "192.0.2.5"}));
}

/// How many tunnels the server looks at for one more SCCRQ of that endpoint.
std::uint64_t cost_of_an_SCCRQ(Bench& bench, const Endpoint& at) {
  const auto before = bench.server.looked_at();
  auto sccrq = of_type(MessageType::SCCRQ);
  sccrq.assigned_tunnel_id = TunnelId(9);
  const auto body = encode(sccrq);
  bench.input(encode(Header{.tunnel = {}, .session = {}, .ns = {}, .nr = {}, .body = body}), at, Mark());
  return bench.server.looked_at() - before;
}

TEST(ClearText, AForgedSCCRQCostsTheSameHoweverManyTunnelsItsAddressHas) {
  Settings settings;
  settings.limits.tunnels_at_once = 1000;
  Bench bench(std::move(settings));
  const auto at_port = [](std::uint16_t port) { return Endpoint{clear_a.address, port}; };
  establish_in_clear(bench, at_port(1));
  const auto cost = cost_of_an_SCCRQ(bench, at_port(1));
  EXPECT_LE(cost, 2u) << "compared with what stands there, and again to make room";
  for (std::uint16_t port = 2; port <= 200; ++port) establish_in_clear(bench, at_port(port));
  for (std::uint16_t port = 301; port <= 600; ++port)
    bench.input(vector("sccrq-apple"), at_port(port), Mark());
  EXPECT_EQ(cost_of_an_SCCRQ(bench, at_port(2)), cost);
  EXPECT_EQ(cost_of_an_SCCRQ(bench, at_port(1000)), 0u);
  for (std::uint16_t port = 201; port <= 256; ++port) establish_in_clear(bench, at_port(port));
  EXPECT_EQ(cost_of_an_SCCRQ(bench, at_port(1001)), 0u);
  EXPECT_EQ(bench.dropped(DropReason::too_many_tunnels), 1u);
}

TEST(ClearText, WhatLingersAtAnEndpointCostsLaterSCCRQsNothing) {
  Bench bench;
  auto stop_ccn = of_type(MessageType::StopCCN);
  stop_ccn.result = stop(StopResult::general, "");
  const auto last_words = encode(stop_ccn);
  for (int i = 0; i < 50; ++i) {
    const auto id = establish_in_clear(bench, clear_a);
    bench.input(
        encode(Header{.tunnel = id, .session = {}, .ns = SeqNo(2), .nr = SeqNo(1), .body = last_words}),
        clear_a, Mark());
  }
  ASSERT_EQ(bench.server.tunnels().size(), 50u);
  EXPECT_EQ(cost_of_an_SCCRQ(bench, clear_a), 0u);
}

TEST(ClearText, OverIPv6ThePeerIsAWholeNetworkAndItsNeighboursAreOthers) {
  Settings settings;
  settings.limits.tunnels_per_address = 3;
  Bench bench(std::move(settings));
  const auto at = [](const char* address) { return Endpoint{*base::Address::parse(address), 1701}; };
  establish_in_clear(bench, at("2001:db8:0:1::1"));
  establish_in_clear(bench, at("2001:db8:0:1::2"));
  establish_in_clear(bench, at("2001:db8:0:1:ffff:ffff:ffff:ffff"));
  EXPECT_EQ(establish_in_clear(bench, at("2001:db8:0:1::4")), TunnelId());
  EXPECT_EQ(bench.dropped(DropReason::too_many_tunnels), 1u);
  EXPECT_NE(establish_in_clear(bench, at("2001:db8:0:2::1")), TunnelId());
  for (std::uint32_t i = 1; i <= 4; ++i)
    EXPECT_NE(establish_in_clear(bench, {base::Address::v4(0xc0000200 + i), 1701}), TunnelId())
        << "an IPv4 address is a peer of its own";
  // And IPsec peers of one network are known by their marks.
  for (std::uint32_t i = 1; i <= 4; ++i) {
    const auto before = bench.server.tunnels().size();
    bench.input(vector("sccrq-apple"), at("2001:db8:0:1::9"), Mark(i << 8));
    EXPECT_EQ(bench.server.tunnels().size(), before + 1);
  }
}

/// Before Linux 6.13 the newest socket of a 4-tuple gets what is for any of them.
TEST(ClearText, OverIPv6StandsNoTunnelWhereThatOfAnIPsecPeerStands) {
  const Endpoint v6{*base::Address::parse("2001:db8::1"), 1701};
  Bench bench;
  const auto early = ask_for_tunnel(bench, v6, Mark());  // before the peer's
  const auto id = ask_for_tunnel(bench, v6, mark_a);
  send_SCCCN(bench, id, v6, mark_a);
  bench.effects.clear();
  send_SCCCN(bench, early, v6, Mark());
  EXPECT_EQ(bench.count<OpenTunnelSocket>(), 0u);
  bench.now += 60s;
  bench.server.timeout(bench.now);
  EXPECT_EQ(establish_in_clear(bench, v6), TunnelId());
  EXPECT_EQ(bench.dropped(DropReason::peer_has_ipsec), 2u);
  // Another port is another socket, and over IPv4 the peer has an alias.
  EXPECT_NE(establish_in_clear(bench, {v6.address, 1702}), TunnelId());
  send_SCCCN(bench, ask_for_tunnel(bench, clear_a, mark_a), clear_a, mark_a);
  EXPECT_NE(establish_in_clear(bench, clear_a), TunnelId());
  // What only lingers has no socket.
  auto stop_ccn = of_type(MessageType::StopCCN);
  stop_ccn.result = stop(StopResult::general, "");
  const auto last_words = encode(stop_ccn);
  bench.input(encode(Header{.tunnel = id, .session = {}, .ns = SeqNo(2), .nr = SeqNo(1), .body = last_words}),
              v6, mark_a);
  EXPECT_NE(establish_in_clear(bench, v6), TunnelId());
}

TEST(ClearText, OverIPv6GivesWayToAnIPsecPeerOfTheSameAddressAndPort) {
  const Endpoint v6{*base::Address::parse("2001:db8::1"), 1701};
  Bench bench;
  const auto clear = establish_in_clear(bench, v6);
  const auto neighbour = establish_in_clear(bench, {v6.address, 1702});
  const auto id = ask_for_tunnel(bench, v6, mark_a);
  EXPECT_TRUE(bench.server.tunnels().contains(clear)) << "an SCCRQ proves nothing";
  bench.effects.clear();
  send_SCCCN(bench, id, v6, mark_a);
  EXPECT_FALSE(bench.server.tunnels().contains(clear));
  EXPECT_TRUE(bench.server.tunnels().contains(neighbour));
  ASSERT_TRUE(std::holds_alternative<CloseTunnelSocket>(bench.effects.at(0))) << "before the other is opened";
  EXPECT_EQ(std::get<CloseTunnelSocket>(bench.effects[0]).tunnel.id, clear);
  EXPECT_EQ(bench.count<OpenTunnelSocket>(), 1u);
}

TEST(ClearText, ATunnelWithoutACallEndsAfterAMinuteAndAnIPsecPeersStands) {
  World world;
  auto& stranger = world.add(clear_a, Mark(), 4);
  auto& known = world.add(alias_a, mark_a, 4);
  for (auto* lac : {&stranger, &known}) {
    lac->calls = false;
    lac->dial(world.now);
  }
  world.run_for(59s);
  EXPECT_EQ(world.server.tunnels().size(), 2u);
  world.run_for(2s);
  ASSERT_EQ(world.all<TunnelDown>().size(), 1u);
  EXPECT_EQ(world.all<TunnelDown>()[0].why, "there is no call");
  EXPECT_EQ(stranger.seen[MessageType::StopCCN], 1);
  EXPECT_EQ(stranger.ending->code, static_cast<std::uint16_t>(StopResult::general));
  EXPECT_EQ(world.all<CloseTunnelSocket>().size(), 1u);
  world.run_for(600s);
  EXPECT_EQ(known.seen[MessageType::StopCCN], 0);
  EXPECT_EQ(world.server.tunnels().size(), 1u);
}

TEST(ClearText, ACallKeepsItsTunnelAndTheMinuteBeginsWhenItEnds) {
  World world;
  auto& lac = world.add(clear_a, Mark(), 4);
  lac.dial(world.now);
  world.run_for(600s);
  EXPECT_EQ(lac.seen[MessageType::StopCCN], 0);
  world.server.completed(
      SessionEnded{lac.peer_tunnel, lac.peer_session, hang_up(CallResult::administrative, "bye")}, world.now);
  world.run_for(50s);
  Message icrq = of_type(MessageType::ICRQ);
  icrq.assigned_session_id = SessionId(Lac::call_id);
  lac.send(icrq, world.now);
  world.run_for(50s);
  EXPECT_EQ(world.all<StartSession>().size(), 2u);
  Message cdn = of_type(MessageType::CDN);
  cdn.result = hang_up(CallResult::administrative, "bye");
  cdn.assigned_session_id = SessionId(Lac::call_id);
  lac.send(cdn, world.now, lac.peer_session);
  world.run_for(59s);
  EXPECT_EQ(lac.seen[MessageType::StopCCN], 0);
  world.run_for(2s);
  EXPECT_EQ(lac.seen[MessageType::StopCCN], 1);
}

TEST(Limits, APeerThatOpensTunnelsAllDayIsHeldToItsRateAndItsNeighbourIsNot) {
  Settings settings;
  settings.limits.tunnels_at_once = 3;
  Bench bench(std::move(settings));
  const auto open = [&](const Endpoint& at, Mark mark, std::uint16_t peer_id) {
    const auto before = bench.count<KernelTunnelUp>();
    auto sccrq = of_type(MessageType::SCCRQ);
    sccrq.assigned_tunnel_id = TunnelId(peer_id);
    auto body = encode(sccrq);
    bench.input(encode(Header{.tunnel = {}, .session = {}, .ns = {}, .nr = {}, .body = body}), at, mark);
    TunnelId id;
    for (const auto& [candidate, tunnel] : bench.server.tunnels()) {
      if (tunnel.name().mark == mark && tunnel.name().peer.value == peer_id) id = candidate;
    }
    body = encode(of_type(MessageType::SCCCN));
    bench.input(encode(Header{.tunnel = id, .session = {}, .ns = SeqNo(1), .nr = SeqNo(1), .body = body}), at,
                mark);
    return bench.count<KernelTunnelUp>() > before;
  };
  for (std::uint16_t i = 1; i <= 3; ++i) EXPECT_TRUE(open(alias_a, mark_a, i));
  EXPECT_FALSE(open(alias_a, mark_a, 4));
  EXPECT_EQ(bench.dropped(DropReason::too_often), 1u);
  EXPECT_TRUE(open(alias_b, mark_b, 1));
  EXPECT_TRUE(open(clear_b, Mark(), 1));
  bench.now += 1s;
  EXPECT_TRUE(open(alias_a, mark_a, 5));
  EXPECT_FALSE(open(alias_a, mark_a, 6));
}

TEST(Limits, OfTheTunnelsOfAPeer) {
  Settings settings;
  settings.limits.tunnels_per_mark = 2;
  Bench bench(std::move(settings));
  std::uint16_t our_id = 0x1000;
  for (std::uint16_t port = 1; port <= 3; ++port) {
    const Endpoint at{alias_a.address, port};
    bench.input(vector("sccrq-apple"), at, mark_a);
    const auto body = encode(of_type(MessageType::SCCCN));
    bench.input(
        encode(Header{
            .tunnel = TunnelId(++our_id), .session = {}, .ns = SeqNo(1), .nr = SeqNo(1), .body = body}),
        at, mark_a);
  }
  EXPECT_EQ(bench.count<OpenTunnelSocket>(), 2u);
  EXPECT_EQ(bench.dropped(DropReason::too_many_tunnels), 1u);
  // Without SCCCN the oldest makes room: it may be nobody's.
  for (std::uint16_t peer_id = 1; peer_id <= 6; ++peer_id) {
    bench.now += 1ms;
    auto sccrq = of_type(MessageType::SCCRQ);
    sccrq.assigned_tunnel_id = TunnelId(peer_id);
    const auto body = encode(sccrq);
    bench.input(encode(Header{.tunnel = {}, .session = {}, .ns = {}, .nr = {}, .body = body}), alias_b,
                mark_b);
  }
  EXPECT_EQ(bench.dropped(DropReason::crowded_out), 2u);
  EXPECT_EQ(bench.server.tunnels().size(), 6u);
}

/// The answers to one more SCCRQ.
std::vector<Message> answers(Bench& bench, const Endpoint& at, Mark mark) {
  bench.effects.clear();
  bench.input(vector("sccrq-apple"), at, mark);
  EXPECT_LE(bench.count<TunnelDown>(), 1u);
  EXPECT_EQ(bench.count<TunnelDown>(), bench.effects.size() / 2) << "for the log";
  return bench.sent();
}

TEST(Limits, AnIPsecPeerHearsWhyItGetsNoTunnelAndClearTextIsMetWithSilence) {
  Settings settings;
  settings.limits.tunnels_per_mark = settings.limits.tunnels_per_address = 1;
  Bench bench(std::move(settings));
  send_SCCCN(bench, ask_for_tunnel(bench, alias_a, mark_a), alias_a, mark_a);
  establish_in_clear(bench, clear_b);
  for (int i = 1; i <= 3; ++i) {  // it may repeat itself, and nothing is kept
    const auto heard = answers(bench, {alias_a.address, 1702}, mark_a);
    ASSERT_EQ(heard.size(), 1u);
    EXPECT_EQ(heard[0].type, MessageType::StopCCN);
    EXPECT_EQ(*heard[0].result, stop(StopResult::general_error, "too many tunnels of one peer",
                                     GeneralError::insufficient_resources));
    EXPECT_NE(heard[0].assigned_tunnel_id.value_or(TunnelId()), TunnelId());
    const auto header = decode_header(bench.kept.at(0));
    EXPECT_EQ(header->ns, SeqNo(0));
    EXPECT_EQ(header->nr, SeqNo(1));
    EXPECT_NE(header->tunnel, TunnelId()) << "its own";
    EXPECT_EQ(bench.server.tunnels().size(), 2u);
    EXPECT_EQ(bench.dropped(DropReason::too_many_tunnels), static_cast<unsigned>(i));
  }
  EXPECT_TRUE(answers(bench, {clear_b.address, 1702}, Mark()).empty());
  EXPECT_EQ(bench.dropped(DropReason::too_many_tunnels), 4u);
  bench.server.close_all(bench.now);
  while (bench.server.next_effect()) {
  }
  const auto heard = answers(bench, alias_b, mark_b);
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(*heard[0].result, stop(StopResult::shutting_down, "the server is shutting down"));
  EXPECT_TRUE(answers(bench, clear_a, Mark()).empty());
}

TEST(Limits, OfTheCallsOfATunnel) {
  Settings settings;
  settings.limits.sessions_per_tunnel = 1;
  Bench calls(std::move(settings));
  const auto id = calls.establish();
  auto icrq = of_type(MessageType::ICRQ);
  for (std::uint16_t call = 1; call <= 2; ++call) {
    icrq.assigned_session_id = SessionId(call);
    calls.input(icrq, id, static_cast<std::uint16_t>(1 + call), call);
  }
  const auto sent = calls.sent();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].type, MessageType::ICRP);
  EXPECT_EQ(sent[1].type, MessageType::CDN);
  EXPECT_EQ(sent[1].result->code, 4);
}

TEST(Limits, APeerThatAcknowledgesNothingCannotFillOurMemoryWithAnswers) {
  Bench bench;
  const auto id = bench.establish();
  auto icrq = of_type(MessageType::ICRQ);
  std::size_t refused = 0;
  std::uint16_t ns = 2;
  for (; ns < 1000 && !bench.server.tunnels().empty(); ++ns) {
    icrq.assigned_session_id = SessionId(ns);
    bench.input(icrq, id, ns, 1);
    refused += bench.count<CallRefused>();
    bench.effects.clear();
  }
  EXPECT_TRUE(bench.server.tunnels().empty());
  EXPECT_GE(refused, 32u) << "a busy peer is not one that floods";
  EXPECT_LE(refused, 64u);
}

}  // namespace
}  // namespace l2tp
