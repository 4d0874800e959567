#include <algorithm>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include <sys/stat.h>

#include "served.h"

namespace control {
namespace {

TEST_F(Served, TellsWhoItIs) {
  serve();
  const auto answer = ask(R"({"method":"org.varlink.service.GetInfo"})");
  ASSERT_TRUE(answer.ends_with('|')) << answer;
  const auto info = Json::parse(answer.substr(0, answer.size() - 1))["parameters"];
  EXPECT_EQ(info["product"], "ikd");
  EXPECT_EQ(info["interfaces"], (Json::array({"org.varlink.service", "sameroof.Ike"})));
}

TEST_F(Served, DescribesItsInterfaces) {
  serve();
  for (const auto* interface : {&service_interface, &ike_interface}) {
    const Json request{{"method", "org.varlink.service.GetInterfaceDescription"},
                       {"parameters", {{"interface", interface->name}}}};
    const auto answer = ask(request.dump());
    EXPECT_EQ(Json::parse(answer.substr(0, answer.size() - 1))["parameters"]["description"],
              describe(*interface));
  }
  EXPECT_EQ(
      ask(R"({"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"a.b"}})"),
      R"({"error":"org.varlink.service.InterfaceNotFound","parameters":{"interface":"a.b"}}|)");
}

TEST_F(Served, RefusesWhatTheTableDoesNotAllow) {
  serve();
  server_->handle("PeerByMark", [](const Json& in, Call call) { call.reply({{"saw", in["mark"]}}); });
  const auto error = [&](const std::string& request) {
    auto answer = ask(request);
    if (!answer.ends_with('|')) return answer;
    answer.pop_back();
    return Json::parse(answer).value("error", answer);
  };
  EXPECT_EQ(error(R"({"method":"sameroof.Ike.PeerByMark","parameters":{"mark":7}})"),
            R"({"parameters":{"saw":7}})");
  EXPECT_EQ(error(R"({"method":"sameroof.Ike.PeerByMark","parameters":{"mark":"7"}})"),
            "org.varlink.service.InvalidParameter");
  EXPECT_EQ(error(R"({"method":"sameroof.Ike.PeerByMark","parameters":[7]})"),
            "org.varlink.service.InvalidParameter");
  EXPECT_EQ(error(R"({"method":"sameroof.Ike.PeerByMark"})"), "org.varlink.service.InvalidParameter");
  EXPECT_EQ(error(R"({"method":"sameroof.Ike.Nonsense"})"), "org.varlink.service.MethodNotFound");
  EXPECT_EQ(error(R"({"method":"sameroof.L2tp.Status"})"), "org.varlink.service.InterfaceNotFound");
  EXPECT_EQ(error(R"({"method":"Status"})"), "org.varlink.service.InterfaceNotFound");
  EXPECT_EQ(error(R"({"method":"sameroof.Ike.Status"})"), "org.varlink.service.MethodNotImplemented");
  EXPECT_EQ(error(R"({"method":"sameroof.Ike.Monitor"})"), "org.varlink.service.ExpectedMore");
}

TEST_F(Served, HangsUpOnWhatIsNoRequest) {
  serve();
  for (const char* nonsense : {"GET / HTTP/1.1", "{}", "[]", "{\"method\":3}", "{\"method\":\"x\"", ""}) {
    EXPECT_EQ(ask(nonsense), "EOF") << nonsense;
  }
  EXPECT_EQ(ask(std::string(60000, '[')), "EOF");
  const auto deep = [](std::size_t levels) {
    return R"({"method":"sameroof.Ike.Status","parameters":{"a":)" + std::string(levels, '[') +
           std::string(levels, ']') + "}}";
  };
  EXPECT_EQ(ask(deep(30000)), "EOF");
  EXPECT_EQ(server_->connections(), 0U);
  EXPECT_NE(ask(deep(3)), "EOF") << "which nobody forbids";
}

TEST_F(Served, HangsUpOnARequestThatIsTooLong) {
  options_.longest_request = 100;
  serve();
  EXPECT_EQ(ask(std::string(101, 'x')), "EOF");
  const auto fd = connect();
  ASSERT_EQ(::send(fd.get(), std::string(101, 'x').data(), 101, MSG_NOSIGNAL), 101);
  EXPECT_EQ(hear(fd), "EOF");
}

