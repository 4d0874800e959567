// What l2tpd learns of ikd's peers, and that an ikd that was restarted is told from one that was only slow.

#include "l2tpd/peers_watch.h"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace l2tpd {
namespace {

using namespace std::chrono_literals;

/// A listening socket that a process of its own has opened, as far as SO_PEERCRED tells.
base::Fd listen_as_another_process(const std::string& path) {
  ::unlink(path.c_str());
  base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  path.copy(at.sun_path, sizeof at.sun_path - 1);
  const auto child = ::fork();
  if (child == 0) {
    const bool good =
        ::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 && ::listen(fd.get(), 4) == 0;
    ::_exit(good ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  return fd;
}

class Watch : public ::testing::Test {
 protected:
  Watch() {
    char folder[] = "/tmp/watch.XXXXXX";
    if (!::mkdtemp(folder)) std::abort();
    folder_ = folder;
  }
  ~Watch() override { std::filesystem::remove_all(folder_); }

  /// Accepts l2tpd's next connection, at the latest when it tries again, and says that nobody is there.
  base::Fd answer(const base::Fd& listening) {
    base::Fd connection;
    for (int i = 0; i < 300 && !connection; ++i) {
      loop_.run_once(10ms);
      connection = base::Fd(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }
    constexpr std::string_view settled =
        "{\"parameters\":{\"event\":\"settled\"},\"continues\":true}";  // and the NUL
    EXPECT_EQ(::send(connection.get(), settled.data(), settled.size() + 1, MSG_NOSIGNAL),
              static_cast<ssize_t>(settled.size() + 1));
    const auto before = heard_.size();
    for (int i = 0; i < 100 && (heard_.size() == before || heard_.back() != "only"); ++i)
      loop_.run_once(10ms);
    return connection;
  }

  os::Loop loop_;
  std::string folder_;
  std::vector<std::string> heard_;
};

TEST_F(Watch, WhatIsNewOfAPeerIsKnownWhenItsChangeIsTold) {
  const auto path = folder_ + "/ikd";
  const auto listening = listen_as_another_process(path);
  std::unique_ptr<PeersWatch> watch;
  watch = std::make_unique<PeersWatch>(
      loop_, path,
      PeersWatch::Calls{.gone = [&](base::Mark) { heard_.emplace_back("gone"); },
                        .replaced = [](base::Time) {},
                        .only = [&](const std::set<base::Mark>&) { heard_.emplace_back("only"); },
                        .changed =
                            [&](base::Mark mark) {
                              const auto* peer = watch->peer(mark);
                              heard_.push_back(peer ? peer->sas.front().transform : "nobody");
                            }});
  const auto connection = answer(listening);
  control::Peer peer;
  peer.mark = 0x100;
  for (const auto* transform : {"aes256-sha1", "aes256-sha512"}) {
    peer.sas.insert(peer.sas.begin(), control::Sa{});
    peer.sas.front().transform = transform;
    const auto told = control::Json{
        {"parameters", {{"event", "changed"}, {"peer", control::to_json(peer)}}},
        {"continues",
         true}}.dump();
    ASSERT_GT(::send(connection.get(), told.c_str(), told.size() + 1, MSG_NOSIGNAL), 0);
    for (int i = 0; i < 20; ++i) loop_.run_once(5ms);
  }
  EXPECT_EQ(heard_, (std::vector<std::string>{"only", "aes256-sha1", "aes256-sha512"}));
}

TEST_F(Watch, WhatAnIkdThatHasGoneToldIsNotCurrentBeforeItsSuccessorSaysTheSame) {
  const auto path = folder_ + "/ikd";
  auto listening = listen_as_another_process(path);
  PeersWatch watch(loop_, path,
                   {.gone = [](base::Mark) {},
                    .replaced = [](base::Time) {},
                    .only = [&](const std::set<base::Mark>&) { heard_.emplace_back("only"); }});
  const auto tell = [&](const base::Fd& connection, const char* event, const char* identity) {
    control::Peer peer;
    peer.mark = 0x100;
    peer.identity = identity;
    const auto told = control::Json{
        {"parameters", {{"event", event}, {"peer", control::to_json(peer)}}},
        {"continues",
         true}}.dump();
    ASSERT_GT(::send(connection.get(), told.c_str(), told.size() + 1, MSG_NOSIGNAL), 0);
    for (int i = 0; i < 20; ++i) loop_.run_once(5ms);
  };
  const base::Mark mark(0x100);
  auto connection = answer(listening);
  EXPECT_EQ(watch.current(mark), nullptr);
  tell(connection, "up", "alice");
  ASSERT_NE(watch.current(mark), nullptr);
  connection.reset();
  for (int i = 0; i < 20; ++i) loop_.run_once(5ms);
  EXPECT_EQ(watch.current(mark), nullptr) << "nobody answers: the mark may be bob's soon";
  EXPECT_NE(watch.peer(mark), nullptr) << "its tunnels go on";
  connection = base::Fd();
  for (int i = 0; i < 300 && !connection; ++i) {
    loop_.run_once(10ms);
    connection = base::Fd(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  EXPECT_EQ(watch.current(mark), nullptr) << "it has not told of it yet";
  tell(connection, "present", "bob");
  ASSERT_NE(watch.current(mark), nullptr);
  EXPECT_EQ(watch.current(mark)->identity, "bob");
}

TEST_F(Watch, OnlyAnotherIkdMakesTheOldMarksMeanNothing) {
  const auto path = folder_ + "/ikd";
  auto first = listen_as_another_process(path);
  const auto started = base::Clock::now();
  base::Time lost{};
  PeersWatch watch(loop_, path,
                   {.gone = [&](base::Mark) { heard_.emplace_back("gone"); },
                    .replaced =
                        [&](base::Time when) {
                          heard_.emplace_back("replaced");
                          lost = when;
                        },
                    .only = [&](const std::set<base::Mark>&) { heard_.emplace_back("only"); }});
  auto connection = answer(first);
  connection.reset();
  connection = answer(first);
  EXPECT_EQ(heard_, (std::vector<std::string>{"only", "only"}));
  first = listen_as_another_process(path);
  connection.reset();
  connection = answer(first);
  EXPECT_EQ(heard_, (std::vector<std::string>{"only", "only", "replaced", "only"}));
  EXPECT_GT(lost, started);
  EXPECT_LT(lost, base::Clock::now());
}

}  // namespace
}  // namespace l2tpd
