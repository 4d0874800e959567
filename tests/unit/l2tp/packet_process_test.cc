// l2tpd's process that reads packets, as it runs: the test is the privileged one, and the client.

#include "l2tpd/packet_process.h"

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "lac.h"
#include "os/partner.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// 127.18.x.y: of this test alone, whatever else runs beside it.
base::Address address_of_ours() {
  return base::Address::v4(0x7f120000 | (static_cast<std::uint32_t>(::getpid()) & 0xffff));
}

base::Endpoint gateway() { return {address_of_ours(), 1701}; }
base::Endpoint client_end() { return {address_of_ours(), 40001}; }

os::UdpSocket socket_at(const base::Endpoint& local) {
  return std::move(os::UdpSocket::open({.local = local,
                                        .encapsulation = os::Encapsulation::none,
                                        .ipsec_bypass = false,
                                        .shared_port = true,
                                        .no_checksum = true})
                       .value());
}

class PacketProcessTest : public ::testing::Test {
 protected:
  PacketProcessTest() {
    hello_.listeners = {gateway()};
    hello_.mark_mask = 0x0fffff00;
    hello_.aliases = {base::Address::v4(0xf0000000), 8};
    hello_.cleartext = config::Cleartext::only;
    hello_.hello_interval = 60s;
    hello_.hello_patience = 300s;
    hello_.user = hello_.group = 65534;
  }
  ~PacketProcessTest() override {
    requests_.shut();
    pokes_ = {};
    if (child_ > 0) status();
  }

  void SetUp() override {
    // Where another test has been, its ruleset is: it lets no clear text in.
    if (::unshare(CLONE_NEWNET) == 0) {
      ASSERT_EQ(std::system("ip link set lo up"), 0);
    }
    main_.emplace(socket_at(gateway()));
    client_.emplace(socket_at(client_end()));
  }
  /// As Daemon::start_other_process().
  void start(base::ByteView hello, std::size_t sockets = 1) {
    auto pokes = std::move(os::Channel::pair().value());
    std::vector<int> descriptors(sockets, main_->fd());
    descriptors.push_back(pokes.second.fd());
    auto partner = os::start_partner({.argv = {L2TPD}}, hello, descriptors);
    ASSERT_TRUE(partner) << partner.error().message;
    requests_ = std::move(partner->channel);
    child_ = partner->child;
    pokes_ = std::move(pokes.first);
  }
  void start() {
    start(encode(hello_).view());
    ASSERT_TRUE(until<Ready>());
  }
  void poke() {
    constexpr std::uint8_t byte = 1;
    ASSERT_TRUE(pokes_.send({&byte, 1}));
  }
  /// Once it has ended.
  int status() {
    int out = -1;
    for (int i = 0; i < 1000; ++i) {
      if (::waitpid(child_, &out, WNOHANG) == child_) return child_ = -1, out;
      std::this_thread::sleep_for(10ms);
    }
    ADD_FAILURE() << "it does not end";
    ::kill(child_, SIGKILL);
    ::waitpid(child_, &out, 0);
    return child_ = -1, out;
  }

