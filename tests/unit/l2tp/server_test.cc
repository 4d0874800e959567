// Single datagrams and what the server makes of them.

#include "l2tp/server.h"

#include <gtest/gtest.h>

#include "bench.h"
#include "l2tp/avp.h"

namespace l2tp {
namespace {

using namespace std::chrono_literals;
using testing::alias_a;
using testing::alias_b;
using testing::Bench;
using testing::mark_a;
using testing::mark_b;
using testing::of_type;
using testing::vector;
using testing::World;

TEST(Server, AnswersEachKnownClientsSCCRQ) {
  for (const char* name : {"sccrq-windows10", "sccrq-apple", "sccrq-android", "sccrq-xl2tpd"}) {
    Bench bench;
    bench.input(vector(name));
    ASSERT_EQ(bench.effects.size(), 1u) << name << ": nothing but an answer, and no socket for it";
    const auto sent = bench.sent();
    ASSERT_EQ(sent.size(), 1u) << name;
    EXPECT_EQ(sent[0].type, MessageType::SCCRP) << name;
    EXPECT_EQ(sent[0].assigned_tunnel_id, TunnelId(0x1001)) << name;
    EXPECT_EQ(sent[0].receive_window_size, 8) << name;
    EXPECT_EQ(sent[0].framing_capabilities, 3u) << name;
  }
}

TEST(Server, AppleIsSentNoAVPOfAnotherVendorAndNoReservedBit) {
  Bench bench;
  bench.input(vector("sccrq-apple"));
  const auto* send = std::get_if<Send>(&bench.effects[0]);
  ASSERT_NE(send, nullptr);
  const auto avps = decode_avps(decode_header(send->bytes)->body);
  ASSERT_TRUE(avps);
  for (const auto& avp : *avps) {
    EXPECT_EQ(avp.vendor, 0);
    EXPECT_EQ(avp.reserved, 0);
    EXPECT_FALSE(avp.hidden);
  }
}

TEST(Server, ARepeatedSCCRQGetsTheSameAnswerAndNoSecondTunnel) {
  Bench bench;
  bench.input(vector("sccrq-windows10"));
  const auto first = std::get<Send>(bench.effects[0]).bytes;
  bench.effects.clear();
  bench.input(vector("sccrq-windows10"));
  ASSERT_EQ(bench.effects.size(), 1u);
  EXPECT_EQ(std::get<Send>(bench.effects[0]).bytes, first);
  EXPECT_EQ(bench.server.tunnels().size(), 1u);
  EXPECT_EQ(bench.dropped(DropReason::duplicate), 1u);
}

TEST(Server, TwoPeersWithEqualPortsAndTunnelIdsHaveTunnelsOfTheirOwn) {
  Bench bench;
  bench.input(vector("sccrq-windows10"), alias_a, mark_a);
  bench.input(vector("sccrq-windows10"), alias_b, mark_b);
  EXPECT_EQ(bench.server.tunnels().size(), 2u);
  // Even one address: the mark alone tells them apart.
  bench.input(vector("sccrq-windows10"), alias_a, mark_b);
  EXPECT_EQ(bench.server.tunnels().size(), 3u);
}

TEST(Server, TheSocketIsOpenedAtSCCCNAndTheLatchStandsBeforeTheKernelTakesData) {
  Bench bench;
  bench.input(vector("sccrq-android"));
  const auto id = bench.server.tunnels().begin()->first;
  bench.effects.clear();
  bench.input(of_type(MessageType::SCCCN), id, 1, 1);
  ASSERT_EQ(bench.effects.size(), 4u);
  EXPECT_TRUE(std::holds_alternative<OpenTunnelSocket>(bench.effects[0]));
  EXPECT_TRUE(std::holds_alternative<AddLatch>(bench.effects[1]));
  EXPECT_TRUE(std::holds_alternative<KernelTunnelUp>(bench.effects[2]));
  EXPECT_EQ(std::get<Send>(bench.effects[3]).via, Via::tunnel_socket);
}

TEST(Server, ADatagramForAnotherPeersTunnelIsDroppedAndCounted) {
  Bench bench;
  const auto id = bench.establish();
  const auto stop_ccn = encode(of_type(MessageType::StopCCN));
  const auto datagram =
      encode(Header{.tunnel = id, .session = {}, .ns = SeqNo(2), .nr = SeqNo(1), .body = stop_ccn});
  bench.input(datagram, alias_a, mark_b);
  EXPECT_EQ(bench.dropped(DropReason::wrong_mark), 1u);
  bench.input(datagram, alias_b, mark_a);
  EXPECT_EQ(bench.dropped(DropReason::wrong_endpoint), 1u);
  bench.input(datagram, alias_a, Mark(0));
  EXPECT_EQ(bench.dropped(DropReason::wrong_mark), 2u);
  EXPECT_TRUE(bench.effects.empty());
  EXPECT_EQ(bench.server.tunnels().at(id).state(), TunnelState::established);
}

TEST(Server, ANewTunnelOfTheSamePeerReplacesTheOldOneAtItsSCCCNAndNotBefore) {
  Bench bench;
  const auto id = bench.establish();
  auto icrq = of_type(MessageType::ICRQ);
  icrq.assigned_session_id = SessionId(1);
  bench.input(icrq, id, 2, 1);
  bench.effects.clear();
  bench.input(vector("sccrq-apple"));  // the same address and port, another tunnel id
  ASSERT_EQ(bench.server.tunnels().size(), 2u);
  const auto newer = TunnelId(static_cast<std::uint16_t>(id.value + 2));  // the session has drawn one, too
  ASSERT_TRUE(bench.server.tunnels().contains(newer));
  EXPECT_EQ(bench.count<StopSession>(), 0u);
  bench.effects.clear();
  bench.input(of_type(MessageType::SCCCN), newer, 1, 1);
  EXPECT_EQ(bench.count<StopSession>(), 1u);
  EXPECT_EQ(bench.count<RemoveLatch>(), 1u);
  EXPECT_FALSE(bench.server.tunnels().contains(id));
  // The old socket is closed before the new one is opened: two of one 4-tuple would mix their datagrams.
  const auto open = std::ranges::find_if(
      bench.effects, [](const Effect& e) { return std::holds_alternative<OpenTunnelSocket>(e); });
  const auto close = std::ranges::find_if(
      bench.effects, [](const Effect& e) { return std::holds_alternative<CloseTunnelSocket>(e); });
  EXPECT_LT(close, open);
  EXPECT_NE(open, bench.effects.end());
}

TEST(Server, TheSameSCCRQBeginsAnewUnlessItIsALateCopy) {
  Bench bench;
  const auto id = bench.establish();
  bench.now += 4s;
  bench.input(vector("sccrq-windows10"));
  EXPECT_EQ(bench.server.tunnels().size(), 1u);
  EXPECT_EQ(bench.dropped(DropReason::duplicate), 1u);
  bench.now += 2s;
  bench.input(vector("sccrq-windows10"));
  ASSERT_EQ(bench.server.tunnels().size(), 2u);
  bench.input(of_type(MessageType::SCCCN), TunnelId(static_cast<std::uint16_t>(id.value + 1)), 1, 1);
  EXPECT_FALSE(bench.server.tunnels().contains(id));
  EXPECT_EQ(bench.server.tunnels().size(), 1u);
}

TEST(Server, AnUnknownMandatoryAVPInAnSCCRQIsAnsweredWithStopCCN) {
  Bench bench;
  const auto whole = vector("sccrq-apple");
  auto body = base::to_bytes(decode_header(whole)->body);
  base::append(body, base::from_hex("8008 0137 0063 0000"));
  bench.input(encode(Header{.tunnel = {}, .session = {}, .ns = {}, .nr = {}, .body = body}));
  EXPECT_EQ(bench.count<TunnelDown>(), 1u);
  const auto sent = bench.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, MessageType::StopCCN);
  EXPECT_EQ(sent[0].result->code, 2);
  EXPECT_EQ(sent[0].result->error, 8);
  EXPECT_EQ(sent[0].result->message, "AVP 99 of vendor 311 is mandatory and not understood");
}

TEST(Server, RefusesOtherVersionsZeroWindowsAndChallengesInWords) {
  const auto answer_to = [](const std::function<void(Message&)>& edit) {
    Bench bench;
    auto m = of_type(MessageType::SCCRQ);
    m.protocol_version = 0x0100;
    m.assigned_tunnel_id = TunnelId(5);
    edit(m);
    bench.input(m, TunnelId(), 0, 0);
    const auto sent = bench.sent();
    EXPECT_EQ(sent.size(), 1u);
    return sent.size() == 1 ? std::pair(sent[0].type, sent[0].result.value_or(Ending{}))
                            : std::pair(MessageType::none, Ending{});
  };
  const auto ending_of = [&](const std::function<void(Message&)>& edit) {
    const auto [type, ending] = answer_to(edit);
    EXPECT_EQ(type, MessageType::StopCCN);
    return ending;
  };
  EXPECT_EQ(ending_of([](Message& m) { m.protocol_version = 0x0200; }).code, 5);
  EXPECT_EQ(ending_of([](Message& m) { m.protocol_version = 0x0200; }).error, 0x0100);
  EXPECT_EQ(ending_of([](Message& m) { m.receive_window_size = 0; }).error, 3);
  const auto bytes = base::from_hex("00112233");
  EXPECT_EQ(ending_of([&](Message& m) { m.challenge = bytes; }).code, 4);
  const auto accepted = std::pair(MessageType::SCCRP, Ending{});
  EXPECT_EQ(answer_to([](Message& m) { m.tie_breaker = 1; }), accepted) << "which is of no consequence";
  EXPECT_EQ(answer_to([](Message& m) { m.protocol_version = 0x0101; }), accepted);
}

TEST(Server, AnUnknownMandatoryAVPInACallEndsTheCallOnly) {
  Bench bench;
  const auto id = bench.establish();
  const auto icrq = base::from_hex("8008 0000 0000 000a  8008 0000 000e 0021  8006 0000 00c8");
  bench.input(encode(Header{.tunnel = id, .session = {}, .ns = SeqNo(2), .nr = SeqNo(1), .body = icrq}));
  const auto sent = bench.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, MessageType::CDN);
  EXPECT_EQ(sent[0].result->error, 8);
  EXPECT_EQ(bench.server.tunnels().at(id).state(), TunnelState::established);
}

