#pragma once
// Links, with a program that only sleeps in place of pppd; the test speaks for the plugin in it.

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/event_log.h"
#include "l2tpd/links.h"

namespace l2tpd {

using namespace std::chrono_literals;
using namespace std::string_literals;

inline base::Address address(const char* text) { return *base::Address::parse(text); }

inline const char* words_for(IfName name) { return name == IfName::anothers ? ", now another's" : ""; }

class PretendPppd : public ::testing::Test {
 protected:
  PretendPppd() {
    base::set_log_level(base::Severity::error);
    char folder[] = "/tmp/links.XXXXXX";
    if (!::mkdtemp(folder)) std::abort();
    folder_ = folder;
    config_.ppp.local_address = address("10.99.0.1");
    config_.ppp.pool = *base::Prefix::parse("10.99.1.0/29");
    for (const auto* name : {"alice", "bob"}) {
      config_.users.push_back({.name = name, .address = {}, .limits = {}, .line = 0});
      secrets_.user.emplace(name, base::Secret::copy_of(base::as_bytes("pw")));
    }
    const auto program = folder_ + "/pppd";
    std::ofstream(program) << "#!/bin/sh\n"
                              "while [ $# -gt 0 ]; do [ $1 = pppol2tp_session_id ] && id=$2; shift; done\n"
                              "[ $id -lt 100 ] || trap '' TERM\n"
                              "echo $$ > "
                           << folder_ << "/new.$$ && mv " << folder_ << "/new.$$ " << folder_ << "/$id\n"
                           << "exec sleep 600\n";
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    links_.emplace(
        loop_, config_, accounts_, bindings_, PppdProgram{.path = program},
        Links::Calls{
            .ended = [this](const l2tp::TunnelName&, const l2tp::SessionName& session,
                            const l2tp::Ending& ending) { told_[session.id.value] = ending.message; },
            .refused =
                [this](const l2tp::TunnelName&, Refusal refusal, std::string_view user, std::string_view) {
                  refused_.push_back(std::string(name_of(refusal)) + " " + std::string(user));
                },
            .made =
                [this](const InterfaceRecord& i) {
                  heard_.push_back("made " + i.ifname);
                  return watched_;
                },
            .gone = [this](const InterfaceRecord& i,
                           IfName name) { heard_.push_back("gone " + i.ifname + words_for(name)); },
            .ipv4_up =
                [this](const SessionRecord& s) {
                  heard_.push_back("ipv4 up " + s.ifname + ": " + s.address->to_string());
                  return watched_;
                },
            .ipv4_down = [this](const SessionRecord& s,
                                IfName name) { heard_.push_back("ipv4 down " + s.ifname + words_for(name)); },
            .up = [this](const SessionRecord& s) { heard_.push_back("up " + s.ifname); },
            .down = [this](SessionRecord& s,
                           IfName name) { heard_.push_back("down " + s.ifname + words_for(name)); },
            .begun =
                [this](const SessionRecord& s) {
                  heard_.push_back("begun " + s.ifname + ": " +
                                   (s.address ? s.address->to_string() : "IPv6 alone"));
                },
            .over =
                [this](const SessionRecord& s, std::string_view why) {
                  heard_.push_back("over " + s.ifname + ": " + std::string(why));
                },
            .user_down = [this](const l2tp::TunnelName&, const std::string& user,
                                std::string_view) { users_down_.push_back(user); },
            .refitted = [this](const std::string& ifname,
                               std::uint16_t mtu) { heard_.push_back(ifname + " " + std::to_string(mtu)); },
            .ipv6_up =
                [this](const Ipv6Record& s) {
                  heard_.push_back("ipv6 up " + s.ifname + ": " + s.prefix.to_string() + " of " +
                                   s.account.name);
                  return watched_;
                },
            .ipv6_down = [this](
                             const Ipv6Record& s,
                             IfName name) { heard_.push_back("ipv6 down " + s.ifname + words_for(name)); }});
  }
  ~PretendPppd() override {
    for (const auto& [id, session] : sessions_) kill(session);
    // One that has just begun may still be writing there.
    for (std::error_code busy; std::filesystem::remove_all(folder_, busy), busy;) {
    }
    base::set_log_level(base::Severity::info);
  }

  struct Session {
    pid_t pid = -1;
    base::Fd plugin;
  };

