// Who may log in through a peer whose connection is bound to a user, and what happens when ikd cannot say.

#include "l2tpd/bindings.h"

#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "control/interfaces.h"
#include "control/rows.h"
#include "control/server.h"

namespace l2tpd {
namespace {

using ::testing::ElementsAre;

class BindingsTest : public ::testing::Test {
 protected:
  BindingsTest() {
    char folder[] = "/tmp/bindings.XXXXXX";
    if (!::mkdtemp(folder)) std::abort();
    folder_ = folder;
    config_.ike.psks.push_back({.name = "alice",
                                .peer = {},
                                .device = false,
                                .bind_user = true,
                                .aggressive = false,
                                .identity = "alice",
                                .line = 1});
  }
  ~BindingsTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<control::Server> ikd() {
    auto server = control::Server::listen(loop_, {.path = folder_ + "/ikd", .product = "ikd", .version = "1"},
                                          control::ike_interface);
    EXPECT_TRUE(server);
    (*server)->handle("PeerByMark", [this](const control::Json& parameters, control::Call call) {
      ++asked_;
      if (mute_) return held_.push_back(std::move(call));
      control::Peer peer;
      const auto mark = parameters.at("mark").get<std::uint32_t>();
      if (mark == 0x100) peer.bound_to = {"alice"};
      if (mark > 0x200) return call.fail(control::no_such_peer);
      call.reply({{"peer", to_json(peer)}});
    });
    return std::move(*server);
  }

  base::Result<Bindings::Logins> ask(Bindings& bindings, std::uint32_t mark) {
    std::optional<base::Result<Bindings::Logins>> out;
    bindings.ask(base::Mark(mark), [&](base::Result<Bindings::Logins> answer) { out = std::move(answer); });
    for (int i = 0; i < 500 && !out; ++i) loop_.run_once(std::chrono::milliseconds(10));
    return out ? *out : base::fail("no answer");
  }

  os::Loop loop_;
  std::string folder_;
  config::Config config_;
  int asked_ = 0;
  bool mute_ = false;
  std::vector<control::Call> held_;
};

TEST_F(BindingsTest, IkdSaysWhoMayLogIn) {
  const auto server = ikd();
  Bindings bindings(loop_, config_, folder_ + "/ikd");
  const auto bound = ask(bindings, 0x100);
  ASSERT_TRUE(bound) << bound.error().message;
  ASSERT_TRUE(*bound);
  EXPECT_THAT(**bound, ElementsAre("alice"));
  const auto free = ask(bindings, 0x200);
  ASSERT_TRUE(free) << free.error().message;
  EXPECT_FALSE(*free);
  EXPECT_FALSE(ask(bindings, 0x300)) << "nobody's mark";
}

TEST_F(BindingsTest, NothingIsAskedWhereNothingIsBound) {
  config_.ike.psks.clear();
  Bindings bindings(loop_, config_, folder_ + "/ikd");
  EXPECT_TRUE(ask(bindings, 0x100)) << "though no ikd is there";
}

TEST_F(BindingsTest, PeerWithoutIpsecIsBoundToNothing) {
  Bindings bindings(loop_, config_, folder_ + "/ikd");
  EXPECT_TRUE(ask(bindings, 0));
}

TEST_F(BindingsTest, AnIkdThatIsStartingIsWaitedFor) {
  Bindings bindings(loop_, config_, folder_ + "/ikd");
  std::optional<bool> bound;
  bindings.ask(base::Mark(0x100), [&](const auto& answer) { bound = answer && *answer; });
  for (int i = 0; i < 20; ++i) loop_.run_once(std::chrono::milliseconds(10));
  EXPECT_FALSE(bound.has_value());
  const auto server = ikd();
  for (int i = 0; i < 300 && !bound; ++i) loop_.run_once(std::chrono::milliseconds(10));
  EXPECT_EQ(bound, true);
}

TEST_F(BindingsTest, NobodyGetsInWhileIkdCannotSay) {
  Bindings bindings(loop_, config_, folder_ + "/ikd");
  EXPECT_FALSE(ask(bindings, 0x100)) << "there is no ikd";
  auto server = ikd();
  mute_ = true;
  EXPECT_EQ(ask(bindings, 0x100).error().message, "ikd does not say whose connection it is");
  EXPECT_EQ(asked_, 1);
  held_.clear();
}

}  // namespace
}  // namespace l2tpd
