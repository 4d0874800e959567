// Who gets in, with which address, and who has to go for it.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "pretend_pppd.h"

namespace l2tpd {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

using LinksTest = PretendPppd;

TEST_F(LinksTest, WhoKnowsThePasswordGetsAnAddressAndItsLimits) {
  config_.users[0].limits = {.sessions = 0, .when_full = {}, .session = 3600s, .idle = 60s};
  dial(1);
  EXPECT_EQ(log_in(1, "alice"), "Y" + field("\x0a\x63\1\1"s) + field("\0\0\x0e\x10"s) + field("\0\0\0\x3c"s));
  dial(2);
  EXPECT_EQ(log_in(2, "alice", "guess"), refusal("Access denied"));
  EXPECT_EQ(log_in(2, "carol"), refusal("Access denied"));
  EXPECT_EQ(log_in(2, "bob"), lease("10.99.1.2"));
}

TEST_F(LinksTest, AnyNumberOfSessionsWithoutALimit) {
  for (std::uint16_t id = 1; id <= 4; ++id) {
    dial(id);
    EXPECT_THAT(log_in(id, "alice"), StartsWith("Y"));
  }
  EXPECT_TRUE(told_.empty());
}

TEST_F(LinksTest, BeyondTheLimitTheOldestSessionEnds) {
  config_.users[0].limits.sessions = 2;
  for (std::uint16_t id = 1; id <= 3; ++id) {
    dial(id);
    EXPECT_THAT(log_in(id, "alice"), StartsWith("Y"));
  }
  wait_for_the_end_of(1);
  EXPECT_EQ(told_, (std::map<std::uint16_t, std::string>{{1, "the user logged in anew"}}));
  dial(4);
  EXPECT_THAT(log_in(4, "bob"), StartsWith("Y")) << "whose limit is his own";
  EXPECT_EQ(told_.size(), 1u);
}

TEST_F(LinksTest, BeyondTheLimitTheNewSessionIsRefusedWhereThatIsConfigured) {
  config_.users[0].limits = {.sessions = 1, .when_full = config::WhenFull::refuse};
  dial(1);
  EXPECT_THAT(log_in(1, "alice"), StartsWith("Y"));
  dial(2);
  EXPECT_EQ(log_in(2, "alice"), refusal("1 of 1 sessions are in use"));
  links_->stop(tunnel(), name(1), "the peer hung up");
  wait_for_the_end_of(1);
  EXPECT_THAT(log_in(2, "alice"), StartsWith("Y"));
}

TEST_F(LinksTest, EachRefusalOfALoginIsCalledByItsName) {
  config_.ppp.pool = *base::Prefix::parse("10.99.1.1/32");
  links_->reconfigure();
  config_.users[1].limits = {.sessions = 1, .when_full = config::WhenFull::refuse};
  config_.users[1].address = address("10.99.2.1");
  for (std::uint16_t id = 1; id <= 6; ++id) dial(id);
  EXPECT_EQ(log_in(1, "alice", "guess"), refusal("Access denied"));
  EXPECT_EQ(log_in(1, "carol"), refusal("Access denied"));
  EXPECT_THAT(log_in(2, "alice"), StartsWith("Y"));
  EXPECT_THAT(log_in(3, "alice"), StartsWith("N")) << "nothing is left in the pool";
  EXPECT_THAT(log_in(4, "bob"), StartsWith("Y"));
  EXPECT_THAT(log_in(5, "bob"), StartsWith("N"));
  config_.users[1].limits = {.sessions = 0, .when_full = config::WhenFull::refuse};
  EXPECT_THAT(log_in(5, "bob"), StartsWith("N")) << "his address is in use";
  kill(sessions_[6]);
  wait_for_the_end_of(6);
  for (int turns = 0; turns < 100 && refused_.size() < 6; ++turns) loop_.run_once(5ms);
  EXPECT_THAT(refused_, ElementsAre("wrong_password alice", "no_such_user carol", "pool_exhausted alice",
                                    "too_many_sessions bob", "address_in_use bob", "ppp_failed "));
}

TEST_F(LinksTest, AnOperatorEndsTheSessionsOfOneUserAndNobodyElses) {
  for (std::uint16_t id = 1; id <= 3; ++id) {
    dial(id);
    EXPECT_THAT(log_in(id, id == 2 ? "bob" : "alice"), StartsWith("Y"));
  }
  EXPECT_TRUE(links_->end_sessions_of("carol", "the operator ended it").empty());
  EXPECT_EQ(links_->end_sessions_of("alice", "the operator ended it").size(), 2u);
  wait_for_the_end_of(1);
  wait_for_the_end_of(3);
  EXPECT_EQ(told_, (std::map<std::uint16_t, std::string>{{1, "the operator ended it"},
                                                         {3, "the operator ended it"}}));
  EXPECT_TRUE(links_->end_sessions_of("alice", "again").empty());
}

TEST_F(LinksTest, AnAddressOfTheUsersOwnPassesOnWhenTheOldSessionHasGone) {
  config_.users[0].address = address("10.99.1.77");
  config_.users[0].limits.sessions = 1;
  dial(100);  // which takes its time to end
  EXPECT_EQ(log_in(100, "alice"), lease("10.99.1.77"));
  dial(2);
  EXPECT_EQ(log_in(2, "alice"), "nothing");
  EXPECT_THAT(told_, ElementsAre(std::pair(std::uint16_t{100}, "the user logged in anew"s)));
  kill(sessions_[100]);
  wait_for_the_end_of(100);
  EXPECT_EQ(answer(2), lease("10.99.1.77"));
}

TEST_F(LinksTest, APppdThatWaitsIsAnsweredWhenItIsToEnd) {
  config_.users[0].address = address("10.99.1.77");
  config_.users[0].limits.sessions = 1;
  dial(100);
  log_in(100, "alice");
  dial(102);  // which has not ended, either
  EXPECT_EQ(log_in(102, "alice"), "nothing");
  links_->stop(tunnel(), name(102), "the peer hung up");
  EXPECT_EQ(answer(102), refusal("Access denied"));
  kill(sessions_[100]);
  wait_for_the_end_of(100);
  EXPECT_EQ(answer(102), "nothing") << "the address is not for who has gone";
}

TEST_F(LinksTest, APppdThatWaitsForIkdIsAnsweredWhenItIsToEnd) {
  config_.ike.psks.push_back({.name = "alice", .peer = {}, .bind_user = true});
  dial(100);
  EXPECT_EQ(log_in(100, "alice"), "nothing") << "ikd has not told whose connection it is";
  links_->stop(tunnel(), name(100), "the peer hung up");
  EXPECT_EQ(answer(100), refusal("Access denied"));
  told_of_.emplace();
  bindings_.heard(base::Mark(0x100));
  EXPECT_EQ(answer(100), "nothing") << "one question, one answer";
}

TEST_F(LinksTest, WhatAPppdAsksThatIsToEndIsAnswered) {
  dial(100);  // which has not heard of the signal yet
  links_->stop(tunnel(), name(100), "the peer hung up");
  EXPECT_EQ(log_in(100, "alice"), refusal("Access denied"));
  EXPECT_EQ(links_->counters().logins, 0u);
}

TEST_F(LinksTest, WhomRadiusLetsInGetsItsAddressOrOneOfThePool) {
  const auto judged = [this](std::uint16_t id, const std::string& user, char verdict,
                             const std::string& given) {
    return ask(id, "R" + field(user) + field({verdict}) + field(given));
  };
  for (std::uint16_t id = 1; id <= 5; ++id) dial(id);
  EXPECT_EQ(judged(1, "carol", '1', "\x0a\x63\x08\x01"), lease("10.99.8.1"));
  EXPECT_EQ(judged(2, "dave", '1', "\0\0\0\0"s), lease("10.99.1.1"));
  EXPECT_EQ(judged(3, "erin", '0', "\0\0\0\0"s), refusal("Access denied"));
  EXPECT_EQ(judged(3, "erin", '1', "\x0a\x63\0\1"s), refusal("Access denied")) << "our own address";
  EXPECT_EQ(judged(3, "erin", '1', "\xf0\0\0\1"s), refusal("Access denied")) << "an alias";
  EXPECT_EQ(judged(4, "erin", '1', "\x0a\x63\x08\x01"), refusal("10.99.8.1 is in use by another user"));
  EXPECT_EQ(judged(5, "carol", '1', "\x0a\x63\x08\x01"), lease("10.99.8.1"));
  EXPECT_THAT(told_, ElementsAre(std::pair(std::uint16_t{1}, "the user logged in anew"s)));
}

TEST_F(LinksTest, AnAddressInUseHasAUser) {
  dial(100);
  log_in(100, "alice");
  EXPECT_EQ(links_->user_at(address("10.99.1.1")), "alice");
  links_->stop(tunnel(), name(100), "the peer hung up");
  EXPECT_EQ(links_->user_at(address("10.99.1.1")), "alice") << "its pppd has not ended yet";
  EXPECT_EQ(links_->user_at(address("10.99.1.2")), std::nullopt);
}

TEST_F(LinksTest, AnAddressThatWasOursIsFreeOnceTheLinksOfThatTimeHaveGone) {
  const auto wants = [this](std::uint16_t id) {
    return ask(id, "R" + field("bob") + field("1") + field("\x0a\x63\0\1"s));
  };
  dial(1);
  config_.ppp.local_address = address("10.99.0.2");
  links_->reconfigure();
  EXPECT_EQ(log_in(1, "alice"), lease("10.99.1.1")) << "its pppd was told of the former one";
  dial(2);
  EXPECT_EQ(wants(2), refusal("10.99.0.1 is this server's own address"));
  links_->stop(tunnel(), name(1), "the peer hung up");
  wait_for_the_end_of(1);
  dial(3);
  EXPECT_EQ(wants(3), lease("10.99.0.1"));
}

TEST_F(LinksTest, AFullPoolIsSaidInWords) {
  config_.ppp.pool = *base::Prefix::parse("10.99.1.0/30");
  links_.emplace(loop_, config_, accounts_, bindings_, PppdProgram{.path = folder_ + "/pppd"},
                 Links::Calls{.ended = [](const auto&, const auto&, const auto&) {}});
  for (std::uint16_t id = 1; id <= 3; ++id) dial(id);
  EXPECT_EQ(log_in(1, "alice"), lease("10.99.1.1"));
  EXPECT_EQ(log_in(2, "bob"), lease("10.99.1.2"));
  EXPECT_EQ(log_in(3, "bob"), refusal("no address is left in the pool"));
}

TEST_F(LinksTest, TheEndOfASessionIsToldOnceWithItsReason) {
  dial(1);
  EXPECT_EQ(up(1, "ppp7"), "Y"s + '\0');  // of nobody who has logged in
  EXPECT_THAT(heard_, ElementsAre());
  log_in(1, "alice");
  up(1, "ppp7");
  EXPECT_EQ(links_->status(l2tp::TunnelId(1), l2tp::SessionId(1))->mtu, 1398);
  EXPECT_EQ(ask(1, "D" + field("ppp7") + field("\x0c")), "Y"s + '\0');
  links_->stop(tunnel(), name(1), "the peer hung up");
  wait_for_the_end_of(1);
  EXPECT_THAT(heard_, ElementsAre("ipv4 up ppp7: 10.99.1.1", "up ppp7", "begun ppp7: 10.99.1.1",
                                  "ipv4 down ppp7", "down ppp7", "over ppp7: the peer hung up"));
}

TEST_F(LinksTest, ASessionHasAPrefixOfItsOwnUntilItsPppdHasGone) {
  config_.ppp.ipv6_prefix = base::Prefix::parse("2001:db8:7::/63");
  links_->reconfigure();
  const auto ipv6_up = [this](std::uint16_t id, const char* ifname) {
    return ask(id, "V" + field(ifname) + field("\5\x76"));
  };
  const auto prefix_of = [this](std::uint16_t id) {
    const auto status = links_->status(l2tp::TunnelId(1), l2tp::SessionId(id));
    return status && status->ipv6_prefix ? status->ipv6_prefix->to_string() : "none";
  };
  for (std::uint16_t id = 1; id <= 3; ++id) dial(id);
  EXPECT_EQ(ipv6_up(1, "ppp7"), "Y"s + '\0');
  EXPECT_THAT(heard_, ElementsAre()) << "nobody has logged in";
  for (std::uint16_t id = 1; id <= 3; ++id) EXPECT_THAT(log_in(id, "alice"), StartsWith("Y"));
  EXPECT_EQ(prefix_of(1) + " " + prefix_of(2) + " " + prefix_of(3), "2001:db8:7::/64 2001:db8:7:1::/64 none");
  ipv6_up(1, "ppp7");
  ipv6_up(2, "ppp8");
  ipv6_up(3, "ppp9");
  EXPECT_THAT(heard_, ElementsAre("ipv6 up ppp7: 2001:db8:7::/64 of alice", "up ppp7",
                                  "ipv6 up ppp8: 2001:db8:7:1::/64 of alice", "up ppp8"));
  heard_.clear();
  EXPECT_EQ(ask(1, "W" + field("ppp7")), "Y"s + '\0');
  ipv6_up(1, "ppp7");
  links_->stop(tunnel(), name(1), "the peer hung up");
  wait_for_the_end_of(1);
  EXPECT_THAT(heard_, ElementsAre("ipv6 down ppp7", "down ppp7", "ipv6 up ppp7: 2001:db8:7::/64 of alice",
                                  "up ppp7", "begun ppp7: IPv6 alone", "ipv6 down ppp7", "down ppp7",
                                  "over ppp7: the peer hung up"));
  dial(4);
  log_in(4, "bob");
  EXPECT_EQ(prefix_of(4), "2001:db8:7::/64");
  made(4, "ppp8");  // where the second one's pppd was killed and has not been missed yet
  heard_.clear();
  kill(sessions_[2]);
  wait_for_the_end_of(2);
  EXPECT_THAT(heard_, ElementsAre("begun ppp8: IPv6 alone", "ipv6 down ppp8, now another's",
                                  "down ppp8, now another's", "over ppp8: pppd was ended by signal 9"));
}

TEST_F(LinksTest, ASessionWithIpv6AloneWasUp) {
  config_.ppp.ipv6_prefix = base::Prefix::parse("2001:db8:7::/63");
  links_->reconfigure();
  dial(1);
  log_in(1, "alice");
  ask(1, "V" + field("ppp7") + field("\5\x76"));
  const auto status = links_->status(l2tp::TunnelId(1), l2tp::SessionId(1));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->ifname, "ppp7");
  EXPECT_EQ(status->mtu, 1398);
  links_->refit(base::Mark(0x100),
                [](const l2tp::TunnelName&, const l2tp::SessionName&) { return std::uint16_t{1382}; });
  EXPECT_EQ(heard_.back(), "ppp7 1382");
  links_->refit(base::Mark(0x100),
                [](const l2tp::TunnelName&, const l2tp::SessionName&) { return std::uint16_t{1250}; });
  EXPECT_EQ(heard_.back(), "ppp7 1280") << "what IPv6 needs";
  kill(sessions_[1]);
  wait_for_the_end_of(1);
  for (int turns = 0; turns < 100 && told_.empty(); ++turns) loop_.run_once(5ms);
  EXPECT_EQ(told_.size(), 1u);
  EXPECT_THAT(users_down_, ElementsAre("alice"));
  EXPECT_THAT(refused_, ElementsAre()) << "that is for those who never were up";
}

