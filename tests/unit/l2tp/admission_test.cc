// What the process that reads packets may ask for: everything that a core asks for, and of the rest as little
// as can be.

#include "l2tpd/admission.h"

#include <random>

#include <gtest/gtest.h>

#include "bench.h"
#include "broker_messages.h"
#include "l2tpd/packet_process.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;
using config::Cleartext;

base::Address address(const char* text) { return *base::Address::parse(text); }

/// A message that is the shortest one: a ZLB.
base::Bytes zlb() { return base::from_hex("c802000c0007000000010002"); }

l2tp::TunnelName in_clear_text() {
  auto out = sample::tunnel();
  out.mark = {};
  out.remote = {address("192.0.2.1"), 40001};
  return out;
}

l2tp::TunnelName over_ipv6() {
  auto out = sample::tunnel();
  out.local.address = address("2001:db8::1");
  out.remote.address = address("2001:db8::7");
  return out;
}

template <class Change>
l2tp::TunnelName with(Change change, l2tp::TunnelName name = sample::tunnel()) {
  change(name);
  return name;
}

/// Names of which no core knows any, each beside one that it may know.
std::vector<l2tp::TunnelName> names_of_nobody() {
  return {
      with([](auto& name) { name.mark = base::Mark(0x800); }),
      with([](auto& name) { name.mark = base::Mark(0x701); }),
      with([](auto& name) { name.mark = base::Mark(0x10000700); }),
      with([](auto& name) { name.mark = {}; }),  // an alias without a mark
      with([](auto& name) { name.remote.address = address("240.0.0.8"); }),
      with([](auto& name) { name.remote.address = address("192.0.2.1"); }),
      with([](auto& name) { name.remote.address = address("2001:db8::7"); }),
      with([](auto& name) { name.local.port = 1702; }),
      with([](auto& name) { name.local.address = address("2001:db8::1"); }),
      with([](auto& name) { name.mark = base::Mark(0x701); }, over_ipv6()),
      with([](auto& name) { name.local.port = 500; }, in_clear_text()),
  };
}

class AdmissionTest : public ::testing::Test {
 protected:
  void open(const l2tp::TunnelName& name = sample::tunnel()) {
    ASSERT_TRUE(admission_.admits(l2tp::OpenTunnelSocket{name}));
  }
  void open_and_stand() {
    open();
    ASSERT_TRUE(admission_.admits(l2tp::AddLatch{tunnel_}));
    ASSERT_TRUE(admission_.admits(l2tp::KernelTunnelUp{tunnel_, "phone"}));
  }
  bool starts(std::uint16_t session) {
    return admission_.admits(
        l2tp::StartSession{tunnel_, {l2tp::SessionId(session), l2tp::SessionId(1)}, false});
  }

  const l2tp::TunnelName tunnel_ = sample::tunnel();
  Admission admission_{Door({}, Cleartext::beside)};
};

TEST_F(AdmissionTest, TunnelsAreOfSomebodyWhoseDatagramsAreLetIn) {
  for (const auto& name : {tunnel_, in_clear_text(), over_ipv6()}) {
    EXPECT_TRUE(admission_.admits(l2tp::Send{name, l2tp::Via::main_socket, zlb()}));
    EXPECT_TRUE(admission_.admits(l2tp::TunnelDown{name, "gone", {}, false}));
    EXPECT_TRUE(admission_.admits(l2tp::CallRefused{name, "no"}));
    EXPECT_TRUE(admission_.admits(Changed{{{name, "phone", true, false, {}}}, {}}));
    EXPECT_TRUE(admission_.admits(l2tp::OpenTunnelSocket{name}));
    EXPECT_TRUE(admission_.admits(l2tp::CloseTunnelSocket{name}));
  }
  for (const auto& name : names_of_nobody()) {
    const auto which = ::testing::Message() << name.mark.value << ' ' << name.remote.to_string();
    EXPECT_FALSE(admission_.admits(l2tp::Send{name, l2tp::Via::main_socket, zlb()})) << which;
    EXPECT_FALSE(admission_.admits(l2tp::TunnelDown{name, "gone", {}, false})) << which;
    EXPECT_FALSE(admission_.admits(l2tp::CallRefused{name, "no"})) << which;
    EXPECT_FALSE(admission_.admits(
        Changed{{{tunnel_, "phone", true, false, {}}, {name, "phone", true, false, {}}}, {}}))
        << which;
    EXPECT_FALSE(admission_.admits(l2tp::OpenTunnelSocket{name})) << which;
  }
}

