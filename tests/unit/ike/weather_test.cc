// Loss, duplication and reordering, slow and failing workers: whatever the seed, both sides end with the
// same pairs or with none, and after the last Delete nothing is left.

#include "scene.h"

namespace {

using namespace scene;

struct Weather {
  const char* name;
  double loss;
  double duplicate;
  std::chrono::milliseconds jitter;
  std::chrono::milliseconds install_delay;
  double refuse;
  int seeds;
};
class AnyWeather : public ::testing::TestWithParam<Weather> {};

void three_clients_come_rekey_and_go(const Weather& weather, std::uint64_t seed) {
  SCOPED_TRACE(seed);
  auto ws = cheap();
  ws.seed = ws.kernel.seed = seed;
  ws.kernel.install_delay = weather.install_delay;
  ws.kernel.dh_delay = weather.install_delay;
  ws.kernel.jitter = weather.jitter;
  ws.kernel.refuse_chance = weather.refuse;
  World w(ws);
  w.network().conditions = {.loss = weather.loss, .duplicate = weather.duplicate, .jitter = weather.jitter};
  NatBox first(nat_a), second(nat_b);
  std::vector<Initiator*> clients{&w.add(host(2, seed * 10), &first), &w.add(host(3, seed * 10 + 1), &first),
                                  &w.add(host(2, seed * 10 + 2), &second)};
  for (auto* c : clients) c->connect(w.now());
  w.run(40s);
  for (auto* c : clients) c->quick_mode(w.now());
  w.run(1s);
  for (auto* c : clients) c->rekey_ike(w.now());
  w.run(1s);
  for (auto* c : clients) c->quick_mode(w.now());
  w.run(100s);
  EXPECT_THAT(w.complaints(), IsEmpty());
  EXPECT_THAT(w.kernel().imbalances(), IsEmpty());

  w.network().conditions = {};
  w.kernel().settings().refuse_chance = 0;
  // Also for those that believe to be up: who got no SA within a minute was given up, and may not have heard.
  for (auto* c : clients) c->main_mode(w.now());
  w.run(30s);
  for (auto* c : clients) c->quick_mode(w.now());
  w.run(60s);
  for (auto* c : clients) EXPECT_EQ(w.disagreement(*c, c->children().size() - 1), "");
  EXPECT_EQ(w.kernel().outbound_sas(), 3u);
  EXPECT_THAT(w.kernel().imbalances(), IsEmpty());
  for (auto* c : clients) {
    while (!c->children().empty()) c->delete_esp(c->children()[0].in);
    while (c->ike_up()) c->delete_isakmp();
  }
  w.run(9h);
  EXPECT_TRUE(w.nothing_left());
  EXPECT_THAT(w.complaints(), IsEmpty());
}

TEST_P(AnyWeather, BothSidesEndAlikeAndNothingIsLeft) {
  const auto& weather = GetParam();
  for (int seed = 1; seed <= weather.seeds; ++seed) {
    three_clients_come_rekey_and_go(weather, static_cast<std::uint64_t>(seed));
    if (HasFailure()) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Weather, AnyWeather,
                         ::testing::Values(Weather{"Calm", 0, 0, 0ms, 0ms, 0, 3},
                                           Weather{"Lossy", 0.2, 0, 0ms, 0ms, 0, 40},
                                           Weather{"Doubling", 0, 0.5, 300ms, 0ms, 0, 40},
                                           Weather{"Reordering", 0.05, 0.1, 3000ms, 20ms, 0, 40},
                                           Weather{"SlowKernel", 0.1, 0.1, 500ms, 1500ms, 0, 40},
                                           Weather{"FailingKernel", 0.1, 0.2, 500ms, 300ms, 0.3, 40}),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