TEST(Server, AnUnknownMessageTypeStopsTheTunnelOnlyIfItIsMandatory) {
  Bench bench;
  const auto id = bench.establish();
  const auto optional = base::from_hex("0008 0000 0000 0063");
  bench.input(encode(Header{.tunnel = id, .session = {}, .ns = SeqNo(2), .nr = SeqNo(1), .body = optional}));
  auto sent = bench.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, MessageType::none);  // a ZLB
  const auto mandatory = base::from_hex("8008 0000 0000 0063");
  bench.input(encode(Header{.tunnel = id, .session = {}, .ns = SeqNo(3), .nr = SeqNo(1), .body = mandatory}));
  sent = bench.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, MessageType::StopCCN);
  EXPECT_EQ(sent[0].result->message, "message 99 is not understood");
}

TEST(Server, RefusesOutgoingCallsInWordsAndAcceptsWENAndSLI) {
  Bench bench;
  const auto id = bench.establish();
  auto ocrq = of_type(MessageType::OCRQ);
  ocrq.assigned_session_id = SessionId(9);
  bench.input(ocrq, id, 2, 1);
  EXPECT_EQ(bench.count<CallRefused>(), 1u);
  auto sent = bench.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].type, MessageType::CDN);
  EXPECT_EQ(sent[0].result->message, "this server places no calls");
  auto icrq = of_type(MessageType::ICRQ);
  icrq.assigned_session_id = SessionId(1);
  bench.input(icrq, id, 3, 2);
  sent = bench.sent();
  ASSERT_EQ(sent.size(), 1u);
  const auto call = *sent[0].assigned_session_id;
  bench.input(of_type(MessageType::WEN), id, 4, 3, call);
  bench.input(of_type(MessageType::SLI), id, 5, 3, call);
  sent = bench.sent();
  ASSERT_EQ(sent.size(), 2u);
  for (const auto& m : sent) EXPECT_EQ(m.type, MessageType::none);
  EXPECT_EQ(bench.server.tunnels().at(id).sessions().size(), 1u);
}

