// The program itself against servers that play the daemons.

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "control/interfaces.h"
#include "control/metrics.h"
#include "control/rows.h"
#include "control/server.h"
#include "validate.h"
#include "xfrmctl/reload.h"

namespace xfrmctl {
namespace {

using control::Call;
using control::Json;

struct Outcome {
  int exit_code;
  std::string text;  ///< standard output, then standard error
};

class Program : public testing::Test {
 protected:
  Program() {
    char folder[] = "/tmp/xfrmctl.XXXXXX";
    if (!::mkdtemp(folder)) std::abort();
    folder_ = folder;
  }
  ~Program() override { std::filesystem::remove_all(folder_); }

  static std::unique_ptr<control::Server> serve(os::Loop& loop, const std::string& path,
                                                const control::Interface& interface) {
    control::ServerOptions options;
    options.path = path;
    return std::move(control::Server::listen(loop, options, interface).value());
  }

  std::unique_ptr<control::Server> play_ikd(const std::string& lns = "l2tpd") {
    auto ikd = serve(loop_, folder_ + "/ikd", control::ike_interface);
    ikd->handle("Status", [lns](const Json&, Call call) {
      control::Status status;
      status.lns = lns;
      call.reply(control::to_json(status));
    });
    ikd->handle("ListPeers", [](const Json&, Call call) {
      control::Peer peer;
      peer.peer = 1;
      peer.mark = 256;
      call.reply({{"peers", Json::array({control::to_json(peer)})}});
    });
    return ikd;
  }
  std::unique_ptr<control::Server> play_l2tpd(const std::string& cleartext = "off") {
    auto l2tpd = serve(loop_, folder_ + "/l2tpd", control::l2tp_interface);
    l2tpd->handle("Status", [cleartext](const Json&, Call call) {
      control::Status status;
      status.cleartext = cleartext;
      call.reply(control::to_json(status));
    });
    l2tpd->handle("ListTunnels", [](const Json&, Call call) {
      control::Tunnel tunnel;
      tunnel.mark = 256;
      tunnel.tunnel = 7;
      call.reply({{"tunnels", Json::array({control::to_json(tunnel)})}});
    });
    l2tpd->handle("ListSessions", [](const Json&, Call call) {
      control::Session session;
      session.mark = 256;
      session.user = "alice";
      call.reply({{"sessions", Json::array({control::to_json(session)})}});
    });
    return l2tpd;
  }

  /// Root's methods, open to whoever runs this test: what is called, in order, and answers by method.
  std::unique_ptr<control::Server> play(const std::string& name, const control::Interface& interface,
                                        std::map<std::string, Json> answers) {
    control::ServerOptions options;
    options.path = folder_ + "/" + name;
    options.privileged_uid = ::getuid() + unprivileged_;
    auto server = std::move(control::Server::listen(loop_, options, interface).value());
    for (const auto& [method, answer] : answers) {
      server->handle(method, [this, method = method, answer = answer](const Json& parameters, Call call) {
        calls_.push_back(method + parameters.dump());
        if (answer.is_string()) return call.fail(answer.get<std::string>());
        call.reply(answer);
      });
    }
    return server;
  }
  static Json the_peer() {
    control::Peer peer;
    peer.peer = 7;
    peer.mark = 0x700;
    peer.identity = "laptop";
    return {{"peer", control::to_json(peer)}};
  }

  /// `redirections`: which of the two outputs to keep.
  Outcome run(const std::string& arguments, const std::string& redirections = "2>&1",
              const std::string& prefix = "") {
    Outcome out{};
    std::atomic<bool> done = false;
    std::thread child([&] {
      const auto command = prefix + XFRMCTL " --run-dir " + folder_ + " " + arguments + " " + redirections;
      FILE* pipe = ::popen(command.c_str(), "r");
      char buffer[4096];
      while (const auto n = std::fread(buffer, 1, sizeof buffer, pipe)) out.text.append(buffer, n);
      out.exit_code = WEXITSTATUS(::pclose(pipe));
      done = true;
    });
    while (!done) loop_.run_once(std::chrono::milliseconds(5));
    child.join();
    return out;
  }