TEST_F(Served, OnlyThePrivilegedTerminate) {
  options_.privileged_uid = ::getuid() + 1;
  serve();
  bool called = false;
  server_->handle("Terminate", [&](const Json&, Call call) {
    called = true;
    call.reply(Json::object());
  });
  EXPECT_EQ(ask(R"({"method":"sameroof.Ike.Terminate","parameters":{"peer":1}})"),
            R"({"error":"org.varlink.service.PermissionDenied","parameters":{}}|)");
  EXPECT_FALSE(called);
}

TEST_F(Served, PipelinedRequestsAreAnsweredInOrder) {
  serve();
  std::vector<Call> held;
  server_->handle("PeerByMark", [&](const Json&, Call call) { held.push_back(std::move(call)); });
  server_->handle("Status", [](const Json&, Call call) { call.reply({{"n", 2}}); });
  const auto fd = connect();
  say(fd, R"({"method":"sameroof.Ike.PeerByMark","parameters":{"mark":1}})");
  say(fd, R"({"method":"sameroof.Ike.Status"})");
  EXPECT_EQ(hear(fd), "");
  ASSERT_EQ(held.size(), 1U);
  held[0].reply({{"n", 1}});
  EXPECT_EQ(hear(fd), R"({"parameters":{"n":1}}|{"parameters":{"n":2}}|)");
}

TEST_F(Served, AOnewayRequestIsServedWithoutAnAnswer) {
  serve();
  int served = 0;
  server_->handle("Status", [&](const Json&, Call call) {
    ++served;
    call.reply(Json::object());
  });
  const auto fd = connect();
  say(fd, R"({"method":"sameroof.Ike.Status","oneway":true})");
  say(fd, R"({"method":"sameroof.Ike.Status"})");
  EXPECT_EQ(hear(fd), R"({"parameters":{}}|)");
  EXPECT_EQ(served, 2);
}

TEST_F(Served, AHalfClosedClientStillGetsItsAnswer) {
  serve();
  server_->handle("Status", [](const Json&, Call call) { call.reply(Json::object()); });
  const auto fd = connect();
  say(fd, R"({"method":"sameroof.Ike.Status"})");
  ::shutdown(fd.get(), SHUT_WR);
  EXPECT_EQ(hear(fd), R"({"parameters":{}}|EOF)");
}

TEST_F(Served, AStreamEndsQuietlyWhenItsReaderHasGone) {
  serve();
  std::vector<Call> streams;
  server_->handle("Monitor", [&](const Json&, Call call) { streams.push_back(std::move(call)); });
  auto fd = connect();
  say(fd, R"({"method":"sameroof.Ike.Monitor","more":true})");
  turn();
  ASSERT_EQ(streams.size(), 1U);
  streams[0].reply_and_continue({{"event", "settled"}});
  EXPECT_EQ(hear(fd), R"({"continues":true,"parameters":{"event":"settled"}}|)");
  EXPECT_TRUE(streams[0].alive());
  fd.reset();
  turn();
  EXPECT_FALSE(streams[0].alive());
  EXPECT_EQ(server_->connections(), 0U);
  streams[0].reply_and_continue({{"event", "up"}});
  streams[0].reply(Json::object());
}

TEST_F(Served, ACallMayOutliveTheServer) {
  serve();
  std::vector<Call> held;
  server_->handle("Monitor", [&](const Json&, Call call) { held.push_back(std::move(call)); });
  const auto fd = connect();
  say(fd, R"({"method":"sameroof.Ike.Monitor","more":true})");
  turn();
  ASSERT_EQ(held.size(), 1U);
  server_.reset();
  EXPECT_FALSE(held[0].alive());
  held[0].reply_and_continue(Json::object());
  EXPECT_EQ(hear(fd), "EOF");
  EXPECT_NE(::access(options_.path.c_str(), F_OK), 0);
}

TEST_F(Served, ADroppedCallClosesItsConnection) {
  serve();
  server_->handle("Status", [](const Json&, Call) {});
  EXPECT_EQ(ask(R"({"method":"sameroof.Ike.Status"})"), "EOF");
}

