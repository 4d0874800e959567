// A day's worth of rekeys and many days more: two engines renew both phases on virtual time, in bad weather,
// and afterwards hold no more memory than near the beginning; meanwhile no packet finds its SA missing.
//   rekey_soak [REKEYS]      a million unless told otherwise, some minutes in the release preset

#include <cstdio>
#include <cstdlib>

#include <malloc.h>

#include "harness/pair.h"

namespace {

using namespace std::chrono_literals;

// What is under way at the two moments differs by so much; a leak of a byte a rekey would be ten times that.
constexpr double spare_bytes = 64 * 1024;

harness::PairSettings bad_weather() {
  harness::PairSettings s;
  s.client_kernel.dh = s.gateway_kernel.dh = harness::Dh::pretended;
  s.gateway_kernel.seed = 2;
  s.connection.ike.transform = *ike::parse_ike_transform("aes256-sha256-modp2048");
  s.connection.esp.suite = *ike::parse_esp_suite("aes256-sha1");
  s.connection.esp.lifetime = 1h;
  s.connection.ike.lifetime = 8h;
  s.esp_interval = 1min;
  return s;
}

std::size_t allocated() {
  const auto heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;  // what is mapped by itself is not among the first
}

/// The harness writes down what the engines say; here it is only counted.
std::size_t rekeys_told(harness::Pair::Side& side) {
  const auto out = side.kernel.events_of(ike::EventKind::rekeyed);
  side.kernel.forget_events();
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t wanted = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  harness::Pair pair(bad_weather());
  pair.connect();
  pair.run(5s);
  pair.talk(true, true);
  pair.network().conditions = {.loss = 0.05, .duplicate = 0.05, .delay = 30ms, .jitter = 60ms};
  std::size_t rekeys = 0, begun = 0, connections_lost = 0, heap = 0;
  while (rekeys < wanted) {
    pair.run(24h);
    for (auto* side : {&pair.client(), &pair.gateway()})
      connections_lost += side->kernel.events_of(ike::EventKind::peer_lost);
    (void)rekeys_told(pair.client());
    const auto more = rekeys_told(pair.gateway());
    if (more == 0) {
      std::fprintf(stderr, "no rekey for a day, after %zu\n", rekeys);
      return 1;
    }
    rekeys += more;
    if (heap == 0 && rekeys >= wanted / 10) {
      heap = allocated();
      begun = rekeys;
    }
  }
  const double grown = static_cast<double>(allocated()) - static_cast<double>(heap);
  const double each = grown / static_cast<double>(rekeys - begun);
  std::printf("%zu rekeys in %.0f days: the heap grew by %.0f bytes, %.3f a rekey; %zu packets found no SA\n",
              rekeys, std::chrono::duration<double>(pair.now().time_since_epoch()).count() / 86400, grown,
              each, pair.lost().size());
  for (const auto& complaint : pair.complaints()) std::fprintf(stderr, "%s\n", complaint.c_str());
  const bool flat = grown < spare_bytes;
  return flat && connections_lost == 0 && pair.lost().empty() && pair.complaints().empty() ? 0 : 1;
}