TEST(Server, APeerThatAnnouncesNoWindowIsTakenToHaveOneOfFour) {
  const auto in_flight = [](std::optional<std::uint16_t> window) {
    Bench bench;
    auto sccrq = of_type(MessageType::SCCRQ);
    sccrq.assigned_tunnel_id = TunnelId(5);
    sccrq.receive_window_size = window;
    bench.input(sccrq, TunnelId(), 0, 0);
    const auto id = bench.server.tunnels().begin()->first;
    bench.input(of_type(MessageType::SCCCN), id, 1, 1);
    // Outgoing calls, each refused in a CDN; the first are acknowledged, until slow start is over.
    auto ocrq = of_type(MessageType::OCRQ);
    std::uint16_t ns = 2, nr = 1;
    for (; ns < 20; ++ns) {
      ocrq.assigned_session_id = SessionId(ns);
      bench.input(ocrq, id, ns, nr++);
    }
    bench.effects.clear();
    for (; ns < 40; ++ns) {
      ocrq.assigned_session_id = SessionId(ns);
      bench.input(ocrq, id, ns, nr);
    }
    return std::ranges::count(bench.sent(), MessageType::CDN, &Message::type);
  };
  EXPECT_EQ(in_flight(std::nullopt), 4);
  EXPECT_EQ(in_flight(8), 8);
}