TEST_F(LinksTest, ASessionBeginsWithIPCPOrWhenThatDoesNotCome) {
  config_.ppp.ipv6_prefix = base::Prefix::parse("2001:db8:7::/63");
  links_->reconfigure();
  for (std::uint16_t id = 1; id <= 2; ++id) {
    dial(id);
    log_in(id, "alice");
    ask(id, "V" + field("ppp" + std::to_string(id)) + field("\5\x76"));
  }
  heard_.clear();
  up(1, "ppp1");
  EXPECT_THAT(heard_, ElementsAre("ipv4 up ppp1: 10.99.1.1", "begun ppp1: 10.99.1.1"));
  heard_.clear();
  const auto start = base::Clock::now();
  while (heard_.empty() && base::Clock::now() < start + 20s) loop_.run_once(10ms);
  EXPECT_THAT(heard_, ElementsAre("begun ppp2: IPv6 alone"));
  EXPECT_GT(base::Clock::now() - start, 4s) << "it may still come";
  heard_.clear();
  up(2, "ppp2");
  EXPECT_THAT(heard_, ElementsAre("ipv4 up ppp2: 10.99.1.2")) << "it has begun before";
}

TEST_F(LinksTest, WhoHasIPv6AloneEndsWhereRadiusIsToHearOfIt) {
  config_.ppp.ipv6_prefix = base::Prefix::parse("2001:db8:7::/62");
  links_->reconfigure();
  radius_file_ = "/nowhere/radius.conf";
  const auto ifname = [](std::uint16_t id) { return "ppp" + std::to_string(id); };
  for (std::uint16_t id = 1; id <= 4; ++id) {
    dial(id);
    log_in(id, id % 2 ? "alice" : "bob");
    ask(id, "V" + field(ifname(id)) + field("\5\x76"));
    if (id > 1) up(id, ifname(id));
  }
  for (std::uint16_t id = 2; id <= 3; ++id) ask(id, "D" + field(ifname(id)) + field("\0"s));
  up(3, ifname(3));  // it has only negotiated anew
  const auto start = base::Clock::now();
  while (told_.size() < 2 && base::Clock::now() < start + 20s) loop_.run_once(10ms);
  EXPECT_GT(base::Clock::now() - start, 4s);
  for (std::uint16_t id = 1; id <= 2; ++id) wait_for_the_end_of(id);
  while (links_->size() > 2 && base::Clock::now() < start + 20s) loop_.run_once(10ms);
  const auto why = "it has IPv6 alone, of which RADIUS would hear nothing"s;
  EXPECT_THAT(told_, ElementsAre(std::pair(std::uint16_t{1}, why), std::pair(std::uint16_t{2}, why)));
  EXPECT_THAT(links_->counters().ended, ElementsAre(std::pair("unaccounted"s, std::uint64_t{2})));
  EXPECT_THAT(users_down_, ::testing::UnorderedElementsAre("alice", "bob"));
}