  /// Serves it, and lets the client go on, until this is asked for.
  template <class Wanted>
  std::optional<Wanted> until(base::Duration patience = 10s) {
    for (const auto end = base::Clock::now() + patience; base::Clock::now() < end;) {
      if (!asks_while_the_client_goes_on(10)) continue;
      auto request = serve();
      if (!request) return std::nullopt;
      if (auto* wanted = std::get_if<Wanted>(&*request)) return std::move(*wanted);
    }
    return std::nullopt;
  }
  bool asks_while_the_client_goes_on(int milliseconds) {
    while (const auto datagram = lac_.channel().next_datagram())
      EXPECT_TRUE(client_->send(*datagram, client_end().address, gateway(), std::nullopt));
    std::array<pollfd, 2> readable{pollfd{.fd = requests_.fd(), .events = POLLIN, .revents = 0},
                                   pollfd{.fd = client_->fd(), .events = POLLIN, .revents = 0}};
    ::poll(readable.data(), readable.size(), milliseconds);
    client_->receive(64, [this](const os::Datagram& datagram) {
      ++heard_;
      lac_.receive(datagram.bytes, base::Clock::now());
    });
    return readable[0].revents != 0;
  }
  std::optional<Request> serve() {
    auto request = hear();
    if (request) answer(*request);
    return request;
  }
  std::optional<Request> hear() {
    const auto message = requests_.receive();
    if (!message) return std::nullopt;
    auto request = decode_request(message->bytes.view());
    EXPECT_TRUE(request);
    if (!request) return std::nullopt;
    asked_.push_back(request->index());
    if (const auto* send = std::get_if<l2tp::Send>(&*request)) {
      EXPECT_EQ(send->tunnel.remote, client_end());
      lac_.receive(send->bytes, base::Clock::now());
    }
    return request;
  }
  void answer(const Request& request) {
    Answer answer = Done{};
    std::vector<int> descriptors;
    if (std::holds_alternative<FetchOrders>(request)) answer = Orders{std::exchange(orders_, {})};
    if (const auto* wanted = std::get_if<DigestWithSecret>(&request))
      answer = Digests{secret_ ? secret_(wanted->around) : std::vector<l2tp::Digest>()};
    if (const auto* open = std::get_if<l2tp::OpenTunnelSocket>(&request)) {
      tunnel_ = open->tunnel;
      descriptors.push_back(tunnel_socket());
    }
    EXPECT_TRUE(requests_.send(encode(answer).view(), descriptors));
  }
  int tunnel_socket() {
    own_ = socket_at(gateway());
    sockaddr_storage peer{};
    const auto length = client_end().to_sockaddr(peer);
    EXPECT_EQ(::connect(own_->fd(), reinterpret_cast<const sockaddr*>(&peer), length), 0);
    return own_->fd();
  }
  std::size_t times(const Request& request) const {
    return static_cast<std::size_t>(std::ranges::count(asked_, request.index()));
  }
  void dial() { lac_.dial(base::Clock::now()); }

  Hello hello_;
  std::optional<os::UdpSocket> main_, client_, own_;
  l2tp::testing::Lac lac_{client_end(), {}, 4};
  os::Channel requests_, pokes_;
  pid_t child_ = -1;
  std::vector<std::size_t> asked_;
  std::vector<Order> orders_;
  l2tp::SharedSecret secret_;
  l2tp::TunnelName tunnel_;
  int heard_ = 0;  ///< by the client, through the network
};

TEST_F(PacketProcessTest, SaysThatItIsReadyWhenItHasNoPrivilegeAnyMore) {
  if (::getuid() != 0) GTEST_SKIP() << "has none from the beginning";
  start();
  std::ifstream file("/proc/" + std::to_string(child_) + "/status");
  const std::string status(std::istreambuf_iterator<char>(file), {});
  for (const auto* nothing : {"CapInh", "CapPrm", "CapEff", "CapAmb"})
    EXPECT_THAT(status, HasSubstr(std::string(nothing) + ":\t0000000000000000\n"));
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1\n"));
  EXPECT_THAT(status, HasSubstr("Seccomp:\t2\n"));
  EXPECT_THAT(status, HasSubstr("Uid:\t65534\t65534\t65534\t65534\n"));
  EXPECT_THAT(status, HasSubstr("Gid:\t65534\t65534\t65534\t65534\n"));
  EXPECT_THAT(asked_, ElementsAre(Request(Ready{}).index())) << "nothing before that";
}

TEST_F(PacketProcessTest, AnswersAnSCCRQAndTellsOfTheTunnelFirst) {
  start();
  dial();
  const auto changed = until<Changed>();
  ASSERT_TRUE(changed);
  ASSERT_EQ(changed->rows.size(), 1u);
  EXPECT_EQ(changed->rows[0].host_name, "lac");
  EXPECT_FALSE(changed->rows[0].established);
  EXPECT_EQ(changed->rows[0].name.peer, l2tp::TunnelId(4));
  EXPECT_EQ(changed->rows[0].name.remote, client_end());
  EXPECT_EQ(changed->rows[0].name.local, gateway());
  EXPECT_EQ(times(l2tp::Send{}), 0u);
  const auto send = until<l2tp::Send>();
  ASSERT_TRUE(send);
  EXPECT_EQ(send->tunnel, changed->rows[0].name);
  const auto header = l2tp::decode_header(send->bytes);
  ASSERT_TRUE(header);
  const auto answer = l2tp::decode(header->body);
  EXPECT_EQ(answer.type, l2tp::MessageType::SCCRP);
  EXPECT_EQ(answer.assigned_tunnel_id, changed->rows[0].name.id);
}