TEST_F(AdmissionTest, NobodyIsNumberZeroOrBeyondTheLast) {
  const config::Marks marks;
  const auto peer = [&marks](std::uint32_t number) {
    return with([&](auto& name) {
      name.mark = marks.mark_of(number);
      name.remote.address = marks.alias_of(number);
    });
  };
  for (const auto number : {1u, marks.capacity()})
    EXPECT_TRUE(admission_.admits(l2tp::TunnelDown{peer(number), "gone", {}, false})) << number;
  for (const auto number : {0u, marks.capacity() + 1})
    EXPECT_FALSE(admission_.admits(l2tp::TunnelDown{peer(number), "gone", {}, false})) << number;
}

TEST_F(AdmissionTest, ClearTextIsServedAsConfigured) {
  const auto opens = [](Cleartext cleartext, const l2tp::TunnelName& name) {
    return Admission(Door({}, cleartext)).admits(l2tp::OpenTunnelSocket{name});
  };
  EXPECT_TRUE(opens(Cleartext::off, tunnel_));
  EXPECT_FALSE(opens(Cleartext::off, in_clear_text()));
  EXPECT_TRUE(opens(Cleartext::beside, tunnel_));
  EXPECT_TRUE(opens(Cleartext::beside, in_clear_text()));
  EXPECT_FALSE(opens(Cleartext::only, tunnel_));
  EXPECT_FALSE(opens(Cleartext::only, over_ipv6()));
  EXPECT_TRUE(opens(Cleartext::only, in_clear_text()));
}

TEST_F(AdmissionTest, OnlyControlMessagesAreSent) {
  const auto sends = [this](base::Bytes bytes) {
    return admission_.admits(l2tp::Send{tunnel_, l2tp::Via::main_socket, std::move(bytes)});
  };
  EXPECT_TRUE(sends(zlb()));
  auto cut = zlb();
  cut.pop_back();
  EXPECT_FALSE(sends(cut));
  EXPECT_FALSE(sends({}));
  for (const auto without : base::Bytes{0x48, 0x88, 0xc0, 0x00}) {  // T, L, S
    auto bytes = zlb();
    bytes[0] = without;
    EXPECT_FALSE(sends(bytes)) << int(without);
  }
  for (const auto version : base::Bytes{1, 3}) {
    auto bytes = zlb();
    bytes[1] = version;
    EXPECT_FALSE(sends(bytes)) << "version " << int(version);
  }
}

TEST_F(AdmissionTest, ATunnelHasIdsOnBothSidesAndIsOpenedOnce) {
  EXPECT_FALSE(admission_.admits(l2tp::OpenTunnelSocket{with([](auto& name) { name.id = {}; })}));
  EXPECT_FALSE(admission_.admits(l2tp::OpenTunnelSocket{with([](auto& name) { name.peer = {}; })}));
  open();
  EXPECT_FALSE(admission_.admits(l2tp::OpenTunnelSocket{tunnel_}));
  EXPECT_FALSE(admission_.admits(l2tp::OpenTunnelSocket{in_clear_text()})) << "another one of the same id";
  open(with([](auto& name) { name.id = l2tp::TunnelId(0x1002); }));
  ASSERT_TRUE(admission_.admits(l2tp::CloseTunnelSocket{tunnel_}));
  open();
}

TEST_F(AdmissionTest, ThereAreNoMoreTunnelsThanACoreHas) {
  for (std::uint32_t id = 1; id <= 0x8000; ++id)
    open(with([id](auto& name) { name.id = l2tp::TunnelId(static_cast<std::uint16_t>(id)); }));
  const auto another = with([](auto& name) { name.id = l2tp::TunnelId(0x8001); });
  EXPECT_FALSE(admission_.admits(l2tp::OpenTunnelSocket{another}));
  ASSERT_TRUE(
      admission_.admits(l2tp::CloseTunnelSocket{with([](auto& name) { name.id = l2tp::TunnelId(5); })}));
  EXPECT_TRUE(admission_.admits(l2tp::OpenTunnelSocket{another}));
}

