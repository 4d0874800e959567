#include "ikd/workers.h"

#include <map>

#include <gtest/gtest.h>
#include <poll.h>

namespace ikd {
namespace {

std::shared_ptr<const pki::Verifier> nobody() {
  return std::make_shared<const pki::Verifier>(pki::Revocation::if_known);
}
/// As many as threads; nothing here asks them.
std::vector<KeyService> no_keys(std::size_t threads) { return std::vector<KeyService>(threads); }

std::map<std::uint64_t, ike::DhDone> wait_for(Workers& workers, std::size_t count) {
  std::map<std::uint64_t, ike::DhDone> done;
  while (done.size() < count) {
    pollfd readable{.fd = workers.fd(), .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, 20000) <= 0) break;
    workers.collect([&](ike::Completion completion) {
      auto& d = std::get<ike::DhDone>(completion);
      const auto ticket = d.ticket.value;
      done.emplace(ticket, std::move(d));
    });
  }
  return done;
}

TEST(Workers, BothSidesArriveAtTheSameSecret) {
  Workers workers(no_keys(2), 100, nobody());
  const auto initiator = crypto::DhKey::generate(crypto::Group::ecp256);
  ASSERT_TRUE(initiator);
  workers.submit(ike::ComputeDh{ike::Ticket(7), crypto::Group::ecp256, *initiator->public_value()});
  const auto done = wait_for(workers, 1);
  ASSERT_TRUE(done.contains(7));
  ASSERT_TRUE(done.at(7).result);
  const auto shared = initiator->derive(done.at(7).result->public_value);
  ASSERT_TRUE(shared);
  EXPECT_TRUE(base::equal(shared->view(), done.at(7).result->shared.view()));
}

TEST(Workers, AnInvalidValueIsAnErrorOfItsOwnTicketOnly) {
  Workers workers(no_keys(1), 100, nobody());
  const auto initiator = crypto::DhKey::generate(crypto::Group::curve25519);
  ASSERT_TRUE(initiator);
  workers.submit(ike::ComputeDh{ike::Ticket(1), crypto::Group::modp2048, base::Bytes(256)});
  workers.submit(ike::ComputeDh{ike::Ticket(2), crypto::Group::curve25519, *initiator->public_value()});
  const auto done = wait_for(workers, 2);
  ASSERT_EQ(done.size(), 2u);
  EXPECT_FALSE(done.at(1).result);
  EXPECT_TRUE(done.at(2).result);
}

TEST(Workers, AFullQueueAnswersAtOnce) {
  Workers workers(no_keys(1), 0, nobody());
  workers.submit(ike::ComputeDh{ike::Ticket(1), crypto::Group::modp2048, {}, {}, true});
  const auto done = wait_for(workers, 1);
  ASSERT_TRUE(done.contains(1));
  ASSERT_FALSE(done.at(1).result);
  EXPECT_NE(done.at(1).result.error().message.find("waiting"), std::string::npos);
}

TEST(Workers, AFullQueueIsNoneForWhoHasProvenHimself) {
  Workers workers(no_keys(1), 0, nobody());
  const auto theirs = crypto::DhKey::generate(crypto::Group::curve25519);
  ASSERT_TRUE(theirs);
  workers.submit(ike::ComputeDh{ike::Ticket(1), crypto::Group::curve25519, *theirs->public_value()});
  const auto done = wait_for(workers, 1);
  ASSERT_TRUE(done.contains(1));
  EXPECT_TRUE(done.at(1).result);
}

TEST(Workers, WhatEndsANegotiationDoesNotWaitForThoseThatBegin) {
  Workers workers(no_keys(1), 100, nobody());
  const auto initiator = crypto::DhKey::generate(crypto::Group::modp3072);
  ASSERT_TRUE(initiator);
  constexpr std::size_t crowd = 40;
  for (std::uint64_t i = 0; i < crowd; ++i)
    workers.submit(
        ike::ComputeDh{ike::Ticket(i), crypto::Group::modp3072, *initiator->public_value(), {}, true});
  workers.submit(ike::TryCandidates{.ticket = ike::Ticket(crowd), .trial = {}});
  std::vector<bool> was_proof;
  for (int i = 0; i < 600 && was_proof.size() < crowd + 1; ++i) {
    pollfd p{.fd = workers.fd(), .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, 100) <= 0) continue;
    workers.collect(
        [&](ike::Completion c) { was_proof.push_back(std::holds_alternative<ike::CandidatesTried>(c)); });
  }
  ASSERT_EQ(was_proof.size(), crowd + 1);
  EXPECT_FALSE(was_proof.back());
}

}  // namespace
}  // namespace ikd
