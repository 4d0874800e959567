#include "ikd/workers.h"

#include <csignal>
#include <cstdint>
#include <stdexcept>
#include <utility>

#include <sys/eventfd.h>

namespace ikd {
namespace {

ike::KeyPairMade run(const ike::MakeKeyPair& request) {
  return {request.ticket, crypto::make_key_pair(request.group)};
}

ike::DhDone run(ike::ComputeDh& request) {
  if (!request.own) return {request.ticket, crypto::respond(request.group, request.peer_public_value)};
  auto shared = request.own->key.derive(request.peer_public_value);
  if (!shared) return {request.ticket, tl::unexpected(shared.error())};
  return {request.ticket, crypto::DhResult{std::move(request.own->public_value), std::move(*shared)}};
}

}  // namespace

Workers::Workers(std::vector<KeyService> keys, std::size_t most_waiting,
                 std::shared_ptr<const pki::Verifier> verifier)
    : keys_(std::move(keys)),
      verifier_(std::move(verifier)),
      most_waiting_(most_waiting),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_) throw std::runtime_error("cannot create an eventfd");
  // Signals belong to the loop's thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (const auto& service : keys_)
    threads_.emplace_back([this, &service](const std::stop_token& stop) { work(stop, service); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Workers::~Workers() {
  for (auto& thread : threads_) thread.request_stop();
  more_.notify_all();
}

void Workers::submit(Job job) {
  const auto* dh = std::get_if<ike::ComputeDh>(&job);
  {
    const std::lock_guard lock(mutex_);
    if (dh == nullptr || !dh->of_stranger || exchanges_.size() < most_waiting_) {
      (dh == nullptr ? proofs_ : exchanges_).push_back(std::move(job));
      more_.notify_one();
      return;
    }
  }
  finish(ike::DhDone{
      .ticket = dh->ticket, .result = base::fail("too many key exchanges are waiting"), .put_off = true});
}

void Workers::replace(std::shared_ptr<const pki::Verifier> verifier) {
  const std::lock_guard lock(mutex_);
  verifier_.swap(verifier);
}

ike::Completion Workers::perform(Job& job, const KeyService& keys, const pki::Verifier& verifier) {
  if (const auto* make = std::get_if<ike::MakeKeyPair>(&job)) return run(*make);
  if (auto* dh = std::get_if<ike::ComputeDh>(&job)) return run(*dh);
  if (const auto* derive = std::get_if<ike::DeriveSkeyids>(&job)) return keys.derive(*derive);
  if (const auto* sign = std::get_if<ike::Sign>(&job)) return keys.sign(*sign);
  if (const auto* verify = std::get_if<ike::VerifyCertificate>(&job))
    return ike::CertificateVerified{verify->ticket, verifier.verify(*verify)};
  auto& attempt = std::get<ike::TryCandidates>(job);
  return ike::CandidatesTried{attempt.ticket, ike::first_fitting(attempt.trial)};
}

void Workers::work(const std::stop_token& stop, const KeyService& keys) {
  while (!stop.stop_requested()) {
    Job job;
    std::shared_ptr<const pki::Verifier> verifier;
    {
      std::unique_lock lock(mutex_);
      if (!more_.wait(lock, stop, [this] { return !proofs_.empty() || !exchanges_.empty(); })) return;
      auto& jobs = proofs_.empty() ? exchanges_ : proofs_;
      job = std::move(jobs.front());
      jobs.pop_front();
      verifier = verifier_;
    }
    finish(perform(job, keys, *verifier));
  }
}

void Workers::finish(ike::Completion done) {
  {
    const std::lock_guard lock(mutex_);
    results_.push_back(std::move(done));
  }
  eventfd_write(wake_.get(), 1);
}

void Workers::collect(const std::function<void(ike::Completion)>& handle) {
  std::uint64_t count = 0;
  eventfd_read(wake_.get(), &count);
  std::deque<ike::Completion> ready;
  {
    const std::lock_guard lock(mutex_);
    ready.swap(results_);
  }
  for (auto& done : ready) handle(std::move(done));
}

std::size_t Workers::waiting() const {
  const std::lock_guard lock(mutex_);
  return proofs_.size() + exchanges_.size();
}

}  // namespace ikd