TEST_F(LinksTest, ALimitOfSessionsThatIsLoweredEndsNoneAndHoldsFromTheNextLoginOn) {
  for (std::uint16_t id = 1; id <= 3; ++id) {
    dial(id);
    EXPECT_THAT(log_in(id, "alice"), StartsWith("Y"));
    up(id, "ppp" + std::to_string(id));
  }
  config_.users[0].limits = {.sessions = 1, .when_full = config::WhenFull::refuse};
  links_->reconfigure();
  dial(4);
  EXPECT_EQ(log_in(4, "alice"), refusal("3 of 1 sessions are in use"));
  EXPECT_TRUE(told_.empty());
  config_.users[0].limits.when_full = config::WhenFull::replace;
  links_->reconfigure();
  EXPECT_TRUE(told_.empty());
  dial(5);
  EXPECT_THAT(log_in(5, "alice"), StartsWith("Y"));
  for (std::uint16_t id = 1; id <= 3; ++id) {
    wait_for_the_end_of(id);
    EXPECT_EQ(told_[id], "the user logged in anew");
  }
}

TEST_F(LinksTest, WhoNegotiatesIPCPAnewIsWatchedAgain) {
  dial(1);
  log_in(1, "alice");
  up(1, "ppp7");
  heard_.clear();
  ask(1, "D" + field("ppp7") + field("\0"s));
  up(1, "ppp7");
  EXPECT_THAT(heard_, ElementsAre("ipv4 down ppp7", "down ppp7", "ipv4 up ppp7: 10.99.1.1", "up ppp7"));
}