  /// One that was never there has -1, which to the kernel is everybody.
  static void kill(const Session& session) {
    if (session.pid > 0) ::kill(session.pid, SIGKILL);
  }

  static l2tp::TunnelName tunnel() {
    return {.id = l2tp::TunnelId(1),
            .peer = l2tp::TunnelId(1),
            .mark = base::Mark(0x100),
            .local = {address("203.0.113.1"), 1701},
            .remote = {address("240.0.0.1"), 1701}};
  }
  static l2tp::SessionName name(std::uint16_t id) {
    return {.id = l2tp::SessionId(id), .peer = l2tp::SessionId(1)};
  }

  base::Result<void> start(const l2tp::TunnelName& tunnel, std::uint16_t id) {
    return links_->start(tunnel, name(id), base::Fd(::open("/dev/null", O_RDWR | O_CLOEXEC)),
                         {.mtu = 1398, .ipv6 = true, .radius_file = radius_file_});
  }
  /// Starts a pppd, and takes its end of the channel.
  void dial(std::uint16_t id) { dial(tunnel(), id); }
  void dial(const l2tp::TunnelName& tunnel, std::uint16_t id) {
    const auto started = start(tunnel, id);
    ASSERT_TRUE(started) << started.error().message;
    auto& session = sessions_[id];
    for (int turns = 0; turns < 500 && session.pid < 0; ++turns) {
      loop_.run_once(10ms);
      std::ifstream(folder_ + "/" + std::to_string(id)) >> session.pid;
    }
    ASSERT_GT(session.pid, 0);
    const base::Fd process(static_cast<int>(::syscall(SYS_pidfd_open, session.pid, 0)));
    session.plugin = base::Fd(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), 4, 0)));
    ASSERT_TRUE(session.plugin);
  }

  /// What l2tpd answers, within a moment.
  std::string answer(std::uint16_t id) {
    char buffer[1024];
    for (int turns = 0; turns < 20; ++turns) {
      loop_.run_once(5ms);
      const auto got = ::recv(sessions_[id].plugin.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (got >= 0) return {buffer, static_cast<std::size_t>(got)};
    }
    return "nothing";
  }
  std::string ask(std::uint16_t id, const std::string& question) {
    ::send(sessions_[id].plugin.get(), question.data(), question.size(), MSG_NOSIGNAL);
    return answer(id);
  }
  std::string log_in(std::uint16_t id, const std::string& user, const std::string& password = "pw") {
    return ask(id, "P" + field(user) + field(password));
  }
  std::string made(std::uint16_t id, const std::string& ifname) {
    return ask(id, "L" + field(ifname) + field("\5\x76"));
  }
  std::string up(std::uint16_t id, const std::string& ifname) {
    return ask(id, "U" + field(ifname) + field("\x0a\x63\0\1"s) + field("\x0a\x63\1\1"s) + field("\5\x76"));
  }
  static std::string field(const std::string& text) { return static_cast<char>(text.size()) + text; }
  static std::string lease(const char* text) {
    const auto bytes = encode_lease({address(text)});
    return {bytes.begin(), bytes.end()};
  }
  static std::string refusal(const std::string& why) { return "N" + field(why); }

  void wait_for_the_end_of(std::uint16_t id) {
    ASSERT_GT(sessions_[id].pid, 0);
    for (int turns = 0; turns < 500 && ::kill(sessions_[id].pid, 0) == 0; ++turns) loop_.run_once(10ms);
    EXPECT_NE(::kill(sessions_[id].pid, 0), 0) << id;
  }

  os::Loop loop_;
  std::string folder_;
  std::string radius_file_;  ///< of links to come
  config::Config config_;
  config::Secrets secrets_;
  base::Result<void> watched_;            ///< what becomes of a protocol that comes up
  std::optional<control::Peer> told_of_;  ///< what ikd says of whoever is asked for
  Bindings bindings_{loop_, config_, [this](base::Mark) { return told_of_ ? &*told_of_ : nullptr; }};
  Accounts accounts_{config_, secrets_, base::Secret::copy_of(base::as_bytes("nobody knows"))};
  std::optional<Links> links_;
  std::map<std::uint16_t, Session> sessions_;
  std::map<std::uint16_t, std::string> told_;  ///< Calls::ended, by session
  std::vector<std::string> heard_, users_down_;
  std::vector<std::string> refused_;
};

}  // namespace l2tpd