TEST(Server, AMessageOfACallThatIsNotThereIsAcknowledgedAndDoesNothing) {
  Bench bench;
  const auto id = bench.establish();
  std::uint16_t ns = 2;
  for (const auto type : {MessageType::ICRP, MessageType::ICCN, MessageType::OCRP, MessageType::OCCN,
                          MessageType::CDN, MessageType::WEN, MessageType::SLI}) {
    bench.input(of_type(type), id, ns++, 1, SessionId(99));
    EXPECT_EQ(bench.effects.size(), 1u) << to_string(type);
    const auto sent = bench.sent();
    ASSERT_EQ(sent.size(), 1u) << to_string(type);
    EXPECT_EQ(sent[0].type, MessageType::none) << to_string(type);
    EXPECT_EQ(bench.dropped(DropReason::no_such_session), ns - 2u) << to_string(type);
  }
  EXPECT_EQ(bench.server.tunnels().at(id).state(), TunnelState::established);
}

TEST(Server, ACallWithoutICCNIsHungUpAfterAMinute) {
  Bench bench;
  const auto id = bench.establish();
  auto icrq = of_type(MessageType::ICRQ);
  icrq.assigned_session_id = SessionId(1);
  bench.input(icrq, id, 2, 1);
  bench.input(encode(Header{.tunnel = id, .session = {}, .ns = SeqNo(3), .nr = SeqNo(2), .body = {}}));
  bench.sent();
  for (int i = 0; i < 3 && !bench.server.tunnels().at(id).sessions().empty(); ++i) {
    bench.now = *bench.server.next_timeout();
    bench.server.timeout(bench.now);
  }
  while (auto effect = bench.server.next_effect()) bench.effects.push_back(std::move(*effect));
  EXPECT_EQ(bench.now - base::Time{}, 60s);
  EXPECT_EQ(bench.count<StopSession>(), 1u);
  bool cdn = false;
  for (const auto& m : bench.sent()) cdn |= m.type == MessageType::CDN && m.result->message == "no ICCN came";
  EXPECT_TRUE(cdn);
}