TEST_F(Served, AStreamThatRunsTooFarAheadIsCut) {
  options_.most_unread = 100'000;
  serve();
  std::vector<Call> streams;
  server_->handle("Monitor", [&](const Json&, Call call) { streams.push_back(std::move(call)); });
  const auto fd = connect();
  say(fd, R"({"method":"sameroof.Ike.Monitor","more":true})");
  turn();
  ASSERT_EQ(streams.size(), 1U);
  int sent = 0;
  for (; streams[0].alive() && sent < 10000; ++sent) {
    streams[0].reply_and_continue({{"filler", std::string(1000, 'x')}});
  }
  EXPECT_LT(sent, 1000);  // the socket's buffer and 100 kB
  EXPECT_EQ(server_->connections(), 0U);
}

TEST_F(Served, AReaderThatTakesNothingIsClosedAndHoldsNobodyUp) {
  options_.patience = std::chrono::milliseconds(30);
  serve();
  server_->handle("ListPeers", [](const Json&, Call call) {
    call.reply({{"filler", std::string(3'000'000, 'x')}});
  });
  server_->handle("Status", [](const Json&, Call call) { call.reply(Json::object()); });
  const auto fd = connect();
  say(fd, R"({"method":"sameroof.Ike.ListPeers"})");
  turn();
  const auto end = base::Clock::now() + std::chrono::seconds(5);
  const auto other = connect();
  say(other, R"({"method":"sameroof.Ike.Status"})");
  std::string answer;
  while (answer.empty() && base::Clock::now() < end) answer = hear(other);
  EXPECT_EQ(answer, R"({"parameters":{}}|)");
  ::shutdown(other.get(), SHUT_RDWR);
  while (server_->connections() > 0 && base::Clock::now() < end) turn(1);
  EXPECT_EQ(server_->connections(), 0U);
}

TEST_F(Served, RequestsLeaveTimeForPackets) {
  options_.rest = 4;
  serve();
  std::vector<base::Time> served;
  server_->handle("Status", [&](const Json&, Call call) {
    served.push_back(base::Clock::now());
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    call.reply(Json::object());
  });
  const auto fd = connect();
  for (int i = 0; i < 3; ++i) say(fd, R"({"method":"sameroof.Ike.Status"})");
  const auto end = base::Clock::now() + std::chrono::seconds(10);
  while (served.size() < 3 && base::Clock::now() < end) turn(1);
  ASSERT_EQ(served.size(), 3U);
  EXPECT_GE(served[1] - served[0], std::chrono::milliseconds(50));
  EXPECT_GE(served[2] - served[1], std::chrono::milliseconds(50));
}

TEST_F(Served, ALongAnswerArrivesWhole) {
  serve();
  server_->handle("ListPeers", [](const Json&, Call call) {
    call.reply({{"filler", std::string(9'000'000, 'x')}});
  });
  const auto fd = connect();
  say(fd, R"({"method":"sameroof.Ike.ListPeers"})");
  std::string all;
  for (int i = 0; i < 1000 && !all.ends_with('|'); ++i) all += hear(fd);
  EXPECT_EQ(std::ranges::count(all, 'x'), 9'000'000);
}

TEST_F(Served, TheIdlestMakesRoomAndBusyOnesDoNot) {
  options_.most_connections = 2;
  options_.privileged_uid = ::getuid() + 1;  // who would have room of its own
  serve();
  std::vector<Call> streams;
  server_->handle("Monitor", [&](const Json&, Call call) { streams.push_back(std::move(call)); });
  server_->handle("Status", [](const Json&, Call call) { call.reply(Json::object()); });
  const auto idle = connect();
  turn();
  const auto busy = connect();
  say(busy, R"({"method":"sameroof.Ike.Monitor","more":true})");
  turn();
  const auto third = connect();
  say(third, R"({"method":"sameroof.Ike.Monitor","more":true})");
  turn();
  EXPECT_EQ(hear(idle), "EOF");
  EXPECT_EQ(streams.size(), 2U);
  EXPECT_EQ(hear(connect()), "EOF");
  EXPECT_EQ(hear(busy), "");
}