TEST_F(PacketProcessTest, SpeaksThroughTheSocketThatItIsGivenForATunnel) {
  start();
  dial();
  ASSERT_TRUE(until<l2tp::OpenTunnelSocket>());
  const auto before = times(l2tp::Send{});
  const auto started = until<l2tp::StartSession>();
  ASSERT_TRUE(started);
  EXPECT_EQ(started->tunnel, tunnel_);
  EXPECT_EQ(times(l2tp::AddLatch{}), 1u);
  EXPECT_EQ(times(l2tp::KernelTunnelUp{}), 1u);
  EXPECT_EQ(lac_.seen[l2tp::MessageType::ICRP], 1);
  EXPECT_GT(heard_, 0);
  EXPECT_EQ(times(l2tp::Send{}), before) << "nothing is sent by anybody else any more";
}

TEST_F(PacketProcessTest, WaitsOnceForATunnelAndOnceForACall) {
  start();
  dial();
  std::vector<Request> waits_for, unanswered;
  for (int silent = 0; silent < 30 && waits_for.size() < 2;) {
    if (!asks_while_the_client_goes_on(10)) {
      if (++silent < 30 || unanswered.empty()) continue;
      waits_for.push_back(unanswered.back());
      for (const auto& request : std::exchange(unanswered, {})) answer(request);
    } else {
      auto request = hear();
      ASSERT_TRUE(request);
      unanswered.push_back(std::move(*request));
    }
    silent = 0;
  }
  ASSERT_EQ(waits_for.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<l2tp::OpenTunnelSocket>(waits_for[0])) << waits_for[0].index();
  EXPECT_TRUE(std::holds_alternative<l2tp::StartSession>(waits_for[1])) << waits_for[1].index();
}

TEST_F(PacketProcessTest, NoNumberOfRequestsGoesUnanswered) {
  start();
  std::size_t unanswered = 0;
  for (int i = 0; i < 40; ++i) {
    auto sccrq = l2tp::testing::of_type(l2tp::MessageType::SCCRQ);
    sccrq.assigned_tunnel_id = l2tp::TunnelId(static_cast<std::uint16_t>(10 + i));
    const auto body = l2tp::encode(sccrq);
    ASSERT_TRUE(client_->send(
        l2tp::encode(l2tp::Header{.tunnel = {}, .session = {}, .ns = {}, .nr = {}, .body = body}),
        client_end().address, gateway(), std::nullopt));
    while (asks_while_the_client_goes_on(50) && hear()) ++unanswered;
  }
  EXPECT_EQ(unanswered, 15u) << "it has not looked at the answer to Ready yet";
}

TEST_F(PacketProcessTest, WhereNoSocketCanBeHadItAsksForEachDatagram) {
  start();
  dial();
  ASSERT_TRUE(until<l2tp::Send>());
  // What follows is served by hand: the tunnel's socket is not to be had.
  lac_.calls = false;
  std::size_t sends = 0;
  for (const auto end = base::Clock::now() + 10s; sends == 0 && base::Clock::now() < end;) {
    while (const auto datagram = lac_.channel().next_datagram())
      EXPECT_TRUE(client_->send(*datagram, client_end().address, gateway(), std::nullopt));
    pollfd readable{.fd = requests_.fd(), .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, 10) != 1) continue;
    const auto message = requests_.receive();
    ASSERT_TRUE(message);
    const auto request = decode_request(message->bytes.view());
    ASSERT_TRUE(request);
    sends += std::holds_alternative<l2tp::Send>(*request);
    ASSERT_TRUE(requests_.send(encode(Answer(Done{})).view()));
  }
  EXPECT_EQ(sends, 1u) << "the acknowledgement of SCCCN";
}

TEST_F(PacketProcessTest, WhatTheDoorIsShutForIsOnlyCounted) {
  hello_.cleartext = config::Cleartext::off;
  start();
  for (int i = 0; i < 3; ++i) {
    const auto sccrq = base::from_hex("c802000c0000000000000000");
    ASSERT_TRUE(client_->send(sccrq, client_end().address, gateway(), std::nullopt));
  }
  dial();
  Counts counts;
  while (counts.clear_text < 4) {
    const auto told = until<Counts>(2s);
    ASSERT_TRUE(told);
    counts = *told;
  }
  Counts expected;
  expected.clear_text = 4;
  EXPECT_EQ(counts, expected);
  EXPECT_EQ(times(Changed{}), 0u);
  EXPECT_EQ(times(l2tp::Send{}), 0u);
  const auto told = times(Counts{});
  EXPECT_FALSE(until<Counts>(500ms));
  EXPECT_EQ(times(Counts{}), told) << "nothing more has happened";
}

