// The broker's process with a real kernel, and the test in the place of the process that parses packets, as
// one that has been taken over would be.

#include "ikd/broker_process.h"

#include <csignal>
#include <future>
#include <thread>

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include "../puppet/puppet.h"
#include "broker_messages.h"
#include "ikd/broker_client.h"
#include "ike/v1/keymat.h"
#include "in_a_kernel.h"

namespace ikd {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

class BrokerBeside : public InAKernel {
 protected:
  void SetUp() override {
    InAKernel::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    leave_a_peer();
    puppet_.emplace(directory_ + "/puppet");
    auto broker = BrokerProcess::start(*loaded(), {.run_directory = directory_,
                                                   .partner = {.argv = puppet_->command()},
                                                   .load = [this] { return loaded(); },
                                                   .log_level = base::Severity::debug});
    ASSERT_TRUE(broker) << broker.error().message;
    broker_ = std::move(*broker);
    requests_ = puppet_->channel();
    auto hello = requests_.receive();
    ASSERT_TRUE(hello);
    auto decoded = decode_hello(hello->bytes.view());
    ASSERT_TRUE(decoded);
    hello_ = std::move(*decoded);
    descriptors_ = std::move(hello->descriptors);
    ASSERT_EQ(descriptors_.size(), hello_.listeners.size() + 3 + hello_.workers);
    notices_ = os::Channel(std::move(descriptors_[hello_.listeners.size() + 2]));
    keys_ = os::Channel(std::move(descriptors_[hello_.listeners.size() + 3]));
    running_ = std::async(std::launch::async, [this] { return broker_->run(); });
  }
  void TearDown() override {
    if (running_.valid()) {
      puppet_->let_go();
      running_.get();
    }
    broker_.reset();
    InAKernel::TearDown();
  }
  void end_with(std::uint8_t status) { ASSERT_TRUE(puppet_->end_with(status)); }
  bool asks(const os::Channel& channel) {
    pollfd readable{.fd = channel.fd(), .events = POLLIN, .revents = 0};
    return ::poll(&readable, 1, 10'000) == 1;
  }
  Notice noticed() {
    EXPECT_TRUE(asks(notices_));
    const auto message = notices_.receive();
    return message ? Notice{message->bytes.view().front()} : Notice{};
  }
  template <class Wanted>
  std::optional<Wanted> ask(os::Channel& channel, const Request& request) {
    if (!channel.send(encode(request).view())) return std::nullopt;
    const auto message = channel.receive();
    auto answer = message ? decode_answer(message->bytes.view()) : std::nullopt;
    if (!answer || !std::holds_alternative<Wanted>(*answer)) return std::nullopt;
    return std::move(std::get<Wanted>(*answer));
  }

  std::unique_ptr<BrokerProcess> broker_;
  std::optional<Puppet> puppet_;
  os::Channel requests_, notices_, keys_;
  Hello hello_;
  std::vector<base::Fd> descriptors_;
  std::future<bool> running_;
};

TEST_F(BrokerBeside, HandsOverItsOpenSockets) {
  ASSERT_EQ(hello_.listeners.size(), 2u);
  EXPECT_EQ(hello_.listeners[0], (base::Endpoint{base::Address(), 500}));
  EXPECT_EQ(hello_.listeners[1], (base::Endpoint{base::Address(), 4500}));
  for (std::size_t i = 0; i < 2; ++i) {
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ASSERT_EQ(::getsockname(descriptors_[i].get(), reinterpret_cast<sockaddr*>(&bound), &size), 0);
    EXPECT_EQ(base::Endpoint::from_sockaddr(bound)->port, hello_.listeners[i].port);
  }
  EXPECT_EQ(hello_.log_level, base::Severity::debug) << "however the other process was started";
  EXPECT_NE(hello_.user, 0u);
  EXPECT_NE(hello_.group, 0u);
  EXPECT_FALSE(there()) << "an earlier run's peer is gone";
}

TEST_F(BrokerBeside, DoesWhatIsAskedForWithinItsRange) {
  const ike::PeerEntry peer{
      .mark = base::Mark(0x700), .alias = alias, .home = base::Address::v4(0xc6336401), .dialled = gateway};
  BrokerClient client(std::move(requests_));
  client.ready();
  client.alive();
  EXPECT_TRUE(client.ruleset_loaded());
  EXPECT_TRUE(client.fill_maps({peer}));
  EXPECT_TRUE(there());
  EXPECT_TRUE(client.remove(ike::RemovePeer{peer}));
  EXPECT_FALSE(there());
  EXPECT_EQ(client.compare({{.destination = alias, .spi = xfrm::Spi(0x1000), .protocol = 50, .mark = {}}})
                ->absent.size(),
            1u);
  EXPECT_EQ(
      client
          .remove(ike::RemoveSa{{.destination = alias, .spi = xfrm::Spi(0x1000), .protocol = 50, .mark = {}},
                                base::Mark(0x700)})
          ->in,
      0u)
      << "what is not there is as good as removed";
}

TEST_F(BrokerBeside, RefusesInWordsWhatLiesOutsideAndServesOn) {
  BrokerClient client(std::move(requests_));
  auto foreign = sample::inbound();
  foreign.sa.reqid = xfrm::Reqid(77);
  const auto installed = client.install(std::move(foreign));
  ASSERT_FALSE(installed);
  EXPECT_THAT(installed.error().message, HasSubstr("outside our range"));
  EXPECT_FALSE(client.fill_maps({{.mark = base::Mark(0x700),
                                  .alias = base::Address::v4(0x0a000001),
                                  .home = alias,
                                  .dialled = gateway}}));
  EXPECT_TRUE(client.ruleset_loaded());
}

TEST_F(BrokerBeside, DerivesSkeyidsAndNeverTellsASecret) {
  const auto request = [] {
    auto out = sample::derive();
    out.names = {"lab"};
    return out;
  };
  const auto done = ask<ike::SkeyidsDone>(keys_, request());
  ASSERT_TRUE(done);
  ASSERT_EQ(done->candidates.size(), 1u);
  const auto r = request();
  const auto expected = ike::v1::skeyid_of_psk(r.hash, base::as_bytes("swordfish"), r.ni, r.nr);
  EXPECT_TRUE(base::equal(done->candidates[0].skeyid.view(), expected.view()));
  const auto done_signing = ask<ike::Signed>(keys_, ike::Sign{ike::Ticket(1), 0, base::Bytes(20)});
  ASSERT_TRUE(done_signing);
  EXPECT_FALSE(done_signing->signature) << "there is no certificate";
}

TEST_F(BrokerBeside, KeysAndProvisionAreThoseOfTheFilesAsTheyWereLastRead) {
  auto asked = sample::derive();
  asked.names = {"guests"};
  const auto known = [&] {
    const auto done = ask<ike::SkeyidsDone>(keys_, asked);
    return done ? done->candidates.size() : 99;
  };
  BrokerClient client(os::Channel(base::Fd(::dup(requests_.fd()))));
  const auto before = client.provision();
  configure("", "[[ike.psk]]\nname = \"guests\"\n");
  EXPECT_EQ(*client.check_reload(), std::vector<std::string>{"+ PSK guests"});
  EXPECT_EQ(known(), 0u);
  EXPECT_EQ(client.provision().configuration, before.configuration);
  ASSERT_TRUE(client.reload());
  EXPECT_EQ(known(), 1u);
  const auto after = prepare(client.provision());
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_TRUE(after->settings.psks.contains("guests"));
  configure("");
  ASSERT_TRUE(client.reload());
  EXPECT_EQ(known(), 0u);
}

TEST_F(BrokerBeside, DoesNothingMoreForWhoSaysWhatNobodyWouldSay) {
  leave_a_peer();
  ASSERT_TRUE(requests_.send(base::as_bytes("let me in")));
  EXPECT_FALSE(requests_.receive());
  EXPECT_FALSE(ask<ike::SkeyidsDone>(keys_, sample::derive()));
  // It does not even end: nobody waits for it.
  EXPECT_FALSE(running_.get());
  EXPECT_FALSE(there()) << "everything of ours is removed";
}

TEST_F(BrokerBeside, KeysAreHadThroughTheirChannelsOnlyAndNothingElseThroughThose) {
  EXPECT_FALSE(ask<RulesetLoaded>(keys_, IsRulesetLoaded{}));
  EXPECT_FALSE(ask<ike::SkeyidsDone>(requests_, sample::derive()));
  EXPECT_FALSE(running_.get());
}

TEST_F(BrokerBeside, DoesNotWaitForWhoAsksAndNeverReads) {
  const Request question = Alive{};
  const auto bytes = encode(question);
  pollfd writable{.fd = requests_.fd(), .events = POLLOUT, .revents = 0};
  while (::poll(&writable, 1, 10'000) == 1 && (writable.revents & (POLLHUP | POLLERR)) == 0) {
    if (!requests_.send(bytes.view()) && errno != EAGAIN) break;
  }
  EXPECT_FALSE(running_.get());
}

TEST_F(BrokerBeside, EndsWhenTheOtherProcessDoes) {
  leave_a_peer();
  end_with(0);
  EXPECT_FALSE(running_.get()) << "nobody asked it to";
  EXPECT_FALSE(there());
}

TEST_F(BrokerBeside, PassesOnThatItIsToEnd) {
  ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
  EXPECT_EQ(noticed(), Notice::end);
  end_with(0);
  EXPECT_TRUE(running_.get());
}

TEST_F(BrokerBeside, AfterTheGoodbyeItsEndMayTakeAWhile) {
  ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
  EXPECT_EQ(noticed(), Notice::end);
  requests_ = {};
  ASSERT_EQ(running_.wait_for(2s), std::future_status::timeout);
  end_with(0);
  EXPECT_TRUE(running_.get());
}

TEST_F(BrokerBeside, TellsWhenTheGoodbyeWentWrong) {
  ASSERT_EQ(::kill(::getpid(), SIGTERM), 0);
  EXPECT_EQ(noticed(), Notice::end);
  end_with(3);
  EXPECT_FALSE(running_.get());
}

TEST_F(BrokerBeside, PassesOnThatTheFilesAreToBeReadAgain) {
  ASSERT_EQ(::kill(::getpid(), SIGHUP), 0);
  EXPECT_EQ(noticed(), Notice::reload);
}

TEST_F(BrokerBeside, TellsThatSomebodyChangedTheRuleset) {
  ASSERT_EQ(std::system("nft flush table inet sameroof"), 0);
  ASSERT_EQ(std::system("nft delete table inet sameroof"), 0);
  EXPECT_EQ(noticed(), Notice::ruleset_changed);
}

}  // namespace
}  // namespace ikd