TEST(Server, RepeatedStopCCNIsAcknowledgedFromTheMainSocketAfterTheTunnelsOwnIsClosed) {
  Bench bench;
  const auto id = bench.establish();
  auto stop_ccn = of_type(MessageType::StopCCN);
  stop_ccn.result = stop(StopResult::general, "");
  bench.input(stop_ccn, id, 2, 1);
  EXPECT_EQ(bench.count<CloseTunnelSocket>(), 1u);
  EXPECT_EQ(std::get<Send>(bench.effects[0]).via, Via::tunnel_socket);
  bench.effects.clear();
  bench.input(stop_ccn, id, 2, 1);
  ASSERT_EQ(bench.effects.size(), 1u);
  EXPECT_EQ(std::get<Send>(bench.effects[0]).via, Via::main_socket);
}

TEST(Server, APeerWithoutIPsecIsGoneAtOnceAndItsNeighbourIsNot) {
  World world;
  auto& a = world.add(alias_a, mark_a, 4);
  auto& b = world.add(alias_b, mark_b, 4);
  a.dial(world.now);
  b.dial(world.now);
  world.run_for(1s);
  const auto sent = world.sent;
  world.server.peer_gone(mark_a);
  world.carry_out();
  EXPECT_EQ(world.sent, sent);  // nobody is there to hear it
  EXPECT_EQ(world.all<StopSession>().size(), 1u);
  EXPECT_EQ(world.all<CloseTunnelSocket>().size(), 1u);
  EXPECT_EQ(world.all<RemoveLatch>().size(), 1u);
  ASSERT_EQ(world.server.tunnels().size(), 1u);
  EXPECT_EQ(world.server.tunnels().begin()->second.name().mark, mark_b);
}

TEST(Server, PeersFromBeforeAreGoneAndWhoCameSinceOrHasNoMarkIsNot) {
  World world;
  auto& a = world.add(alias_a, mark_a, 4);
  auto& clear = world.add({base::Address::v4(0xc0000201), 1701}, {}, 4);
  a.dial(world.now);
  clear.dial(world.now);
  world.run_for(1s);
  const auto when = world.now;
  auto& b = world.add(alias_b, mark_b, 4);
  b.dial(world.now);
  world.run_for(1s);
  ASSERT_EQ(world.server.tunnels().size(), 3u);
  world.server.peers_gone(when);
  world.carry_out();
  std::set<Mark> left;
  for (const auto& [id, tunnel] : world.server.tunnels()) left.insert(tunnel.name().mark);
  EXPECT_EQ(left, (std::set<Mark>{{}, mark_b}));
}

TEST(Server, APeerThatGoesCostsTheSameHoweverManyOthersThereAre) {
  const auto cost_beside = [](std::uint32_t others) {
    Bench bench;
    for (std::uint32_t i = 1; i <= others; ++i)
      bench.input(vector("sccrq-apple"), {base::Address::v4(0xf0000100 + i), 1701}, Mark(0x10000 + (i << 8)));
    bench.establish();
    const auto before = bench.server.looked_at();
    bench.server.peer_gone(mark_a);
    EXPECT_EQ(bench.server.tunnels().size(), others);
    return bench.server.looked_at() - before;
  };
  EXPECT_EQ(cost_beside(0), 1u);
  EXPECT_EQ(cost_beside(500), 1u);
}

TEST(Server, TheIdOfATunnelThatStoodIsNotGivenToTheNext) {
  Bench bench;
  const auto id = bench.establish();
  bench.server.peer_gone(mark_a);
  bench.drawn = 0;
  EXPECT_NE(bench.establish(), id);
}

TEST(Server, NorIsTheIdOfACall) {
  Bench bench;
  const auto id = bench.establish();
  const auto call = [&](std::uint16_t ns, std::uint16_t nr) {
    auto icrq = of_type(MessageType::ICRQ);
    icrq.assigned_session_id = SessionId(1);
    bench.drawn = 100;
    bench.input(icrq, id, ns, nr);
    return bench.sent().at(0).assigned_session_id.value_or(SessionId());
  };
  const auto first = call(2, 1);
  auto cdn = of_type(MessageType::CDN);
  cdn.assigned_session_id = SessionId(1);
  bench.input(cdn, id, 3, 2, first);
  bench.effects.clear();
  ASSERT_TRUE(bench.server.tunnels().at(id).sessions().empty());
  const auto second = call(4, 2);
  EXPECT_NE(first, SessionId());
  EXPECT_NE(second, SessionId());
  EXPECT_NE(first, second);
}

