// Single datagrams and what the server makes of them.

#include "l2tp/server.h"

#include <gtest/gtest.h>

#include "l2tp/avp.h"
#include "lac.h"
#include "vectors.h"

namespace l2tp {
namespace {

using namespace std::chrono_literals;
using testing::vector;
using testing::World;

const Endpoint alias_a{base::Address::v4(0xf0000001), 1701};
const Endpoint alias_b{base::Address::v4(0xf0000002), 1701};
const Mark mark_a(0x100);
const Mark mark_b(0x200);

/// The server alone; what it sends is kept.
struct Bench {
  explicit Bench(Settings settings = {})
      : server(std::move(settings), [this] { return static_cast<std::uint16_t>(0x1000 + ++drawn); }) {}

  void input(ByteView bytes, const Endpoint& from = alias_a, Mark mark = mark_a) {
    server.input({.from = from, .to = testing::gateway, .mark = mark, .bytes = bytes}, now);
    while (auto effect = server.next_effect()) effects.push_back(std::move(*effect));
  }
  void input(const Message& m, TunnelId to, std::uint16_t ns, std::uint16_t nr, SessionId session = {}) {
    const auto body = encode(m);
    input(encode(Header{.tunnel = to, .session = session, .ns = SeqNo(ns), .nr = SeqNo(nr), .body = body}));
  }
  /// What has been sent since the last call.
  std::vector<Message> sent() {
    std::vector<Message> out;
    kept.clear();
    for (const auto& effect : effects) {
      if (const auto* send = std::get_if<Send>(&effect)) kept.push_back(send->bytes);
    }
    for (const auto& bytes : kept) {
      const auto header = decode_header(bytes);
      out.push_back(header->body.empty() ? Message{} : decode(header->body));
    }
    effects.clear();
    return out;
  }
  template <class E>
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(effects, [](const Effect& e) { return std::holds_alternative<E>(e); }));
  }
  std::uint64_t dropped(DropReason reason) const { return server.counters().dropped(reason); }
  /// A tunnel that stands: returns our id.
  TunnelId establish() {
    input(vector("sccrq-windows10"));
    const auto id = server.tunnels().begin()->first;
    Message scccn;
    scccn.type = MessageType::SCCCN;
    input(scccn, id, 1, 1);
    effects.clear();
    return id;
  }

  std::uint16_t drawn = 0;
  base::Time now{};
  std::vector<Effect> effects;
  std::vector<Bytes> kept;
  Server server;
};

Message of_type(MessageType type) {
  Message m;
  m.type = type;
  return m;
}