TEST_F(AdmissionTest, WhatIsNotOpenIsNotClosedLatchedOrPutIntoTheKernel) {
  const auto other = with([](auto& name) { name.remote.port = 40002; });
  const auto all = [this](const l2tp::TunnelName& name) {
    return admission_.admits(l2tp::AddLatch{name}) ||
           admission_.admits(l2tp::KernelTunnelUp{name, "phone"}) ||
           admission_.admits(l2tp::CloseTunnelSocket{name});
  };
  EXPECT_FALSE(all(tunnel_));
  open();
  EXPECT_FALSE(all(other)) << "the same id, another name";
  EXPECT_TRUE(admission_.admits(l2tp::AddLatch{tunnel_}));
  EXPECT_TRUE(admission_.admits(l2tp::KernelTunnelUp{tunnel_, "phone"}));
  EXPECT_TRUE(admission_.admits(l2tp::CloseTunnelSocket{tunnel_}));
  EXPECT_FALSE(all(tunnel_)) << "it was closed";
}

TEST_F(AdmissionTest, ALatchIsThereOnceAndGoesOnce) {
  open();
  EXPECT_FALSE(admission_.admits(l2tp::RemoveLatch{tunnel_})) << "there is none yet";
  EXPECT_TRUE(admission_.admits(l2tp::AddLatch{tunnel_}));
  EXPECT_FALSE(admission_.admits(l2tp::AddLatch{tunnel_}));
  ASSERT_TRUE(admission_.admits(l2tp::CloseTunnelSocket{tunnel_}));
  EXPECT_FALSE(
      admission_.admits(l2tp::RemoveLatch{with([](auto& name) { name.id = l2tp::TunnelId(0x1002); })}));
  EXPECT_TRUE(admission_.admits(l2tp::RemoveLatch{tunnel_})) << "after the socket, as the core has it";
  EXPECT_FALSE(admission_.admits(l2tp::RemoveLatch{tunnel_}));
}

// Or each mark could be latched to each id, and nobody would know any more which are there.
TEST_F(AdmissionTest, ATunnelIdHasOneLatchWhosever) {
  const auto same_id = with([](auto& name) {
    name.mark = base::Mark(0x800);
    name.remote.address = address("240.0.0.8");
  });
  open();
  ASSERT_TRUE(admission_.admits(l2tp::AddLatch{tunnel_}));
  ASSERT_TRUE(admission_.admits(l2tp::CloseTunnelSocket{tunnel_}));
  open(same_id);
  EXPECT_FALSE(admission_.admits(l2tp::AddLatch{same_id}));
  EXPECT_FALSE(admission_.admits(l2tp::RemoveLatch{same_id}));
  EXPECT_TRUE(admission_.admits(l2tp::RemoveLatch{tunnel_}));
  EXPECT_TRUE(admission_.admits(l2tp::AddLatch{same_id}));
}

TEST_F(AdmissionTest, ATunnelIsPutIntoTheKernelOnceAndWithASaneName) {
  open();
  EXPECT_FALSE(admission_.admits(l2tp::KernelTunnelUp{tunnel_, std::string(65, 'x')}));
  EXPECT_TRUE(admission_.admits(l2tp::KernelTunnelUp{tunnel_, std::string(64, 'x')}));
  EXPECT_FALSE(admission_.admits(l2tp::KernelTunnelUp{tunnel_, "phone"}));
}

TEST_F(AdmissionTest, SessionsBeginInATunnelThatIsInTheKernel) {
  EXPECT_FALSE(starts(1));
  open();
  EXPECT_FALSE(starts(1));
  ASSERT_TRUE(admission_.admits(l2tp::KernelTunnelUp{tunnel_, "phone"}));
  EXPECT_FALSE(starts(0));
  const auto other = with([](auto& name) { name.peer = l2tp::TunnelId(8); });
  EXPECT_FALSE(admission_.admits(l2tp::StartSession{other, sample::session(), false}));
  EXPECT_TRUE(starts(1));
  EXPECT_FALSE(starts(1)) << "the same one twice";
  ASSERT_TRUE(admission_.admits(l2tp::CloseTunnelSocket{tunnel_}));
  EXPECT_FALSE(starts(2));
  open();
  EXPECT_FALSE(starts(2)) << "another tunnel of the same name";
}

TEST_F(AdmissionTest, ATunnelHasSixteenSessionsAtOnce) {
  open_and_stand();
  for (std::uint16_t i = 1; i <= 16; ++i) EXPECT_TRUE(starts(i));
  EXPECT_FALSE(starts(17));
  EXPECT_TRUE(admission_.admits(l2tp::StopSession{tunnel_, {l2tp::SessionId(3), {}}, "gone"}));
  EXPECT_TRUE(starts(17));
  EXPECT_FALSE(starts(18));
  admission_.ended(tunnel_.id, l2tp::SessionId(4));
  EXPECT_TRUE(starts(4));
}

