#pragma once
// Two engines whose Diffie-Hellman costs nothing, and what their tests ask of them.

#include <gmock/gmock.h>

#include "harness/pair.h"

namespace pair_scene {

using namespace std::chrono_literals;
using harness::Pair;
using harness::PairSettings;
using ike::ChildState;
using ike::EventKind;
using ::testing::IsEmpty;
using ::testing::SizeIs;

inline PairSettings cheap_pair() {
  PairSettings s;
  s.client_kernel.dh = s.gateway_kernel.dh = harness::Dh::pretended;
  s.gateway_kernel.seed = 2;
  s.connection.ike.transform = *ike::parse_ike_transform("aes256-sha256-modp2048");
  s.connection.esp.suite = *ike::parse_esp_suite("aes256-sha1");
  return s;
}

/// Both are up and talk.
struct TwoEngines : Pair {
  explicit TwoEngines(PairSettings s = cheap_pair()) : Pair(std::move(s)) {
    connect();
    run(2s);
    talk(true, true);
    run(1s);
  }

  std::size_t rekeyed(const Side& side) const { return side.kernel.events_of(EventKind::rekeyed); }
};

/// Each sends on a pair that the other has, and no more stands than `pairs`.
inline void expect_agreement(Pair& p, std::size_t pairs = 1) {
  for (auto* side : {&p.client(), &p.gateway()}) {
    EXPECT_EQ(Pair::count(*side, ChildState::active), 1u);
    EXPECT_LE(side->kernel.inbound_sas(), pairs);
    EXPECT_LE(side->kernel.outbound_sas(), pairs);
    EXPECT_EQ(side->engine.peers().size(), 1u);
  }
  EXPECT_THAT(p.complaints(), IsEmpty());
}

}  // namespace pair_scene