TEST(Server, AnswersEachKnownClientsSCCRQ) {
  for (const char* name : {"sccrq-windows10", "sccrq-apple", "sccrq-android", "sccrq-xl2tpd"}) {
    Bench bench;
    bench.input(vector(name));
    ASSERT_EQ(bench.effects.size(), 3u) << name;
    // The latch stands before the peer learns the tunnel id it is for.
    EXPECT_TRUE(std::holds_alternative<OpenTunnelSocket>(bench.effects[0])) << name;
    EXPECT_TRUE(std::holds_alternative<AddLatch>(bench.effects[1])) << name;
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
  const auto* send = std::get_if<Send>(&bench.effects[2]);
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
  const auto first = std::get<Send>(bench.effects[2]).bytes;
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
  EXPECT_EQ(bench.count<OpenTunnelSocket>(), 3u);
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

TEST(Server, ANewSCCRQOfTheSamePeerReplacesItsTunnel) {
  Bench bench;
  const auto id = bench.establish();
  auto icrq = of_type(MessageType::ICRQ);
  icrq.assigned_session_id = SessionId(1);
  bench.input(icrq, id, 2, 1);
  bench.effects.clear();
  bench.input(vector("sccrq-apple"));  // the same address and port, another tunnel id
  EXPECT_EQ(bench.count<StopSession>(), 1u);
  EXPECT_EQ(bench.count<CloseTunnelSocket>(), 1u);
  EXPECT_EQ(bench.count<RemoveLatch>(), 1u);
  EXPECT_EQ(bench.count<OpenTunnelSocket>(), 1u);
  ASSERT_EQ(bench.server.tunnels().size(), 1u);
  EXPECT_FALSE(bench.server.tunnels().contains(id));
  // The old socket is closed before the new one is opened: two of one 4-tuple would mix their datagrams.
  const auto first_open = std::ranges::find_if(
      bench.effects, [](const Effect& e) { return std::holds_alternative<OpenTunnelSocket>(e); });
  const auto close = std::ranges::find_if(
      bench.effects, [](const Effect& e) { return std::holds_alternative<CloseTunnelSocket>(e); });
  EXPECT_LT(close, first_open);
}

TEST(Server, TheSameSCCRQReplacesAnEstablishedTunnelUnlessItIsALateCopy) {
  Bench bench;
  const auto id = bench.establish();
  bench.now += 4s;
  bench.input(vector("sccrq-windows10"));
  EXPECT_TRUE(bench.server.tunnels().contains(id));
  EXPECT_EQ(bench.dropped(DropReason::duplicate), 1u);
  bench.now += 2s;
  bench.input(vector("sccrq-windows10"));
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
  const auto ending_of = [](const std::function<void(Message&)>& edit) {
    Bench bench;
    auto m = of_type(MessageType::SCCRQ);
    m.protocol_version = 0x0100;
    m.assigned_tunnel_id = TunnelId(5);
    edit(m);
    bench.input(m, TunnelId(), 0, 0);
    const auto sent = bench.sent();
    return sent.size() == 1 && sent[0].type == MessageType::StopCCN ? *sent[0].result : Ending{};
  };
  EXPECT_EQ(ending_of([](Message& m) { m.protocol_version = 0x0200; }).code, 5);
  EXPECT_EQ(ending_of([](Message& m) { m.protocol_version = 0x0200; }).error, 0x0100);
  EXPECT_EQ(ending_of([](Message& m) { m.receive_window_size = 0; }).error, 3);
  const auto bytes = base::from_hex("00112233");
  EXPECT_EQ(ending_of([&](Message& m) { m.challenge = bytes; }).code, 4);
  EXPECT_EQ(ending_of([](Message& m) { m.tie_breaker = 1; }), Ending{});  // accepted, and of no consequence
  EXPECT_EQ(ending_of([](Message& m) { m.protocol_version = 0x0101; }), Ending{});
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

TEST(Server, LimitsTunnelsPerPeerHalfOpenOnesAndCallsPerTunnel) {
  Settings settings;
  settings.limits = {
      .tunnels_per_mark = 2, .clear_text_tunnels = 10, .half_open = 3, .sessions_per_tunnel = 1};
  Bench bench(settings);
  const auto at_port = [](std::uint16_t port) { return Endpoint{alias_a.address, port}; };
  for (std::uint16_t port = 1; port <= 3; ++port) bench.input(vector("sccrq-apple"), at_port(port), mark_a);
  EXPECT_EQ(bench.server.tunnels().size(), 2u);
  EXPECT_EQ(bench.dropped(DropReason::too_many_tunnels), 1u);
  bench.input(vector("sccrq-apple"), at_port(1), mark_b);
  bench.input(vector("sccrq-apple"), at_port(2), mark_b);
  EXPECT_EQ(bench.dropped(DropReason::too_many_half_open), 1u);

  Bench calls(settings);
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

TEST(Server, APeerThatAcknowledgesNothingCannotFillOurMemoryWithAnswers) {
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

TEST(Server, ASocketThatCannotBeHadEndsTheTunnelInWords) {
  Bench bench;
  bench.input(vector("sccrq-apple"));
  bench.effects.clear();
  const auto id = bench.server.tunnels().begin()->first;
  bench.server.completed(TunnelFailed{id, "no buffer space"}, bench.now);
  while (auto effect = bench.server.next_effect()) bench.effects.push_back(std::move(*effect));
  EXPECT_EQ(bench.count<TunnelDown>(), 1u);
  EXPECT_EQ(bench.server.tunnels().at(id).state(), TunnelState::closing);
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