TEST_F(AdmissionTest, RowsAreOfASaneSize) {
  TunnelRow row{tunnel_, std::string(64, 'x'), true, false, std::vector<SessionRow>(16)};
  EXPECT_TRUE(admission_.admits(Changed{{row}, {}}));
  row.host_name += 'x';
  EXPECT_FALSE(admission_.admits(Changed{{row}, {}}));
  row.host_name.pop_back();
  row.sessions.emplace_back();
  EXPECT_FALSE(admission_.admits(Changed{{row}, {}}));
}

TEST_F(AdmissionTest, WhatOnlyTellsIsAlwaysAdmitted) {
  for (const Request& request :
       {Request(Counts{}), Request(FetchOrders{}), Request(Ready{}), Request(Alive{}),
        Request(DigestWithSecret{{{.before = base::Bytes(2), .after = base::Bytes(1000)}}})})
    EXPECT_TRUE(admission_.admits(request));
  EXPECT_TRUE(admission_.admits(l2tp::StopSession{tunnel_, sample::session(), "gone"}))
      << "PPP may have ended by itself meanwhile";
}

TEST_F(AdmissionTest, NoReasonIsLongerThanALogShouldHave) {
  const std::string longest(512, 'x'), longer(513, 'x');
  const auto stop = l2tp::stop(l2tp::StopResult::general, longer);
  EXPECT_TRUE(admission_.admits(l2tp::TunnelDown{tunnel_, longest, {}, false}));
  EXPECT_FALSE(admission_.admits(l2tp::TunnelDown{tunnel_, longer, {}, false}));
  EXPECT_FALSE(admission_.admits(l2tp::TunnelDown{tunnel_, longest, stop, false}));
  EXPECT_TRUE(admission_.admits(l2tp::CallRefused{tunnel_, longest}));
  EXPECT_FALSE(admission_.admits(l2tp::CallRefused{tunnel_, longer}));
  EXPECT_TRUE(admission_.admits(l2tp::StopSession{tunnel_, sample::session(), longest}));
  EXPECT_FALSE(admission_.admits(l2tp::StopSession{tunnel_, sample::session(), longer}));
}

TEST_F(AdmissionTest, ADigestBeginsWithNoMoreThanAMessagesOrAnAVPsType) {
  EXPECT_FALSE(admission_.admits(DigestWithSecret{{{.before = base::Bytes(3), .after = {}}}}));
}

/// A core whose every request comes here, in the order of PacketProcess::pump().
class Lives {
 public:
  explicit Lives(l2tp::testing::Network network, std::uint32_t seed) : world(std::move(network), {}, seed) {
    world.watch = [this](const l2tp::Effect& effect) { ask(effect); };
  }
  std::size_t count(std::size_t index) const { return asked_.contains(index) ? asked_.at(index) : 0; }
  template <class E>
  std::size_t count() const {
    return count(Request(E{}).index());
  }
  void end_by_itself(const l2tp::TunnelId& tunnel, l2tp::SessionId session) {
    admission.ended(tunnel, session);
    world.server.completed(
        l2tp::SessionEnded{tunnel, session, l2tp::hang_up(l2tp::CallResult::administrative, "over")},
        world.now);
    world.carry_out();
  }

  l2tp::testing::World world;
  Admission admission{Door({}, Cleartext::beside)};

 private:
  void ask(const l2tp::Effect& effect) {
    Changed changed;
    for (const auto id : world.server.touched()) {
      if (const auto it = world.server.tunnels().find(id); it != world.server.tunnels().end())
        changed.rows.push_back(row_of(it->second));
    }
    EXPECT_TRUE(admission.admits(changed));
    if (const auto* send = std::get_if<l2tp::Send>(&effect); send && send->via == l2tp::Via::tunnel_socket)
      return;
    const auto request = std::visit([](const auto& each) { return Request(each); }, effect);
    EXPECT_TRUE(admission.admits(request)) << "request " << request.index();
    ++asked_[request.index()];
  }
  std::map<std::size_t, std::size_t> asked_;
};

const base::Endpoint at_a = l2tp::testing::alias_a, at_b = l2tp::testing::alias_b,
                     at_home{base::Address::v4(0xc0000201), 40001};