TEST_F(Served, AUserHasOnlySoManyStreamsAndOneThatEndsMakesRoom) {
  options_.most_streams_of_user = 2;
  serve();
  std::vector<Call> streams;
  server_->handle("Monitor", [&](const Json&, Call call) { streams.push_back(std::move(call)); });
  server_->handle("Status", [](const Json&, Call call) { call.reply(Json::object()); });
  const std::string monitor = R"({"method":"sameroof.Ike.Monitor","more":true})";
  auto first = connect();
  const auto second = connect(), third = connect();
  say(first, monitor);
  say(second, monitor);
  say(third, monitor);
  EXPECT_EQ(hear(third), R"({"error":"sameroof.Ike.TooManyStreams","parameters":{}}|)");
  EXPECT_EQ(ask(R"({"method":"sameroof.Ike.Status"})"), R"({"parameters":{}}|)") << "but may ask";
  first.reset();
  turn();
  say(third, monitor);
  EXPECT_EQ(hear(third), "");
  EXPECT_EQ(streams.size(), 3U);
}

TEST_F(Served, WhoFollowsAsMuchAsHeMayCanListAllTheSame) {
  options_.most_streams_of_user = 2;
  serve();
  std::vector<Call> streams;
  server_->handle("Monitor", [&](const Json&, Call call) { streams.push_back(std::move(call)); });
  server_->handle("ListPeers", [](const Json&, Call call) {
    reply_list(std::move(call), "peers", "sameroof.Ike.TooManyPeers", [](Json&) { return false; });
  });
  const auto first = connect(), second = connect();
  for (const auto* fd : {&first, &second}) say(*fd, R"({"method":"sameroof.Ike.Monitor","more":true})");
  turn();
  ASSERT_EQ(streams.size(), 2U);
  EXPECT_EQ(ask(R"({"method":"sameroof.Ike.ListPeers","more":true})"), R"({"parameters":{"peers":[]}}|)");
}

TEST_F(Served, ReadersOfLongListsTakeTurns) {
  options_.rest = 4;
  serve();
  std::vector<std::size_t> made;
  server_->handle("ListPeers", [&made](const Json&, Call call) {
    const auto shared = std::make_shared<Call>(std::move(call));
    shared->in_turns([shared, &made, reader = made.size()] {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // all that one turn has
      shared->reply_and_continue(Json::object());
      ++made[reader];
      return true;
    });
    made.push_back(0);
  });
  std::vector<base::Fd> readers;
  for (int i = 0; i < 5; ++i) {
    readers.push_back(connect());
    say(readers.back(), R"({"method":"sameroof.Ike.ListPeers","more":true})");
  }
  const auto end = base::Clock::now() + std::chrono::seconds(20);
  std::size_t all = 0;
  while ((made.size() < 5 || all < 50) && base::Clock::now() < end) {
    turn(1);
    all = 0;
    for (const auto each : made) all += each;
  }
  ASSERT_EQ(made.size(), 5U);
  EXPECT_GE(*std::ranges::min_element(made), 5U);
}

TEST_F(Served, NoUserKeepsThePrivilegedOneOut) {
  options_.privileged_uid = ::getuid() + 1;
  options_.most_connections_of_user = 2;
  serve();
  std::vector<Call> held;
  server_->handle("Status", [&](const Json&, Call call) { held.push_back(std::move(call)); });
  std::vector<base::Fd> busy;
  for (int i = 0; i < 4; ++i) {
    busy.push_back(connect());
    say(busy.back(), R"({"method":"sameroof.Ike.Status"})");
    turn();
  }
  EXPECT_EQ(server_->connections(), 2U);
}

