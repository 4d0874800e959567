#pragma once
// One engine with its fake kernel, any number of scripted initiators, the network between them, and the
// time of all.

#include <list>
#include <string>
#include <vector>

#include "harness/fake_kernel.h"
#include "harness/initiator.h"
#include "harness/network.h"
#include "ike/engine.h"

namespace harness {

struct WorldSettings {
  ike::Settings engine = {};
  KernelSettings kernel = {};
  std::uint64_t seed = 1;
  /// The engine's own address, behind a 1:1 NAT that gives it the public one.
  std::optional<base::Address> inside = {};
};

class World {
 public:
  explicit World(WorldSettings settings = {});

  /// `nat` must outlive the world; none: a public address.
  Initiator& add(InitiatorSettings settings, NatBox* nat = nullptr);
  /// Everything that happens within `span`.
  void run(base::Duration span);
  /// A datagram of nobody's, straight into the engine.
  void inject(const base::Endpoint& from, const base::Endpoint& to, ByteView bytes);
  /// Does what the responder and the initiators have decided, without moving time.
  void pump();

  ike::Engine& engine() { return engine_; }
  FakeKernel& kernel() { return kernel_; }
  Network& network() { return network_; }
  base::Time now() const { return now_; }

  /// What reached the engine's door and what left it, in order.
  const std::vector<Datagram>& arrived() const { return arrived_; }
  const std::vector<Datagram>& left() const { return left_; }

  std::uint64_t dropped(ike::DropReason why) const {
    return engine_.counters().dropped[static_cast<std::size_t>(why)];
  }
  /// The engine's peer that owns this pair; null when there is none.
  const ike::Peer* peer_of(const Initiator& initiator, std::size_t child = 0) const;
  /// Empty when the kernel holds both SAs of the pair with the initiator's keys, each reversed.
  std::string disagreement(const Initiator& initiator, std::size_t child = 0) const;
  /// Of the kernel and of all initiators.
  std::vector<std::string> complaints() const;
  /// No SA, policy, element, ISAKMP SA, peer or deadline is left.
  bool nothing_left() const;

 private:
  struct Host {
    Initiator initiator;
    NatBox* nat;
  };
  std::optional<base::Time> next_event() const;
  void deliver(Datagram datagram);

  WorldSettings settings_;
  base::Time now_{std::chrono::hours(1)};
  ike::Engine engine_;
  FakeKernel kernel_;
  Network network_;
  std::list<Host> hosts_;
  std::vector<Datagram> arrived_, left_;
};

}  // namespace harness