  /// Without capabilities, but able to execute the program.
  Outcome run_as_nobody(const std::string& command) {
    return run(command, "2>&1",
               "setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all --no-new-privs ");
  }

  os::Loop loop_;
  std::string folder_;
  std::vector<std::string> calls_;
  unsigned unprivileged_ = 0;
};

TEST_F(Program, ImportPrintsWhatItFindsBelowAFolderAndSecretsOnlyWhereTheyAreAskedFor) {
  const auto root = "--root " + folder_;
  auto out = run("import " + root);
  EXPECT_EQ(out.exit_code, 4) << out.text;
  EXPECT_NE(out.text.find("there is no ipsec.conf"), std::string::npos) << out.text;
  const auto write = [this](const std::string& name, const std::string& text) {
    const std::filesystem::path file = folder_ + "/etc/" + name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  };
  write("ipsec.conf", "conn l2tp\n  authby=secret\n  type=transport\n  ikelifetime=8h\n");
  out = run("import " + root);
  EXPECT_EQ(out.exit_code, 5) << "there is no secret: " << out.text;
  EXPECT_NE(out.text.find("xfrmctl: this is not complete yet: "), std::string::npos) << out.text;
  write("ipsec.secrets", ": PSK \"a long swordfish\"\n");
  write("ppp/chap-secrets", "alice * open-sesame *\n");
  out = run("import " + root);
  EXPECT_EQ(out.exit_code, 0) << out.text;
  EXPECT_NE(out.text.find("name = \"alice\""), std::string::npos) << out.text;
  EXPECT_NE(out.text.find("xfrmctl: not carried over: no range of addresses"), std::string::npos) << out.text;
  EXPECT_EQ(out.text.find("swordfish"), std::string::npos) << out.text;
  EXPECT_EQ(out.text.find("open-sesame"), std::string::npos) << out.text;
  out = run("import --secrets " + root);
  EXPECT_EQ(out.exit_code, 0) << out.text;
  EXPECT_NE(out.text.find("a long swordfish"), std::string::npos) << out.text;
  EXPECT_NE(out.text.find("open-sesame"), std::string::npos) << out.text;
}

TEST_F(Program, StatusIsGoodOnlyWhenBothAnswer) {
  auto out = run("status");
  EXPECT_EQ(out.exit_code, 1);
  EXPECT_NE(out.text.find("ikd does not answer: cannot connect to "), std::string::npos) << out.text;
  const auto ikd = play_ikd();
  out = run("status");
  EXPECT_EQ(out.exit_code, 1);
  EXPECT_NE(out.text.find("ikd answers"), std::string::npos) << out.text;
  EXPECT_NE(out.text.find("l2tpd does not answer"), std::string::npos) << out.text;
  const auto l2tpd = play_l2tpd();
  out = run("status");
  EXPECT_EQ(out.exit_code, 0) << out.text;
}

TEST_F(Program, PeersAreListedWithAndWithoutL2tpd) {
  EXPECT_EQ(run("peers").exit_code, 1);
  const auto ikd = play_ikd();
  const auto alone = run("peers --json", "2>/dev/null");
  EXPECT_EQ(alone.exit_code, 0);
  EXPECT_TRUE(Json::parse(alone.text)["peers"][0]["user"].is_null());
  EXPECT_NE(run("peers", "2>&1 >/dev/null").text.find("nothing is known of L2TP and PPP"), std::string::npos);
  const auto l2tpd = play_l2tpd();
  const auto both = run("peers --json");
  EXPECT_EQ(both.exit_code, 0);
  EXPECT_EQ(Json::parse(both.text)["peers"][0]["user"], "alice");
}

TEST_F(Program, WhereAnotherDaemonServesL2tpNobodyMissesL2tpd) {
  const auto ikd = play_ikd("external");
  const auto status = run("status");
  EXPECT_EQ(status.exit_code, 0) << status.text;
  EXPECT_NE(status.text.find("l2tpd is not wanted: another daemon serves L2TP"), std::string::npos);
  const auto peers = run("peers", "2>&1 >/dev/null");
  EXPECT_EQ(peers.exit_code, 0);
  EXPECT_EQ(peers.text, "");
  const auto tunnels = run("tunnels");
  EXPECT_EQ(tunnels.exit_code, 1);
  EXPECT_EQ(tunnels.text,
            "xfrmctl: another daemon serves L2TP, and only it knows its tunnels and sessions\n");
}

TEST_F(Program, WhatItPrintsAsJsonFitsTheSchemas) {
  EXPECT_EQ(misfit("status", run("status --json").text), "") << "nobody answers";
  const auto ikd = play_ikd();
  const auto l2tpd = play_l2tpd();
  for (const std::string command : {"status", "peers", "tunnels", "sessions"}) {
    const auto out = run(command + " --json");
    EXPECT_EQ(out.exit_code, 0) << out.text;
    EXPECT_EQ(misfit(command, out.text), "");
  }
}

TEST_F(Program, TunnelsAndSessionsNeedL2tpdAndAreJoinedWithPeersWhereIkdAnswers) {
  EXPECT_EQ(run("tunnels").exit_code, 1);
  EXPECT_EQ(run("sessions").exit_code, 1);
  const auto l2tpd = play_l2tpd();
  const auto alone = run("tunnels --json", "2>/dev/null");
  EXPECT_EQ(alone.exit_code, 0);
  EXPECT_TRUE(Json::parse(alone.text)["tunnels"][0]["peer"].is_null());
  EXPECT_NE(run("tunnels", "2>&1 >/dev/null").text.find("nothing is known of peers: cannot connect"),
            std::string::npos);
  const auto ikd = play_ikd();
  const auto both = run("sessions --json");
  EXPECT_EQ(both.exit_code, 0);
  EXPECT_EQ(Json::parse(both.text)["sessions"][0]["peer"], 1);
}

TEST_F(Program, WithoutTheRightToAskTheKernelItSaysSo) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give it up";
  for (const std::string command : {"sas", "policies"}) {
    const auto out = run_as_nobody(command);
    EXPECT_EQ(out.exit_code, 3) << out.text;
    EXPECT_EQ(out.text, "xfrmctl: the kernel lists its " + (command == "sas" ? "SAs" : command) +
                            " to root (CAP_NET_ADMIN) only\n");
  }
}

TEST_F(Program, WatchingRepeatsUntilNobodyReadsAndOutlivesADaemon) {
  auto ikd = play_ikd();
  const auto l2tpd = play_l2tpd();
  const auto three = run("peers --json --watch=1 | grep -m 3 --line-buffered version | wc -l", "2>&1");
  EXPECT_EQ(three.text, "3\n");
  const auto both = run("status --watch=1 2>&1 | grep -m 2 --line-buffered 'ikd answers' | wc -l", "");
  EXPECT_EQ(both.text, "2\n");
  ikd.reset();
  const auto gone =
      run("status --watch=1 2>&1 | grep -m 2 --line-buffered 'ikd does not answer' | wc -l", "");
  EXPECT_EQ(gone.text, "2\n");
  EXPECT_EQ(run("peers --watch=0").exit_code, 2);
}

TEST_F(Program, AnAnswerWithoutItsMembersIsNoAnswer) {
  const auto ikd = play_ikd();
  ikd->handle("ListPeers", [](const Json&, Call call) {
    call.reply({{"peers", Json::array({Json::object()})}});
  });
  const auto out = run("peers");
  EXPECT_EQ(out.exit_code, 1);
  EXPECT_NE(out.text.find("answers sameroof.Ike.ListPeers with a bad peer: peer is missing"),
            std::string::npos)
      << out.text;
}

TEST_F(Program, WithoutIpsecNobodyMissesIkd) {
  const auto l2tpd = play_l2tpd("only");
  const auto status = run("status");
  EXPECT_EQ(status.exit_code, 0) << status.text;
  EXPECT_NE(status.text.find("ikd is not wanted: L2TP is served without IPsec"), std::string::npos);
  EXPECT_EQ(run("sessions", "2>&1 >/dev/null").text, "");
}

TEST_F(Program, APeerIsDisconnectedWithItsL2tpFirst) {
  const auto ikd =
      play("ikd", control::ike_interface, {{"PeerByNumber", the_peer()}, {"Terminate", Json::object()}});
  const auto l2tpd = play("l2tpd", control::l2tp_interface,
                          {{"Terminate", {{"tunnels", 1}, {"sessions", 1}, {"marks", {0x700}}}}});
  const auto out = run("disconnect 7");
  EXPECT_EQ(out.text, "peer 7 (laptop) is disconnected\n");
  EXPECT_EQ(out.exit_code, 0);
  EXPECT_EQ(calls_, (std::vector<std::string>{R"(PeerByNumber{"peer":7})", R"(Terminate{"mark":1792})",
                                              R"(Terminate{"peer":7})"}));
}

TEST_F(Program, AUserIsDisconnectedWithThePeersThatHaveNoOtherSession) {
  const auto ikd =
      play("ikd", control::ike_interface, {{"PeerByMark", the_peer()}, {"Terminate", Json::object()}});
  const auto l2tpd = play("l2tpd", control::l2tp_interface,
                          {{"TerminateUser", {{"tunnels", 2}, {"sessions", 2}, {"marks", {0x700}}}}});
  const auto out = run("disconnect --user 7");
  EXPECT_EQ(out.text, "2 sessions of user '7' are disconnected\npeer 7 (laptop) is disconnected\n");
  EXPECT_EQ(out.exit_code, 0);
  EXPECT_EQ(calls_, (std::vector<std::string>{R"(TerminateUser{"user":"7"})", R"(PeerByMark{"mark":1792})",
                                              R"(Terminate{"peer":7})"}));
}

TEST_F(Program, WhoIsNotThereCannotBeDisconnected) {
  EXPECT_EQ(run("disconnect 7").exit_code, 1) << "nobody answers";
  EXPECT_EQ(run("disconnect").exit_code, 2);
  const auto ikd = play("ikd", control::ike_interface, {{"PeerByNumber", "sameroof.Ike.NoSuchPeer"}});
  const auto l2tpd = play("l2tpd", control::l2tp_interface, {{"TerminateUser", "sameroof.L2tp.NoSuchUser"}});
  const auto peer = run("disconnect 7");
  EXPECT_EQ(peer.exit_code, 4);
  EXPECT_EQ(peer.text, "xfrmctl: there is no peer 7\n");
  const auto user = run("disconnect $(printf 'b\\033b')");
  EXPECT_EQ(user.exit_code, 4);
  EXPECT_EQ(user.text, "xfrmctl: no session is of a user 'b?b'\n");
}

TEST_F(Program, OnlyRootDisconnectsAndReloads) {
  unprivileged_ = 1;
  const auto ikd = play("ikd", control::ike_interface, {{"PeerByNumber", the_peer()}});
  const auto l2tpd = play("l2tpd", control::l2tp_interface, {});
  for (const std::string command : {"disconnect 7", "disconnect alice", "reload"}) {
    const auto out = run(command);
    EXPECT_EQ(out.exit_code, 3);
    EXPECT_EQ(out.text, "xfrmctl: only root may do that\n");
  }
}

TEST_F(Program, WhoIsNotOfTheGroupIsToldSo) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give it up";
  const auto ikd = play_ikd();
  for (const std::string command : {"status", "peers", "tunnels", "sessions", "top", "explain last",
                                    "monitor", "metrics", "disconnect 7", "reload"}) {
    const auto out = run(command, "2>&1", "setpriv --reuid=65534 --regid=65534 --clear-groups ");
    EXPECT_EQ(out.exit_code, 3) << command;
    EXPECT_EQ(out.text, "xfrmctl: only root and the group sameroof may ask the daemons\n") << command;
  }
}

