// Who may log in through a peer whose connection is bound to a user, and what happens when ikd does not say.

#include "l2tpd/bindings.h"

#include <map>

#include <gmock/gmock.h>

namespace l2tpd {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using Logins = Bindings::Logins;

class BindingsTest : public ::testing::Test {
 protected:
  BindingsTest() { config_.ike.psks.push_back({.name = "alice", .peer = {}, .bind_user = true}); }

  void ikd_tells(std::uint32_t mark, Logins logins) {
    peers_[base::Mark(mark)].bound_to = std::move(logins);
    bindings_.heard(base::Mark(mark));
  }
  void ask(std::uint32_t mark) {
    bindings_.ask(base::Mark(mark), [this](base::Result<Logins> answer) {
      if (!answer)
        answers_.push_back(answer.error().message);
      else
        answers_.push_back(*answer ? (*answer)->front() : "anybody");
    });
  }

  os::Loop loop_;
  config::Config config_;
  std::map<base::Mark, control::Peer> peers_;
  Bindings bindings_{loop_, config_, [this](base::Mark mark) {
                       const auto peer = peers_.find(mark);
                       return peer == peers_.end() ? nullptr : &peer->second;
                     }};
  std::vector<std::string> answers_;
};

TEST_F(BindingsTest, WhatIkdHasToldOfIsAnsweredAtOnce) {
  ikd_tells(0x100, std::vector<std::string>{"alice"});
  ikd_tells(0x200, std::nullopt);
  ask(0x100);
  ask(0x200);
  EXPECT_THAT(answers_, ElementsAre("alice", "anybody"));
}

TEST_F(BindingsTest, NothingIsAskedWhereNothingIsBound) {
  config_.ike.psks.clear();
  ask(0x100);
  EXPECT_THAT(answers_, ElementsAre("anybody")) << "though no ikd is there";
}

TEST_F(BindingsTest, WhatIkdHasReadAlreadyHolds) {
  config_.ike.psks.clear();  // as before a reload of ikd alone
  ikd_tells(0x100, std::vector<std::string>{"alice"});
  ask(0x100);
  EXPECT_THAT(answers_, ElementsAre("alice"));
}

TEST_F(BindingsTest, PeerWithoutIpsecIsBoundToNothing) {
  ask(0);
  EXPECT_THAT(answers_, ElementsAre("anybody"));
}

TEST_F(BindingsTest, AnIkdThatIsStartingIsWaitedFor) {
  ask(0x100);
  ask(0x200);
  ask(0x100);
  EXPECT_TRUE(answers_.empty());
  ikd_tells(0x100, std::vector<std::string>{"alice"});
  EXPECT_THAT(answers_, ElementsAre("alice", "alice")) << "and its neighbour waits on";
}

TEST_F(BindingsTest, NobodyGetsInWhileIkdDoesNotSay) {
  ask(0x100);
  const auto asked = base::Clock::now();
  bindings_.heard(base::Mark(0x100));  // of which it tells nothing that can be believed
  while (answers_.empty() && base::Clock::now() - asked < 10s) loop_.run_once(10ms);
  EXPECT_THAT(answers_, ElementsAre("ikd does not say whose connection it is"));
  ikd_tells(0x100, std::vector<std::string>{"alice"});
  EXPECT_EQ(answers_.size(), 1U) << "once";
}

}  // namespace
}  // namespace l2tpd
