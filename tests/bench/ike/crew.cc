#include "crew.h"

#include <poll.h>

namespace bench {
namespace {

ike::Ticket ticket_of(const ike::Completion& completion) {
  return std::visit(
      [](const auto& each) {
        if constexpr (requires { each.ticket; }) return each.ticket;
        return ike::Ticket();
      },
      completion);
}

}  // namespace

ike::Completion Rehearsal::perform(const ike::ComputeDh& request) {
  auto result = dh_ == harness::Dh::real
                    ? *crypto::respond(request.group, request.peer_public_value)
                    : harness::pretend_respond(request.group, request.peer_public_value, random_);
  if (recording) results.exchanges[request.ticket] = {result.public_value, result.shared.clone()};
  return ike::DhDone{request.ticket, std::move(result)};
}

ike::Completion Rehearsal::perform(const ike::Sign& request) {
  auto done = credentials_.keys().sign(request);
  if (recording && done.signature) results.signatures[request.ticket] = *done.signature;
  return done;
}

ike::Completion Rehearsal::next() {
  auto job = std::move(jobs_.front());
  jobs_.pop_front();
  if (const auto* dh = std::get_if<ike::ComputeDh>(&job)) return perform(*dh);
  if (const auto* sign = std::get_if<ike::Sign>(&job)) return perform(*sign);
  if (const auto* derive = std::get_if<ike::DeriveSkeyids>(&job)) return credentials_.keys().derive(*derive);
  if (const auto* verify = std::get_if<ike::VerifyCertificate>(&job))
    return ike::CertificateVerified{verify->ticket, credentials_.verifier()->verify(*verify)};
  auto& attempt = std::get<ike::TryCandidates>(job);
  return ike::CandidatesTried{attempt.ticket, ike::first_fitting(attempt.trial)};
}

void Performance::start(ikd::Job job) {
  const auto ticket = std::visit([](const auto& j) { return j.ticket; }, job);
  order_.push_back(ticket);
  if (dh_ == harness::Dh::pretended && std::holds_alternative<ike::ComputeDh>(job)) {
    done_.emplace(ticket, exchange(ticket));
  } else {
    workers_.submit(std::move(job));
  }
}

ike::Completion Performance::next() {
  const auto ticket = order_.front();
  order_.pop_front();
  while (!done_.contains(ticket)) {
    pollfd readable{.fd = workers_.fd(), .events = POLLIN, .revents = 0};
    ::poll(&readable, 1, -1);
    workers_.collect([this](ike::Completion c) {
      const auto of = ticket_of(c);
      done_.emplace(of, as_rehearsed(std::move(c)));
    });
  }
  return std::move(done_.extract(ticket).mapped());
}

ike::Completion Performance::as_rehearsed(ike::Completion done) const {
  if (const auto* dh = std::get_if<ike::DhDone>(&done)) return exchange(dh->ticket);
  if (auto* made = std::get_if<ike::Signed>(&done); made != nullptr && made->signature)
    made->signature = results_.signatures.at(made->ticket);
  return done;
}

ike::DhDone Performance::exchange(ike::Ticket ticket) const {
  const auto& result = results_.exchanges.at(ticket);
  return {ticket, crypto::DhResult{result.public_value, result.shared.clone()}};
}

}  // namespace bench