TEST_F(Program, WithoutL2tpdAPeerIsDisconnectedAllTheSame) {
  const auto ikd =
      play("ikd", control::ike_interface, {{"PeerByNumber", the_peer()}, {"Terminate", Json::object()}});
  const auto out = run("disconnect 7");
  EXPECT_EQ(out.exit_code, 0);
  EXPECT_NE(out.text.find("its L2TP ends without a word: cannot connect"), std::string::npos) << out.text;
}

TEST_F(Program, TheDoctorSeesAHostOnlyAsRootAndComplainsOfAConfigurationThatIsNone) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give it up";
  const auto out = run("doctor --json --config " + folder_ + "/none.toml");
  EXPECT_EQ(out.exit_code, 6) << out.text;
  EXPECT_EQ(misfit("doctor", out.text), "");
  EXPECT_EQ(Json::parse(out.text)["findings"][0]["check"], "configuration");
  const auto nobody = run("doctor", "2>&1", "setpriv --reuid=65534 --regid=65534 --clear-groups ");
  EXPECT_EQ(nobody.exit_code, 3) << nobody.text;
}

TEST_F(Program, MetricsAreThoseOfBothDaemonsAndSayWhichIsMissing) {
  const auto family = [](const char* name) {
    return Json{{"families", Json::array({control::to_json(control::counter(name, "Something.", 7))})}};
  };
  const auto ikd = play("ikd", control::ike_interface, {{"Metrics", family("sameroof_ike_x")}});
  const auto alone = run("metrics", "2>/dev/null");
  EXPECT_EQ(alone.exit_code, 1);
  EXPECT_EQ(alone.text,
            "# HELP sameroof_up Whether the daemon answers.\n# TYPE sameroof_up gauge\n"
            "sameroof_up{daemon=\"ikd\"} 1\nsameroof_up{daemon=\"l2tpd\"} 0\n"
            "# HELP sameroof_ike_x_total Something.\n# TYPE sameroof_ike_x_total counter\n"
            "sameroof_ike_x_total 7\n");
  const auto l2tpd = play("l2tpd", control::l2tp_interface, {{"Metrics", family("sameroof_l2tp_x")}});
  const auto both = run("metrics --openmetrics");
  EXPECT_EQ(both.exit_code, 0) << both.text;
  EXPECT_NE(both.text.find("sameroof_l2tp_x_total 7\n# EOF\n"), std::string::npos) << both.text;
}