TEST(Server, ASocketThatCannotBeHadEndsTheTunnelInWords) {
  Bench bench;
  const auto id = bench.establish();
  bench.server.completed(TunnelFailed{id, "no buffer space"}, bench.now);
  while (auto effect = bench.server.next_effect()) bench.effects.push_back(std::move(*effect));
  EXPECT_EQ(bench.count<TunnelDown>(), 1u);
  EXPECT_EQ(bench.server.tunnels().at(id).state(), TunnelState::closing);
}

/// A tunnel with a call whose PPP runs, and what is done there from then on.
struct WithPPP {
  WithPPP() {
    auto icrq = of_type(MessageType::ICRQ);
    icrq.assigned_session_id = SessionId(1);
    bench.input(icrq, id, 2, 1);
    const auto call = *bench.sent().at(0).assigned_session_id;
    bench.input(of_type(MessageType::ICCN), id, 3, 2, call);
    EXPECT_EQ(bench.count<StartSession>(), 1u);
    bench.effects.clear();
  }
  void drain() {
    while (auto effect = bench.server.next_effect()) bench.effects.push_back(std::move(*effect));
  }
  template <class E>
  bool is(std::size_t at) const {
    return at < bench.effects.size() && std::holds_alternative<E>(bench.effects[at]);
  }

  Bench bench;
  TunnelId id = bench.establish();
};

TEST(Server, ShuttingDownEndsPPPThenTellsThePeerAndClosesTheSocketOnceItHasHeard) {
  WithPPP scene;
  auto& bench = scene.bench;
  bench.server.close_all(bench.now);
  scene.drain();
  ASSERT_EQ(bench.effects.size(), 3u);
  EXPECT_TRUE(scene.is<StopSession>(0));
  ASSERT_TRUE(scene.is<Send>(1));
  EXPECT_EQ(std::get<Send>(bench.effects[1]).via, Via::tunnel_socket);
  EXPECT_TRUE(scene.is<TunnelDown>(2));
  const auto sent = bench.sent();
  EXPECT_EQ(sent[0].type, MessageType::StopCCN);
  EXPECT_EQ(sent[0].result->code, static_cast<std::uint16_t>(StopResult::shutting_down));
  EXPECT_FALSE(bench.server.quiet());
  bench.input(encode(Header{.tunnel = scene.id, .session = {}, .ns = SeqNo(4), .nr = SeqNo(3), .body = {}}));
  ASSERT_EQ(bench.effects.size(), 2u);
  EXPECT_TRUE(scene.is<CloseTunnelSocket>(0));
  EXPECT_TRUE(scene.is<RemoveLatch>(1));
  EXPECT_TRUE(bench.server.quiet());
}

TEST(Server, WhereNobodyWaitsForThePeerPPPEndsBeforeTheSocketIsClosed) {
  WithPPP scene;
  auto& bench = scene.bench;
  bench.server.abandon_all();
  scene.drain();
  ASSERT_EQ(bench.effects.size(), 4u);
  EXPECT_TRUE(scene.is<StopSession>(0));
  EXPECT_TRUE(scene.is<CloseTunnelSocket>(1));
  EXPECT_TRUE(scene.is<RemoveLatch>(2));
  EXPECT_TRUE(scene.is<TunnelDown>(3));
  EXPECT_TRUE(bench.server.tunnels().empty());
}

TEST(Server, OurStopCCNIsAcknowledgedEvenByAMessageFromBeyondTheWindow) {
  Bench bench;
  const auto id = bench.establish();
  bench.server.close(id, stop(StopResult::general, "closed"), bench.now);
  bench.input(of_type(MessageType::HELLO), id, 60, 2);
  EXPECT_EQ(bench.dropped(DropReason::outside_window), 1u);
  EXPECT_TRUE(bench.server.tunnels().empty());
}