TEST_F(Served, AStreamIsMadeInTurnsAsItsReaderTakesIt) {
  serve();
  std::size_t made = 0;
  server_->handle("Monitor", [&](const Json&, Call call) {
    const auto shared = std::make_shared<Call>(std::move(call));
    shared->in_turns([&made, shared] {
      shared->reply_and_continue({{"filler", std::string(10'000, 'x')}});
      return ++made < 1000;
    });
  });
  const auto fd = connect();
  say(fd, R"({"method":"sameroof.Ike.Monitor","more":true})");
  turn(50);
  EXPECT_LT(made, 200U) << "the socket is full, and nobody reads";
  std::size_t got = 0;
  for (int i = 0; i < 2000 && got < 1000; ++i)
    got += static_cast<std::size_t>(std::ranges::count(hear(fd), '|'));
  EXPECT_EQ(got, 1000U);
  EXPECT_EQ(made, 1000U);
}

TEST_F(Served, AListComesWholeOrInPartsAsItsReaderWants) {
  serve();
  server_->handle("ListPeers", [](const Json&, Call call) {
    if (!call.takes_more()) return call.reply({{"peers", {1, 2}}});
    const auto shared = std::make_shared<Call>(std::move(call));
    shared->in_turns([shared, part = 0]() mutable {
      if (++part == 2) {
        shared->reply({{"peers", {2}}});
        return false;
      }
      shared->reply_and_continue({{"peers", {1}}});
      return true;
    });
  });
  EXPECT_EQ(ask(R"({"method":"sameroof.Ike.ListPeers"})"), R"({"parameters":{"peers":[1,2]}}|)");
  const auto fd = connect();
  say(fd, R"({"method":"sameroof.Ike.ListPeers","more":true})");
  EXPECT_EQ(hear(fd), R"({"continues":true,"parameters":{"peers":[1]}}|{"parameters":{"peers":[2]}}|)");
  say(fd, R"({"method":"sameroof.Ike.ListPeers"})");
  EXPECT_EQ(hear(fd), R"({"parameters":{"peers":[1,2]}}|)") << "the connection is as good as new";
}

TEST_F(Served, AReaderWhoGoesInTheMiddleOfAStreamEndsIt) {
  serve();
  std::size_t made = 0;
  server_->handle("Monitor", [&](const Json&, Call call) {
    const auto shared = std::make_shared<Call>(std::move(call));
    shared->in_turns([&made, shared] {
      shared->reply_and_continue({{"filler", std::string(10'000, 'x')}});
      ++made;
      return true;
    });
  });
  auto fd = connect();
  say(fd, R"({"method":"sameroof.Ike.Monitor","more":true})");
  turn(20);
  fd.reset();
  turn(20);
  EXPECT_EQ(server_->connections(), 0U);
  const auto then = made;
  turn(20);
  EXPECT_EQ(made, then);
}

TEST_F(Served, TextThatIsNoUtf8ArrivesAsReplacements) {
  serve();
  server_->handle("Status", [](const Json&, Call call) { call.reply({{"identity", "\xff\xfe"}}); });
  EXPECT_EQ(ask(R"({"method":"sameroof.Ike.Status"})"),
            "{\"parameters\":{\"identity\":\"\xef\xbf\xbd\xef\xbf\xbd\"}}|");
}

TEST_F(Served, WhoOnlyConnectsAgainAndAgainLeavesTimeForPackets) {
  options_.rest = 1'000'000;  // at most a second
  serve();
  std::vector<base::Fd> flood;
  for (int i = 0; i < 10; ++i) flood.push_back(connect());
  turn(5);
  EXPECT_EQ(server_->connections(), 10U) << "all who wait";
  for (int i = 0; i < 10; ++i) flood.push_back(connect());
  turn(50);
  EXPECT_EQ(server_->connections(), 10U);
}

TEST_F(Served, AThousandConnectionsWithHalfARequestEachKeepNobodyOut) {
  serve();
  server_->handle("Status", [](const Json&, Call call) { call.reply(Json::object()); });
  std::vector<base::Fd> flood;
  for (int i = 0; i < 1000; ++i) {
    const auto& fd = flood.emplace_back(connect());
    const std::string half = R"({"method":"sameroof.Ike.Status",)";
    ASSERT_EQ(::send(fd.get(), half.data(), half.size(), MSG_NOSIGNAL), static_cast<ssize_t>(half.size()));
    turn(2);
    ASSERT_LE(server_->connections(), options_.most_connections);
  }
  EXPECT_EQ(ask(R"({"method":"sameroof.Ike.Status"})"), R"({"parameters":{}}|)");
}

TEST_F(Served, AReaderThatTakesAnOctetAtATimeCostsABufferAndHoldsNobodyUp) {
  serve();
  std::size_t made = 0;
  server_->handle("ListPeers", [&](const Json&, Call call) {
    reply_list(std::move(call), "peers", "sameroof.Ike.TooManyPeers", [&made](Json& rows) {
      rows.push_back(std::string(1000, 'x'));
      return ++made < 100'000;
    });
  });
  server_->handle("Status", [](const Json&, Call call) { call.reply(Json::object()); });
  const auto slow = connect();
  say(slow, R"({"method":"sameroof.Ike.ListPeers","more":true})");
  char octet = 0;
  for (int i = 0; i < 100; ++i) {
    turn(i == 0 ? 50 : 2);
    ASSERT_EQ(::recv(slow.get(), &octet, 1, MSG_DONTWAIT), 1);
  }
  EXPECT_LT(made, 2000U) << "what the socket's buffer holds, and a part";
  EXPECT_EQ(ask(R"({"method":"sameroof.Ike.Status"})"), R"({"parameters":{}}|)");
}

TEST_F(Served, AlsoAListThatComesWholeIsMadeInTurns) {
  serve();
  int made = 0;
  server_->handle("ListPeers", [&made](const Json&, Call call) {
    reply_list(std::move(call), "peers", "sameroof.Ike.TooManyPeers", [&made](Json& rows) {
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      rows.push_back(++made);
      return made < 600;
    });
  });
  const auto fd = connect();
  say(fd, R"({"method":"sameroof.Ike.ListPeers"})");
  int most_in_a_turn = 0;
  for (int turns = 0; turns < 5000 && made < 600; ++turns) {
    const int before = made;
    turn(1);
    most_in_a_turn = std::max(most_in_a_turn, made - before);
  }
  EXPECT_LE(most_in_a_turn, 40) << "packets wait meanwhile";
  EXPECT_TRUE(hear(fd).ends_with(",599,600]}}|"));
}

TEST_F(Served, MoreRowsThanHoldOthersUpComeInPartsOnly) {
  serve();
  server_->handle("ListPeers", [](const Json&, Call call) {
    reply_list(std::move(call), "peers", "sameroof.Ike.TooManyPeers", [number = 0](Json& rows) mutable {
      if (number == 1500) return false;
      rows.push_back(++number);
      return true;
    });
  });
  EXPECT_EQ(ask(R"({"method":"sameroof.Ike.ListPeers"})"),
            R"({"error":"sameroof.Ike.TooManyPeers","parameters":{}}|)");
  const auto fd = connect();
  say(fd, R"({"method":"sameroof.Ike.ListPeers","more":true})");
  std::string all;
  for (int i = 0; i < 200 && !all.ends_with("1500]}}|"); ++i) all += hear(fd);
  EXPECT_TRUE(all.starts_with(
      R"({"continues":true,"parameters":{"peers":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]}}|{"continues")"));
  EXPECT_TRUE(all.ends_with(
      R"(|{"parameters":{"peers":[1489,1490,1491,1492,1493,1494,1495,1496,1497,1498,1499,1500]}}|)"));
}

base::Fd bound_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  base::Fd out(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
  if (::bind(out.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return out;
}

TEST_F(Served, LeavesTheSocketOfABusyServerAlone) {
  auto busy = options_;
  busy.path = folder_ + "/busy";
  const auto server = bound_to(busy.path);
  ASSERT_EQ(::listen(server.get(), 0), 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  busy.path.copy(address.sun_path, sizeof address.sun_path - 1);
  const base::Fd first(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
  ASSERT_EQ(::connect(first.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const auto second = Server::listen(loop_, busy, ike_interface);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "somebody serves " + busy.path + " already");
}

TEST_F(Served, ReplacesAStaleSocketButNoLiveOneAndNoFile) {
  serve();
  struct stat status {};
  ASSERT_EQ(::stat(options_.path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0660U);
  const auto second = Server::listen(loop_, options_, ike_interface);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "somebody serves " + options_.path + " already");

  auto elsewhere = options_;
  elsewhere.path = folder_ + "/file";
  std::ofstream(elsewhere.path) << "precious";
  EXPECT_EQ(Server::listen(loop_, elsewhere, ike_interface).error().message,
            elsewhere.path + " is there and is no socket");

  auto stale = options_;
  stale.path = folder_ + "/stale";
  ASSERT_TRUE(bound_to(stale.path));
  const auto revived = Server::listen(loop_, stale, ike_interface);
  EXPECT_TRUE(revived) << revived.error().message;
}

}  // namespace
}  // namespace control