TEST_F(Program, EventsOfBothDaemonsAreFollowedLineByLine) {
  EXPECT_EQ(run("monitor").exit_code, 1) << "nobody answers";
  const auto tell = [](const char* part, const char* text) {
    return [part, text](const Json&, Call call) {
      control::Event event;
      event.part = part;
      event.event = "peer_up";
      event.text = text;
      for (int i = 0; i < 1000; ++i) call.reply_and_continue({{"event", control::to_json(event)}});
    };
  };
  const auto ikd = serve(loop_, folder_ + "/ikd", control::ike_interface);
  ikd->handle("Events", tell("ike", "peer 7 is up\x1b[2J"));
  const auto lines = run("monitor | head -2", "2>/dev/null");
  EXPECT_NE(lines.text.find("  SA      peer 7 is up?[2J\n"), std::string::npos) << lines.text;
  const auto l2tpd = serve(loop_, folder_ + "/l2tpd", control::l2tp_interface);
  l2tpd->handle("Events", tell("l2tp", "tunnel 7 is up"));
  const auto json = run("monitor --json | head -3000 | grep -m1 tunnel", "2>/dev/null");
  EXPECT_EQ(misfit("monitor", json.text), "");
}

TEST_F(Program, AnAttemptIsExplainedFromWhatBothDaemonsRemember) {
  control::Attempt attempt;
  attempt.peer = 7;
  attempt.address = "198.51.100.1";
  attempt.outcome = "failed";
  attempt.events.emplace_back();
  attempt.events[0].part = "ike";
  attempt.events[0].refusal = "wrong_psk";
  EXPECT_EQ(run("explain last").exit_code, 1);
  const auto ikd = play("ikd", control::ike_interface,
                        {{"Attempts", {{"attempts", Json::array({control::to_json(attempt)})}}}});
  const auto l2tpd = play("l2tpd", control::l2tp_interface, {{"Attempts", {{"attempts", Json::array()}}}});
  const auto out = run("explain 7");
  EXPECT_EQ(out.exit_code, 0);
  EXPECT_NE(out.text.find("Its pre-shared key is another one than ours."), std::string::npos) << out.text;
  EXPECT_EQ(misfit("explain", run("explain --json last").text), "");
  const auto nobody = run("explain bob");
  EXPECT_EQ(nobody.exit_code, 4);
  EXPECT_EQ(nobody.text, "xfrmctl: no attempt is remembered of 'bob'\n");
}

