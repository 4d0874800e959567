#include "broker_beside.h"

#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "cost.h"
#include "ikd/range.h"
#include "ike/engine.h"

namespace bench {
namespace {

ikd::Answer answer(const ikd::Keys& keys, const ikd::Range& range, const ikd::Request& request) {
  if (const auto* derive = std::get_if<ike::DeriveSkeyids>(&request)) return keys.derive(*derive);
  if (const auto* sign = std::get_if<ike::Sign>(&request)) return keys.sign(*sign);
  const auto* in = std::get_if<ike::InstallInbound>(&request);
  const auto* out = std::get_if<ike::InstallOutbound>(&request);
  const bool admitted = (in != nullptr && range.admits(*in)) || (out != nullptr && range.admits(*out));
  if (!admitted)
    return ikd::Done{ike::refused_as(ike::Refusal::kernel_refused, base::fail("not in the range"))};
  return ikd::Done{};
}

void serve(const ikd::Keys& keys, std::vector<os::Channel>& channels) {
  const ikd::Range range(ike::Settings{}.numbering, {});
  std::vector<std::jthread> threads;
  for (auto& channel : channels)
    threads.emplace_back([&keys, &range, &channel] {
      while (const auto message = channel.receive()) {
        const auto request = ikd::decode_request(message->bytes.view());
        if (!request || !channel.send(ikd::encode(answer(keys, range, *request)).view())) return;
      }
    });
}

}  // namespace

BrokerBeside::BrokerBeside(const ikd::Keys& keys, unsigned threads) {
  std::vector<os::Channel> ours, theirs;
  for (unsigned i = 0; i <= threads; ++i) {
    auto [one, other] = os::Channel::pair().value();
    ours.push_back(std::move(one));
    theirs.push_back(std::move(other));
  }
  child_ = ::fork();
  if (child_ == 0) {
    ours.clear();
    serve(keys, theirs);
    ::_exit(0);
  }
  clock_getcpuclockid(child_, &clock_);
  client_.emplace(std::move(ours.back()));
  ours.pop_back();
  for (auto& channel : ours) services_.push_back(ikd::keys_behind(std::move(channel)));
}

BrokerBeside::~BrokerBeside() {
  client_.reset();
  services_.clear();
  ::waitpid(child_, nullptr, 0);
}

std::vector<ikd::KeyService> BrokerBeside::services() {
  std::vector<ikd::KeyService> out;
  for (const auto& service : services_)
    out.push_back({.derive =
                       [this, &service](const ike::DeriveSkeyids& r) {
                         ++round_trips;
                         return service.derive(r);
                       },
                   .sign =
                       [this, &service](const ike::Sign& r) {
                         ++round_trips;
                         return service.sign(r);
                       }});
  return out;
}

double BrokerBeside::cpu() const { return cpu_seconds(clock_); }

std::vector<ikd::KeyService> keys_within(const ikd::Keys& keys, unsigned threads) {
  const ikd::KeyService service{.derive = [&keys](const ike::DeriveSkeyids& r) { return keys.derive(r); },
                                .sign = [&keys](const ike::Sign& r) { return keys.sign(r); }};
  return std::vector(threads, service);
}

}  // namespace bench