TEST_F(LinksTest, WhoLogsInAnewAsAnotherUserIsTurnedAway) {
  dial(1);
  log_in(1, "alice");
  up(1, "ppp7");
  ask(1, "D" + field("ppp7") + field("\0"s));
  EXPECT_EQ(log_in(1, "alice"), lease("10.99.1.1"));
  up(1, "ppp7");
  ask(1, "D" + field("ppp7") + field("\0"s));
  heard_.clear();
  EXPECT_EQ(log_in(1, "bob"), refusal("Access denied"));
  wait_for_the_end_of(1);
  EXPECT_EQ(told_[1], "another user logged in over it");
  EXPECT_THAT(heard_, ElementsAre("over ppp7: another user logged in over it"));
  EXPECT_THAT(users_down_, ElementsAre("alice")) << "whose session it was to everybody who was told of it";
}

TEST_F(LinksTest, WhomNobodyWouldWatchIsTurnedAwayAndNobodyElse) {
  config_.ppp.ipv6_prefix = base::Prefix::parse("2001:db8:7::/62");
  links_->reconfigure();
  for (std::uint16_t id = 1; id <= 4; ++id) {
    dial(id);
    log_in(id, "alice");
  }
  up(1, "ppp1");
  heard_.clear();
  watched_ = base::fail("adding ppp2: the set is full");
  EXPECT_EQ(up(2, "ppp2"), refusal("Access denied")) << "pppd waits for any answer";
  ask(3, "V" + field("ppp3") + field("\5\x76"));
  EXPECT_EQ(made(4, "ppp4"), refusal("Access denied"));
  EXPECT_THAT(told_, ElementsAre(std::pair(std::uint16_t{2}, "insufficient resources"s),
                                 std::pair(std::uint16_t{3}, "insufficient resources"s),
                                 std::pair(std::uint16_t{4}, "insufficient resources"s)));
  for (std::uint16_t id = 2; id <= 4; ++id) wait_for_the_end_of(id);
  EXPECT_THAT(refused_,
              ElementsAre("link_not_watched alice", "link_not_watched alice", "link_not_watched alice"));
  EXPECT_THAT(heard_, ElementsAre("ipv4 up ppp2: 10.99.1.2", "ipv6 up ppp3: 2001:db8:7:2::/64 of alice",
                                  "made ppp4"));
  EXPECT_THAT(users_down_, ElementsAre());
  EXPECT_EQ(links_->size(), 1u);
}