/// What a client calls itself, and its user.
constexpr const char* hostile = "a\x1b]0;owned\x07\x1b[2J\xc2\x9b\x9b\xff\"'\\\r\n\tb";

/// What of it a terminal would obey, in hexadecimal.
std::string commands_in(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if ((octet < 0x20 && c != '\n') || octet >= 0x7f) out += fmt::format(" {:02x}", octet);
  }
  return out;
}

TEST_F(Program, NamesThatClientsChooseDoNotCommandATerminal) {
  control::Peer peer;
  peer.peer = 7, peer.mark = 0x700;
  peer.identity = peer.authentication = peer.certificate = hostile;
  control::Tunnel tunnel;
  tunnel.mark = 0x700, tunnel.tunnel = 7;
  tunnel.host_name = hostile;
  control::Session session;
  session.mark = 0x700, session.tunnel = 7;
  session.user = hostile;
  control::Event event;
  event.part = "l2tp", event.event = "refused";
  event.text = event.user.emplace(hostile);
  control::Attempt attempt;
  attempt.peer = 7, attempt.mark = 0x700;
  attempt.outcome = "failed";
  attempt.user = hostile;
  attempt.events = {event};
  const auto list = [](const char* member, const Json& row) { return Json{{member, Json::array({row})}}; };
  const auto ikd = play("ikd", control::ike_interface,
                        {{"ListPeers", list("peers", control::to_json(peer))},
                         {"PeerByNumber", {{"peer", control::to_json(peer)}}},
                         {"Attempts", list("attempts", control::to_json(attempt))},
                         {"Terminate", Json::object()},
                         {"Reload", {{"changes", hostile}}},
                         {"CheckReload", list("changes", hostile)}});
  const auto l2tpd = play("l2tpd", control::l2tp_interface,
                          {{"ListTunnels", list("tunnels", control::to_json(tunnel))},
                           {"ListSessions", list("sessions", control::to_json(session))},
                           {"Attempts", {{"attempts", Json::array()}}},
                           {"Terminate", Json::object()},
                           {"Reload", {{"changes", hostile}}},
                           {"CheckReload", list("changes", hostile)}});
  const auto follow = [&event](const Json&, Call call) {
    call.reply_and_continue({{"event", control::to_json(event)}});
  };
  ikd->handle("Events", follow);
  l2tpd->handle("Events", follow);
  for (const std::string command :
       {"peers", "peers --json", "tunnels", "tunnels --json", "sessions", "sessions --json", "explain last",
        "explain --json last", "monitor | head -1", "monitor --json | head -1", "top | head -4",
        "disconnect 7", "reload", "reload --dry-run"}) {
    const auto out = run(command);
    EXPECT_NE(out.text.find("owned"), std::string::npos) << command << " shows it: " << out.text;
    EXPECT_EQ(commands_in(out.text), "") << command << ": " << out.text;
  }
  EXPECT_EQ(Json::parse(run("sessions --json").text)["sessions"][0]["user"],
            "a\x1b]0;owned\x07\x1b[2J\xc2\x9b\xef\xbf\xbd\xef\xbf\xbd\"'\\\r\n\tb")
      << "a program gets all that is text";
}

