#pragma once
// The engine, a crew for its slow work, and a kernel that agrees at once; and the clients that come to it.

#include <chrono>
#include <deque>
#include <type_traits>

#include "broker_beside.h"
#include "credentials.h"
#include "harness/initiator.h"
#include "ike/engine.h"

namespace bench {

using base::Address;
using base::Endpoint;

constexpr std::size_t crowd = 32;  ///< clients at once

struct Datagram {
  Endpoint from, to;
  base::Bytes bytes;
};

/// The engine, a crew for its slow work, and a kernel that agrees at once.
template <class Crew>
class Gateway {
 public:
  Gateway(Crew& crew, const ike::Settings& settings, BrokerBeside* broker = nullptr)
      : crew_(crew), broker_(broker), engine_(settings, harness::seeded_random(1)) {}

  void input(const Datagram& d, base::Time now) {
    engine_.input(d.from, d.to, d.bytes, now);
    act(now);
  }
  void settle(base::Time now) {
    while (crew_.busy()) {
      engine_.completed(crew_.next(), now);
      act(now);
    }
  }
  void timeout(base::Time now) {
    engine_.timeout(now);
    act(now);
    sends_.clear();
  }
  std::deque<ike::Send>& sends() { return sends_; }
  ike::Engine& engine() { return engine_; }

 private:
  void act(base::Time now) {
    while (auto effect = engine_.next_effect()) {
      if (auto* send = std::get_if<ike::Send>(&*effect)) {
        sends_.push_back(std::move(*send));
      } else if (auto* in = std::get_if<ike::InstallInbound>(&*effect)) {
        install(std::move(*in), now);
      } else if (auto* out = std::get_if<ike::InstallOutbound>(&*effect)) {
        install(std::move(*out), now);
      } else {
        start(std::move(*effect));
      }
    }
  }
  /// What is for the workers; the rest is not of a setup.
  void start(ike::Effect effect) {
    std::visit(
        [this]<class E>(E& each) {
          if constexpr (std::is_constructible_v<ikd::Job, E>) crew_.start(std::move(each));
        },
        effect);
  }
  template <class Request>
  void install(Request request, base::Time now) {
    ike::Installed done{request.ticket, {}};
    if (broker_ != nullptr) done.result = broker_->install(std::move(request));
    engine_.completed(std::move(done), now);
  }

  Crew& crew_;
  BrokerBeside* broker_;
  ike::Engine engine_;
  std::deque<ike::Send> sends_;
};

/// What a crowd of clients says at once, before the gateway answers.
struct Turn {
  base::Time now;
  std::vector<Datagram> said;
};

/// How many clients share a NAT's address.
enum class Sharing : std::uint32_t { none = 1, twenty = 20 };

/// Everybody's settings.
struct Scene {
  std::string_view transform = "aes256-sha256-modp2048";
  harness::Dh dh = harness::Dh::real;
  Sharing sharing = Sharing::twenty;
};

/// A client behind a NAT.
struct Client {
  harness::Initiator initiator;
  Address outside;
  std::uint16_t first_port;

  Client(std::uint32_t number, const Scene& scene, const Credentials& credentials);
  void speak(std::vector<Datagram>& said);
  bool hears(const ike::Send& d) const { return d.to.address == outside && d.to.port / 2 == first_port / 2; }
  bool content() const { return !initiator.children().empty() && initiator.complaints().empty(); }
};

/// Clients `first` and the `count` - 1 after it from message 1 to their SAs. `each` sees every turn.
template <class Crew, class Each>
bool connect(Gateway<Crew>& gateway, std::uint32_t first, std::size_t count, const Scene& scene,
             const Credentials& credentials, Each each) {
  const base::Time now{std::chrono::hours(1) + std::chrono::milliseconds(first)};
  std::deque<Client> clients;
  for (std::size_t i = 0; i < count; ++i) {
    clients.emplace_back(first + static_cast<std::uint32_t>(i), scene, credentials);
    clients.back().initiator.connect(now);
  }
  while (true) {
    Turn turn{.now = now, .said = {}};
    for (auto& c : clients) c.speak(turn.said);
    if (turn.said.empty()) break;
    for (const auto& d : turn.said) gateway.input(d, now);
    gateway.settle(now);
    each(std::move(turn));
    for (; !gateway.sends().empty(); gateway.sends().pop_front()) {
      const auto& d = gateway.sends().front();
      for (auto& c : clients) {
        if (c.hears(d))
          c.initiator.input(d.from, {c.initiator.settings().local.address, d.from.port}, d.bytes, now);
      }
    }
  }
  return std::ranges::all_of(clients, [](const Client& c) { return c.content(); });
}

}  // namespace bench