TEST_F(LinksTest, ALinkCarriesWhatFitsNowAndNeverMoreThanWasNegotiated) {
  for (std::uint16_t id = 1; id <= 2; ++id) dial(id);
  log_in(1, "alice");
  log_in(2, "bob");
  up(1, "ppp7");
  heard_.clear();
  const auto refit = [this](std::uint32_t mark, std::uint16_t largest) {
    links_->refit(base::Mark(mark),
                  [largest](const l2tp::TunnelName&, const l2tp::SessionName&) { return largest; });
  };
  refit(0x100, 1406);
  refit(0x200, 1382);
  EXPECT_THAT(heard_, ElementsAre()) << "1398 was negotiated, and the other is another peer";
  refit(0x100, 1382);
  refit(0x100, 1382);
  refit(0x100, 1406);
  EXPECT_THAT(heard_, ElementsAre("ppp7 1382", "ppp7 1398"));
  EXPECT_EQ(links_->status(l2tp::TunnelId(1), l2tp::SessionId(1))->mtu, 1398);
}

TEST_F(LinksTest, ALinkThatComesUpAnewCarriesWhatFitsNow) {
  dial(1);
  log_in(1, "alice");
  up(1, "ppp7");
  const auto refit = [this](std::uint16_t largest) {
    links_->refit(base::Mark(0x100),
                  [largest](const l2tp::TunnelName&, const l2tp::SessionName&) { return largest; });
  };
  refit(1382);
  ask(1, "D" + field("ppp7") + field("\0"s));
  heard_.clear();
  up(1, "ppp7");  // LCP began anew, and has set the interface's MTU to what it negotiated
  EXPECT_THAT(heard_, ElementsAre("ipv4 up ppp7: 10.99.1.1", "up ppp7", "ppp7 1382"));
  EXPECT_EQ(links_->status(l2tp::TunnelId(1), l2tp::SessionId(1))->mtu, 1382);
  ask(1, "D" + field("ppp7") + field("\0"s));
  refit(1300);
  heard_.clear();
  up(1, "ppp7");
  EXPECT_THAT(heard_, ElementsAre("ipv4 up ppp7: 10.99.1.1", "up ppp7", "ppp7 1300"));
}