constexpr base::Mark mark_a = l2tp::testing::mark_a, mark_b = l2tp::testing::mark_b;

TEST(WholeLives, EverythingThatACoreAsksForIsAdmitted) {
  Lives lives(l2tp::testing::World::perfect(), 1);
  auto& world = lives.world;
  auto& first = world.add(at_a, mark_a, 4);
  first.dial(world.now);
  world.run_for(1s);
  ASSERT_EQ(lives.count<l2tp::StartSession>(), 1u);
  lives.end_by_itself(first.peer_tunnel, first.peer_session);
  world.run_for(1s);
  EXPECT_EQ(lives.count<l2tp::StopSession>(), 0u);
  world.add(at_a, mark_a, 5).dial(world.now);  // from the same place: replaces the other one
  world.run_for(10s);
  EXPECT_EQ(lives.count<l2tp::CloseTunnelSocket>(), 1u);
  EXPECT_EQ(lives.count<l2tp::StartSession>(), 2u);
  world.server.peer_gone(mark_a);
  world.carry_out();
  EXPECT_EQ(lives.count<l2tp::CloseTunnelSocket>(), 2u);
  auto& second = world.add(at_b, mark_b, 4);
  second.dial(world.now);
  world.add(at_home, {}, 4).dial(world.now);
  world.run_for(1s);
  second.hang_up(world.now);
  world.run_for(1s);
  world.server.completed(l2tp::TunnelFailed{world.server.tunnels().begin()->first, "no"}, world.now);
  world.run_for(1s);
  world.add(at_b, mark_b, 6).dial(world.now);
  world.run_for(1s);
  world.server.close_all(world.now);
  world.run_for(1s);
  world.server.abandon_all();
  world.carry_out();
  EXPECT_EQ(lives.count<l2tp::OpenTunnelSocket>(), 5u);
  EXPECT_EQ(lives.count<l2tp::AddLatch>(), 5u);
  EXPECT_EQ(lives.count<l2tp::KernelTunnelUp>(), 5u);
  EXPECT_EQ(lives.count<l2tp::CloseTunnelSocket>(), 5u);
  EXPECT_EQ(lives.count<l2tp::RemoveLatch>(), 5u);
  EXPECT_GE(lives.count<l2tp::Send>(), 5u);
  EXPECT_GE(lives.count<l2tp::TunnelDown>(), 5u);
}

TEST(WholeLives, ThroughABadNetworkToo) {
  std::size_t sessions = 0;
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    std::mt19937 dice(seed);
    Lives lives(
        [&dice] {
          std::vector<base::Duration> copies;
          for (const unsigned lost : {25u, 80u})
            if (dice() % 100 >= lost) copies.emplace_back(std::chrono::milliseconds(dice() % 1500));
          return copies;
        },
        seed);
    auto& world = lives.world;
    std::vector<l2tp::testing::Lac*> lacs;
    for (std::uint16_t round = 1; round <= 4; ++round) {
      lacs.push_back(&world.add(at_a, mark_a, round));
      lacs.push_back(&world.add(at_b, mark_b, round));
      lacs.push_back(&world.add(at_home, {}, round));
      for (auto* lac : lacs)
        if (dice() % 2 == 0) lac->dial(world.now);
      world.run_for(std::chrono::milliseconds(dice() % 9000));
      auto& one = *lacs[dice() % lacs.size()];
      if (dice() % 3 == 0) lives.end_by_itself(one.peer_tunnel, one.peer_session);
      if (dice() % 3 == 0) one.hang_up(world.now);
      if (dice() % 5 == 0) world.server.peer_gone(mark_b);
      if (dice() % 5 == 0) world.server.completed(l2tp::TunnelFailed{one.peer_tunnel, "no"}, world.now);
      world.run_for(std::chrono::milliseconds(dice() % 9000));
    }
    world.server.close_all(world.now);
    world.run_for(std::chrono::milliseconds(dice() % 3000));
    world.server.abandon_all();
    world.carry_out();
    EXPECT_EQ(lives.count<l2tp::OpenTunnelSocket>(), lives.count<l2tp::CloseTunnelSocket>()) << seed;
    EXPECT_EQ(lives.count<l2tp::AddLatch>(), lives.count<l2tp::RemoveLatch>()) << seed;
    sessions += lives.count<l2tp::StartSession>();
  }
  EXPECT_GE(sessions, 120u);
}

}  // namespace
}  // namespace l2tpd