TEST_F(PacketProcessTest, WhatTheCoreDropsIsCountedToo) {
  start();
  ASSERT_TRUE(client_->send(base::from_hex("c802000c1234000000000000"), client_end().address, gateway(),
                            std::nullopt));
  const auto counts = until<Counts>();
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->dropped[static_cast<std::size_t>(l2tp::DropReason::no_such_tunnel)], 1u);
}

TEST_F(PacketProcessTest, AuthenticatesTunnelsWithASecretThatItHasNot) {
  secret_ = l2tp::kept_here(base::Secret::copy_of(base::as_bytes("swordfish")));
  hello_.tunnel_secret = true;
  start();
  lac_.share(base::as_bytes("swordfish"));
  dial();
  EXPECT_TRUE(until<l2tp::KernelTunnelUp>());
  EXPECT_TRUE(lac_.server_is_genuine);
  EXPECT_EQ(times(DigestWithSecret{}), 2u) << "one for what it says, one for what it hears";
}

TEST_F(PacketProcessTest, FetchesOrdersAfterAPokeUntilThereAreNone) {
  start();
  EXPECT_FALSE(until<FetchOrders>(300ms)) << "nobody has said that there are any";
  orders_ = {CloseTunnel{l2tp::TunnelId(5), {}}};
  poke();
  EXPECT_TRUE(until<FetchOrders>());
  EXPECT_TRUE(until<FetchOrders>());
  EXPECT_FALSE(until<FetchOrders>(300ms));
  poke();
  EXPECT_TRUE(until<FetchOrders>());
}

TEST_F(PacketProcessTest, SaysGoodbyeWhenItIsTold) {
  start();
  dial();
  ASSERT_TRUE(until<l2tp::StartSession>());
  orders_ = {CloseAll{}};
  poke();
  const auto down = until<l2tp::TunnelDown>();
  ASSERT_TRUE(down);
  EXPECT_EQ(down->tunnel, tunnel_);
  EXPECT_TRUE(down->stood);
  EXPECT_EQ(times(l2tp::StopSession{}), 1u);
  ASSERT_TRUE(until<l2tp::RemoveLatch>()) << "the client has heard it";
  EXPECT_EQ(lac_.seen[l2tp::MessageType::StopCCN], 1);
  EXPECT_EQ(lac_.ending->code, static_cast<std::uint16_t>(l2tp::StopResult::shutting_down));
}

TEST_F(PacketProcessTest, JudgesWhatCameOutOfLinks) {
  start();
  const base::Bytes solicitation{0x85, 0, 0, 0, 0, 0, 0, 0};
  orders_ = {Solicitation{17, 255, solicitation}, Solicitation{18, 254, solicitation},
             Solicitation{19, 255, {}}};
  poke();
  for (const auto& [ifindex, valid] : {std::pair(17u, true), std::pair(18u, false), std::pair(19u, false)}) {
    const auto judged = until<Solicited>();
    ASSERT_TRUE(judged);
    EXPECT_EQ(judged->ifindex, ifindex);
    EXPECT_EQ(judged->valid, valid) << ifindex;
  }
}

TEST_F(PacketProcessTest, ForgetsEverythingWhenItIsTold) {
  start();
  dial();
  ASSERT_TRUE(until<l2tp::StartSession>());
  orders_ = {AbandonAll{}};
  poke();
  std::vector<l2tp::TunnelId> gone;
  while (gone.empty()) {
    const auto changed = until<Changed>();
    ASSERT_TRUE(changed);
    gone = changed->gone;
  }
  EXPECT_THAT(gone, ElementsAre(tunnel_.id));
  ASSERT_TRUE(until<l2tp::CloseTunnelSocket>());
  ASSERT_TRUE(until<l2tp::RemoveLatch>());
  EXPECT_TRUE(until<l2tp::TunnelDown>());
  EXPECT_TRUE(until<Counts>()) << "to the last one";
  EXPECT_EQ(status(), 0);
  EXPECT_EQ(lac_.seen[l2tp::MessageType::StopCCN], 0);
}