TEST_F(LinksTest, ASessionCostsTheSameHoweverManyOthersThereAre) {
  config_.ppp.pool = *base::Prefix::parse("10.99.4.0/22");
  config_.ppp.ipv6_prefix = base::Prefix::parse("2001:db8:7::/48");
  links_->reconfigure();
  config_.users[1].limits.sessions = 1;
  config_.users[1].address = address("10.99.2.1");
  auto peer = tunnel();
  const auto cost = [&](std::uint16_t id) {
    const auto before = links_->looked_at();
    peer.id = l2tp::TunnelId(id);
    peer.mark = base::Mark(id * 0x100u);
    dial(peer, id);
    log_in(id, "bob");
    ask(id, "V" + field("ppp7") + field("\5\x76"));
    up(id, "ppp7");
    links_->refit(peer.mark,
                  [](const l2tp::TunnelName&, const l2tp::SessionName&) { return std::uint16_t{1382}; });
    kill(sessions_[id]);
    wait_for_the_end_of(id);
    return links_->looked_at() - before;
  };
  const auto alone = cost(1);
  for (std::uint16_t id = 10; id < 60; ++id) {
    peer.id = l2tp::TunnelId(id);
    peer.mark = base::Mark(id * 0x100u);
    dial(peer, id);
    log_in(id, "alice");
    up(id, "ppp" + std::to_string(id));
  }
  EXPECT_EQ(cost(2), alone);
  EXPECT_LE(alone, 2u) << "itself";
}