TEST(Server, APeerThatGivesUpBeforeItKnowsOurTunnelIdIsUnderstood) {
  Bench bench;
  bench.input(vector("sccrq-windows10"));
  auto stop_ccn = of_type(MessageType::StopCCN);
  stop_ccn.assigned_tunnel_id = TunnelId(5);
  bench.input(stop_ccn, TunnelId(), 1, 0);
  EXPECT_EQ(bench.dropped(DropReason::no_such_tunnel), 1u);
  stop_ccn.assigned_tunnel_id = TunnelId(4);
  bench.input(stop_ccn, TunnelId(), 1, 0);
  EXPECT_TRUE(bench.server.tunnels().empty());
}

/// A tunnel brought into a state; the next numbers are those of the message to come.
struct InState {
  Bench bench;
  TunnelId id;
  std::uint16_t ns = 1, nr = 1;
};
std::unique_ptr<InState> in_state(TunnelState state) {
  auto out = std::make_unique<InState>();
  out->bench.input(vector("sccrq-windows10"));
  out->id = out->bench.server.tunnels().begin()->first;
  if (state != TunnelState::wait_ctl_conn)
    out->bench.input(of_type(MessageType::SCCCN), out->id, out->ns++, 1);
  if (state == TunnelState::closing)
    out->bench.server.close(out->id, stop(StopResult::general, "closed"), {});
  while (out->bench.server.next_effect()) {
  }
  out->bench.effects.clear();
  return out;
}

/// RFC 2661 §7.2.1, told apart from the tables that the server goes by.
struct Due {
  TunnelStep step;
  TunnelState next;
};
Due due(TunnelState state, MessageType type) {
  using M = MessageType;
  using S = TunnelState;
  if (state == S::closing) return {TunnelStep::acknowledge, S::closing};
  if (type == M::StopCCN) return {TunnelStep::clean_up, S::closing};
  if (type == M::HELLO) return {TunnelStep::acknowledge, state};
  if (state == S::wait_ctl_conn && type == M::SCCCN) return {TunnelStep::accept_SCCCN, S::established};
  const bool opens = type == M::SCCRQ || type == M::SCCRP || type == M::SCCCN;
  if (state == S::wait_ctl_conn || opens) return {TunnelStep::stop, S::closing};
  return {TunnelStep::to_session, S::established};
}

/// The same of §7.4.2.
struct CallDue {
  CallStep step;
  CallState next;
};
CallDue due(CallState state, MessageType type) {
  using M = MessageType;
  using S = CallState;
  if (type == M::WEN || type == M::SLI) return {CallStep::acknowledge, state};
  if (type == M::CDN) return {CallStep::clean_up, S::idle};
  if (type == M::ICCN && state == S::wait_connect) return {CallStep::accept_ICCN, S::established};
  return {CallStep::hang_up, S::idle};
}

TEST(Server, EveryMessageInEveryStateIsAnsweredAsTheRFCSays) {
  for (const auto state : {TunnelState::wait_ctl_conn, TunnelState::established, TunnelState::closing}) {
    for (const auto type : all_message_types) {
      const auto scene = in_state(state);
      auto& bench = scene->bench;
      const auto row = due(state, type);
      const auto where = to_string(type) + " in state " + std::to_string(static_cast<int>(state));
      bench.input(of_type(type), scene->id, scene->ns, scene->nr);
      const auto& tunnel = bench.server.tunnels().at(scene->id);
      EXPECT_EQ(tunnel.state(), row.next) << where;
      EXPECT_EQ(bench.count<OpenTunnelSocket>(), row.step == TunnelStep::accept_SCCCN) << where;
      EXPECT_EQ(bench.count<StartSession>(), 0u) << where;
      EXPECT_EQ(tunnel.lingering(), row.step == TunnelStep::clean_up) << where;
      // Whatever it was, it is acknowledged, by an answer or by a ZLB.
      const auto sent = bench.sent();
      ASSERT_EQ(sent.size(), 1u) << where;
      EXPECT_EQ(decode_header(bench.kept[0])->nr, SeqNo(static_cast<std::uint16_t>(scene->ns + 1))) << where;
      if (row.step == TunnelStep::stop) {
        EXPECT_EQ(sent[0].type, MessageType::StopCCN) << where;
        EXPECT_EQ(sent[0].result->code, static_cast<std::uint16_t>(StopResult::fsm_error)) << where;
        EXPECT_EQ(sent[0].result->message, to_string(type) + " out of place") << where;
      } else {
        EXPECT_EQ(sent[0].type, MessageType::none) << where;
      }
    }
  }
}