TEST_F(PacketProcessTest, DoesWhatElseItIsTold) {
  start();
  dial();
  const auto started = until<l2tp::StartSession>();
  ASSERT_TRUE(started);
  orders_ = {l2tp::SessionEnded{tunnel_.id, started->session.id,
                                l2tp::hang_up(l2tp::CallResult::administrative, "PPP has ended")}};
  poke();
  for (int i = 0; i < 100 && lac_.seen[l2tp::MessageType::CDN] == 0; ++i) (void)until<Ready>(50ms);
  EXPECT_EQ(lac_.seen[l2tp::MessageType::CDN], 1);
  EXPECT_EQ(lac_.ending->message, "PPP has ended");
  orders_ = {CloseTunnel{tunnel_.id, l2tp::stop(l2tp::StopResult::general, "the operator ended it")}};
  poke();
  ASSERT_TRUE(until<l2tp::RemoveLatch>());
  EXPECT_EQ(lac_.ending->message, "the operator ended it");
}

TEST_F(PacketProcessTest, AnIdleTunnelIsNoneInWhichACallHasBegunMeanwhile) {
  start();
  dial();
  const auto started = until<l2tp::StartSession>();
  ASSERT_TRUE(started);
  const CloseIdleTunnel close{tunnel_.id, l2tp::stop(l2tp::StopResult::general, "the operator ended it")};
  orders_ = {close};
  poke();
  EXPECT_FALSE(until<l2tp::StopSession>(300ms));
  EXPECT_EQ(lac_.seen[l2tp::MessageType::StopCCN], 0);
  orders_ = {l2tp::SessionEnded{tunnel_.id, started->session.id,
                                l2tp::hang_up(l2tp::CallResult::administrative, "PPP has ended")},
             close};
  poke();
  ASSERT_TRUE(until<l2tp::RemoveLatch>());
  EXPECT_EQ(lac_.ending->message, "the operator ended it");
}

TEST_F(PacketProcessTest, SaysHowOftenItIsAliveWhereSomebodyWantsToKnow) {
  hello_.watchdog_us = 20'000;
  start();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(until<Alive>());
}

TEST_F(PacketProcessTest, OtherwiseItIsSilent) {
  start();
  EXPECT_FALSE(until<Alive>(300ms));
  EXPECT_EQ(asked_.size(), 1u);
}

TEST_F(PacketProcessTest, WaitsForThePrivilegedProcessToSayThatItEnds) {
  start();
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ASSERT_EQ(::kill(child_, signal), 0);
  dial();
  EXPECT_TRUE(until<l2tp::Send>());
}

TEST_F(PacketProcessTest, EndsWithThePrivilegedProcess) {
  start();
  pokes_ = {};
  EXPECT_EQ(status(), W_EXITCODE(1, 0));
}

TEST_F(PacketProcessTest, EndsWhenNobodyAnswersItsRequests) {
  start();
  requests_.shut();
  poke();
  EXPECT_EQ(status(), W_EXITCODE(1, 0));
}

TEST_F(PacketProcessTest, EndsWhenTheAnswerIsNone) {
  start();
  poke();
  ASSERT_TRUE(requests_.receive());
  ASSERT_TRUE(requests_.send(base::as_bytes("certainly")));
  EXPECT_EQ(status(), W_EXITCODE(1, 0));
}

TEST_F(PacketProcessTest, EndsWhenItIsGivenNothingToFetch) {
  start();
  poke();
  ASSERT_TRUE(requests_.receive());
  ASSERT_TRUE(requests_.send(encode(Answer(Done{})).view()));
  EXPECT_EQ(status(), W_EXITCODE(1, 0));
}

TEST_F(PacketProcessTest, DoesNotBeginWithAHelloThatIsNone) {
  start(base::as_bytes("let me in"));
  EXPECT_EQ(status(), W_EXITCODE(1, 0));
}

TEST_F(PacketProcessTest, DoesNotBeginWithOtherSocketsThanTheHelloTellsOf) {
  for (const std::size_t sockets : {0u, 2u}) {
    start(encode(hello_).view(), sockets);
    EXPECT_EQ(status(), W_EXITCODE(1, 0)) << sockets;
  }
}

}  // namespace
}  // namespace l2tpd