TEST_F(Program, WhatIsTypedMayBeAnyOctets) {
  const auto l2tpd = play("l2tpd", control::l2tp_interface, {{"TerminateUser", "sameroof.L2tp.NoSuchUser"}});
  const auto out = run("disconnect $(printf 'M\\374ller')");
  EXPECT_EQ(out.exit_code, 4) << out.text;
  EXPECT_EQ(out.text, "xfrmctl: no session is of a user 'M?ller'\n");
}

TEST_F(Program, AReloadShowsWhatChangesAndADryRunOnlyThat) {
  const auto ikd =
      play("ikd", control::ike_interface,
           {{"CheckReload", {{"changes", {"+ PSK guests"}}}}, {"Reload", {{"changes", "read"}}}});
  const auto l2tpd =
      play("l2tpd", control::l2tp_interface,
           {{"CheckReload", {{"changes", {"+ user carol", "~ [ppp]"}}}}, {"Reload", {{"changes", "done"}}}});
  const auto dry = run("reload --dry-run");
  EXPECT_EQ(dry.exit_code, 0);
  EXPECT_EQ(dry.text, "+ PSK guests\n+ user carol\n~ [ppp]\n")
      << "without colours where there is no terminal";
  EXPECT_EQ(calls_, (std::vector<std::string>{"CheckReload{}", "CheckReload{}"}));
  EXPECT_EQ(run("reload").text, "+ PSK guests\n+ user carol\n~ [ppp]\nikd: read\nl2tpd: done\n");
  EXPECT_EQ(run("reload ikd").text, "+ PSK guests\nikd: read\n");
  EXPECT_EQ(run("reload l2tpd").text, "+ user carol\n~ [ppp]\nl2tpd: done\n");
  EXPECT_EQ(run("reload sshd").exit_code, 2);
  EXPECT_EQ(changes_text({"- user bob"}, true), "\x1b[31m- user bob\x1b[0m\n");
}