TEST(Server, EveryMessageOfACallInEveryStateIsAnsweredAsTheRFCSays) {
  using M = MessageType;
  for (const auto state : {CallState::wait_connect, CallState::established}) {
    for (const auto type : {M::OCRQ, M::OCRP, M::OCCN, M::ICRQ, M::ICRP, M::ICCN, M::CDN, M::WEN, M::SLI}) {
      const auto scene = in_state(TunnelState::established);
      auto& bench = scene->bench;
      auto icrq = of_type(MessageType::ICRQ);
      icrq.assigned_session_id = SessionId(1);
      bench.input(icrq, scene->id, scene->ns++, 1);
      const auto call = *bench.sent().at(0).assigned_session_id;
      if (state == CallState::established)
        bench.input(of_type(MessageType::ICCN), scene->id, scene->ns++, 2, call);
      bench.effects.clear();
      const auto row = due(state, type);
      const auto where = to_string(type) + " in state " + std::to_string(static_cast<int>(state));
      bench.input(of_type(type), scene->id, scene->ns, 2, call);
      EXPECT_EQ(bench.count<StartSession>(), row.step == CallStep::accept_ICCN) << where;
      EXPECT_EQ(bench.count<StopSession>(), row.step == CallStep::hang_up || row.step == CallStep::clean_up)
          << where;
      const auto& tunnel = bench.server.tunnels().at(scene->id);
      EXPECT_EQ(tunnel.state(), TunnelState::established) << where << ": a call's trouble is no tunnel's";
      EXPECT_EQ(tunnel.sessions().size(), row.next == CallState::idle ? 0u : 1u) << where;
      const auto sent = bench.sent();
      ASSERT_EQ(sent.size(), 1u) << where;
      EXPECT_EQ(sent[0].type, row.step == CallStep::hang_up ? MessageType::CDN : MessageType::none) << where;
      if (row.step == CallStep::hang_up) {
        EXPECT_EQ(sent[0].result->message, to_string(type) + " out of place") << where;
      }
    }
  }
}

TEST(Server, CountsWhatItDrops) {
  Bench bench;
  bench.input(base::from_hex("0002 0001 0001 ff03"));
  EXPECT_EQ(bench.dropped(DropReason::data_message), 1u);
  bench.input(of_type(MessageType::HELLO), TunnelId(), 0, 0);
  EXPECT_EQ(bench.dropped(DropReason::not_sccrq), 1u);
  bench.input(of_type(MessageType::SCCRQ), TunnelId(), 0, 0);
  EXPECT_EQ(bench.dropped(DropReason::malformed_sccrq), 1u);
  bench.input(of_type(MessageType::HELLO), TunnelId(77), 0, 0);
  EXPECT_EQ(bench.dropped(DropReason::no_such_tunnel), 1u);
  const auto id = bench.establish();
  bench.input(of_type(MessageType::HELLO), id, 200, 1);
  EXPECT_EQ(bench.dropped(DropReason::outside_window), 1u);
  bench.input(of_type(MessageType::HELLO), id, 2, 9);
  EXPECT_EQ(bench.dropped(DropReason::bad_ack), 1u);
  EXPECT_TRUE(bench.sent().empty());
}

}  // namespace
}  // namespace l2tp