/// Links in clear text that nobody speaks for: each of a tunnel of its own.
class StrangersTest : public PretendPppd {
 protected:
  /// "", or why it was refused.
  std::string call_from(const std::string& address, base::Mark mark = {}) {
    auto stranger = tunnel();
    stranger.id = l2tp::TunnelId(static_cast<std::uint16_t>(100 + begun_.size()));
    stranger.mark = mark;
    stranger.remote = {*base::Address::parse(address), 1701};
    const auto started = start(stranger, 1);
    if (!started) return started.error().message;
    begun_.push_back(stranger);
    return "";
  }
  ~StrangersTest() override {
    for (const auto& stranger : begun_) links_->stop(stranger, name(1), "the test is over");
  }
  std::vector<l2tp::TunnelName> begun_;
};

TEST_F(StrangersTest, TheirLinksAreLimitedAllTogetherAndIPsecPeersAreNot) {
  auto known = tunnel();
  known.mark = {};
  known.remote = {address("192.0.2.1"), 1701};
  dial(known, 1);
  EXPECT_THAT(log_in(1, "alice"), StartsWith("Y"));
  for (int i = 0; i < 200; ++i) ASSERT_EQ(call_from(fmt::format("198.51.100.{}", i)), "") << i;
  EXPECT_EQ(call_from("198.51.100.200"), "200 PPP links in clear text have nobody logged in");
  dial(2);
  EXPECT_THAT(log_in(2, "bob"), StartsWith("Y")) << "who has IPsec";
  EXPECT_THAT(heard_, ElementsAre());
  links_->stop(begun_[0], name(1), "it hung up");
  const auto before = links_->size();
  for (int turns = 0; turns < 500 && links_->size() == before; ++turns) loop_.run_once(10ms);
  EXPECT_EQ(call_from("198.51.100.200"), "");
}