TEST_F(Program, WhatOneDaemonRefusesNeitherReads) {
  const auto ikd =
      play("ikd", control::ike_interface,
           {{"CheckReload", {{"changes", {"+ PSK guests"}}}}, {"Reload", {{"changes", "read"}}}});
  const auto l2tpd = play("l2tpd", control::l2tp_interface, {{"CheckReload", "sameroof.L2tp.Refused"}});
  EXPECT_EQ(run("reload").exit_code, 1);
  EXPECT_EQ(calls_, (std::vector<std::string>{"CheckReload{}", "CheckReload{}"}));
}

TEST_F(Program, ADaemonThatIsNotWantedIsNotAskedToReload) {
  {
    const auto l2tpd = play_l2tpd("only");
    l2tpd->handle("CheckReload", [](const Json&, Call call) { call.reply({{"changes", {"~ [ppp]"}}}); });
    EXPECT_EQ(run("reload --dry-run").text, "~ [ppp]\n");
  }
  const auto ikd = play_ikd("external");
  ikd->handle("CheckReload", [](const Json&, Call call) { call.reply({{"changes", {"~ [ike]"}}}); });
  EXPECT_EQ(run("reload --dry-run").text, "~ [ike]\n");
}

TEST_F(Program, WrongUsageExitsWithTwoAndHelpWithZero) {
  EXPECT_EQ(run("").exit_code, 2);
  EXPECT_EQ(run("pears").text, "xfrmctl: there is no command 'pears'; --help lists them\n");
  EXPECT_EQ(run("peers --yaml").exit_code, 2);
  const auto help = run("--help");
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.text.find("Exit codes: 0 answered"), std::string::npos);
}

}  // namespace
}  // namespace xfrmctl