TEST_F(StrangersTest, MarksOfNobodyHaveNoNumberOfLinks) {
  for (std::uint32_t i = 1; i <= 1000; ++i) ASSERT_EQ(call_from("240.0.0.1", base::Mark(i << 8)), "") << i;
  const base::Mark another(1001 << 8);
  EXPECT_EQ(call_from("240.0.0.1", another), "ikd has told nothing of 1000 peers with PPP links");
  told_of_.emplace();
  EXPECT_EQ(call_from("240.0.0.1", another), "") << "in time";
}

TEST_F(StrangersTest, WhoeverHasLoggedInIsNoneOfThemButCountsForItsAddress) {
  config_.ppp.pool = *base::Prefix::parse("10.99.4.0/22");
  links_->reconfigure();
  auto known = tunnel();
  known.mark = {};
  for (std::uint16_t id = 1; id <= 256; ++id) {
    known.id = l2tp::TunnelId(id);
    known.remote = {address("192.0.2.1"), id};
    dial(known, id);
    ASSERT_THAT(log_in(id, "alice"), StartsWith("Y")) << id;
  }
  EXPECT_EQ(call_from("192.0.2.1"), "its address has 256 PPP links already");
  EXPECT_EQ(call_from("192.0.2.2"), "");
}

TEST_F(StrangersTest, NoAddressHasAllThePlacesAndOverIPv6NoNetwork) {
  for (int i = 0; i < 50; ++i) ASSERT_EQ(call_from(fmt::format("2001:db8:0:1::{:x}", i)), "") << i;
  EXPECT_EQ(call_from("2001:db8:0:1:ffff::1"), "50 PPP links of its address have nobody logged in");
  EXPECT_EQ(call_from("2001:db8:0:2::1"), "");
  EXPECT_EQ(call_from("192.0.2.1"), "");
}

TEST_F(LinksTest, APppdThatIsKilledTakesItsInterfaceDownUnlessAnotherHasTheName) {
  dial(1);
  log_in(1, "alice");
  EXPECT_EQ(made(1, "ppp7"), "Y"s + '\0');
  up(1, "ppp7");
  dial(2);
  EXPECT_EQ(made(2, "ppp7"), "Y"s + '\0');
  EXPECT_THAT(heard_, ElementsAre("made ppp7", "ipv4 up ppp7: 10.99.1.1", "up ppp7", "begun ppp7: 10.99.1.1"))
      << "nobody has logged in to the second";
  log_in(2, "bob");
  made(2, "ppp7");
  made(2, "ppp7");  // LCP began anew
  heard_.clear();
  kill(sessions_[1]);
  wait_for_the_end_of(1);
  EXPECT_THAT(heard_, ElementsAre("ipv4 down ppp7, now another's", "down ppp7, now another's",
                                  "gone ppp7, now another's", "over ppp7: pppd was ended by signal 9"));
  heard_.clear();
  up(2, "ppp7");
  kill(sessions_[2]);
  wait_for_the_end_of(2);
  EXPECT_THAT(heard_,
              ElementsAre("ipv4 up ppp7: 10.99.1.2", "up ppp7", "begun ppp7: 10.99.1.2", "ipv4 down ppp7",
                          "down ppp7", "gone ppp7", "over ppp7: pppd was ended by signal 9"));
  EXPECT_EQ(links_->counters().ended.at("killed"), 2u);
}

}  // namespace
}  // namespace l2tpd
