// What one core costs for one peer: the responder with its public-key arithmetic, without sockets, kernel
// and clients. The scripted initiators' time is left out: only the calls into the responder and the
// execution of its effects are measured. Run it in the release preset.

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <memory>
#include <string>

#include <malloc.h>
#include <time.h>
#include <unistd.h>

#include "crypto/prf.h"
#include "harness/initiator.h"
#include "ike/engine.h"
#include "ike/v1/keymat.h"

namespace {

using namespace std::chrono_literals;
using base::Address;

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/// Resident, as the kernel counts it.
std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// A responder whose kernel always agrees at once, with a stop-watch on it.
class Gateway {
 public:
  /// `psks`: so many; the clients have the last one, and no address helps to find it.
  explicit Gateway(harness::Dh dh, std::size_t psks = 1)
      : dh_(dh),
        psks_(psks),
        random_(harness::seeded_random(1)),
        engine_(ike::Settings{}, crypto::random_bytes) {}

  void input(const base::Endpoint& from, const ike::Send& d, base::Time now) {
    const double begun = cpu_seconds();
    engine_.input(from, d.to, d.bytes, now);
    while (auto effect = engine_.next_effect()) execute(std::move(*effect), now);
    seconds_ += cpu_seconds() - begun;
  }

  std::deque<ike::Send>& sends() { return sends_; }
  ike::Engine& engine() { return engine_; }
  double seconds() const { return seconds_; }
  double dh_seconds() const { return dh_seconds_; }

 private:
  void execute(ike::Effect effect, base::Time now) {
    if (auto* send = std::get_if<ike::Send>(&effect)) {
      sends_.push_back(std::move(*send));
    } else if (const auto* dh = std::get_if<ike::ComputeDh>(&effect)) {
      const double begun = cpu_seconds();
      auto result = dh_ == harness::Dh::real ? crypto::respond(dh->group, dh->peer_public_value)
                                             : base::Result<crypto::DhResult>(harness::pretend_respond(
                                                   dh->group, dh->peer_public_value, random_));
      dh_seconds_ += cpu_seconds() - begun;
      engine_.completed(ike::DhDone{dh->ticket, std::move(result)}, now);
    } else if (const auto* keys = std::get_if<ike::DeriveSkeyids>(&effect)) {
      engine_.completed(derive(*keys), now);
    } else if (auto* attempt = std::get_if<ike::TryCandidates>(&effect)) {
      engine_.completed(ike::CandidatesTried{attempt->ticket, ike::first_fitting(attempt->trial)}, now);
    } else if (const auto* in = std::get_if<ike::InstallInbound>(&effect)) {
      engine_.completed(ike::Installed{in->ticket, {}}, now);
    } else if (const auto* out = std::get_if<ike::InstallOutbound>(&effect)) {
      engine_.completed(ike::Installed{out->ticket, {}}, now);
    }
  }

  ike::SkeyidsDone derive(const ike::DeriveSkeyids& request) const {
    constexpr std::size_t batch = 256;
    ike::SkeyidsDone done{.ticket = request.ticket, .candidates = {}};
    const auto end = std::min(request.from + batch, psks_);
    for (auto i = request.from; i < end && request.names.empty(); ++i) {
      const auto secret = i + 1 == psks_ ? std::string("swordfish") : "wrong " + std::to_string(i);
      done.candidates.push_back(
          {"bench", 0, ike::v1::skeyid_of_psk(request.hash, base::as_bytes(secret), request.ni, request.nr)});
    }
    if (end < psks_ && request.names.empty()) done.next = end;
    return done;
  }

  harness::Dh dh_;
  std::size_t psks_;
  std::function<void(std::span<std::uint8_t>)> random_;
  ike::Engine engine_;
  std::deque<ike::Send> sends_;
  double seconds_ = 0, dh_seconds_ = 0;
};

/// One client behind a NAT from message 1 to its pair of SAs; true when it is up.
bool set_up(Gateway& gateway, std::uint32_t number, std::string_view transform, harness::Dh dh) {
  const base::Time now{1h + std::chrono::milliseconds(number)};
  harness::InitiatorSettings s;
  s.local.address = Address::v4(0xc0a80000u + number % 65000);
  s.ike = {*ike::parse_ike_transform(transform)};
  s.dh = dh;
  s.seed = number;
  harness::Initiator client(s);
  client.connect(now);
  const auto outside = Address::v4(0x64400000u + number / 20);
  for (int turn = 0; turn < 8; ++turn) {
    while (auto d = client.next_send()) {
      const auto port = static_cast<std::uint16_t>(20000 + number % 20 * 2 + (d->from.port == 4500 ? 1 : 0));
      gateway.input({outside, port}, *d, now);
    }
    while (!gateway.sends().empty()) {
      const auto d = std::move(gateway.sends().front());
      gateway.sends().pop_front();
      client.input(d.from, {s.local.address, d.from.port}, d.bytes, now);
    }
  }
  return !client.children().empty() && client.complaints().empty();
}

bool measure(const char* title, std::string_view transform, std::uint32_t setups) {
  Gateway gateway(harness::Dh::real);
  for (std::uint32_t i = 1; i <= setups; ++i) {
    if (!set_up(gateway, i, transform, harness::Dh::real)) return false;
  }
  const double each = gateway.seconds() / setups * 1e3;
  const double dh = gateway.dh_seconds() / setups * 1e3;
  std::printf("%-9s  %8.0f /s  %7.3f ms  %7.3f ms  %7.3f ms  %5.1f %%\n", title, 1e3 / each, each, dh,
              each - dh, (each - dh) / each * 100);
  return gateway.engine().peers().size() == setups;
}

/// Pre-shared keys on one listener, the fitting one the last, at an address without a past.
bool measure_psks(std::size_t psks, std::uint32_t setups) {
  Gateway gateway(harness::Dh::pretended, psks);
  for (std::uint32_t i = 1; i <= setups; ++i) {
    if (!set_up(gateway, i, "aes256-sha256-modp2048", harness::Dh::pretended)) return false;
  }
  const double each = gateway.seconds() / setups * 1e3;
  std::printf("%6zu candidates  %9.3f ms  %7.2f us a candidate\n", psks, each,
              each * 1e3 / static_cast<double>(psks));
  return true;
}

bool measure_memory(std::uint32_t peers) {
  auto gateway = std::make_unique<Gateway>(harness::Dh::pretended);
  // One peer first: what is made once does not count.
  if (!set_up(*gateway, 1, "aes256-sha256-modp2048", harness::Dh::pretended)) return false;
  malloc_trim(0);
  const auto before = resident_bytes();
  const auto heap_before = mallinfo2().uordblks;
  for (std::uint32_t i = 2; i <= peers + 1; ++i) {
    if (!set_up(*gateway, i, "aes256-sha256-modp2048", harness::Dh::pretended)) return false;
  }
  gateway->engine().timeout(base::Time{1h + 2min});  // Quick Modes are forgotten a minute after they end
  malloc_trim(0);
  const auto heap = static_cast<double>(mallinfo2().uordblks - heap_before) / peers;
  const auto resident = static_cast<double>(resident_bytes() - before) / peers;
  std::printf("\n%u established peers: %.0f bytes resident each, %.0f on the heap\n", peers, resident, heap);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const auto setups = static_cast<std::uint32_t>(argc > 1 ? std::atoi(argv[1]) : 1000);
  if (!measure_memory(1000)) return 1;
  std::printf("\nMain Mode and Quick Mode as responder, one core, %u setups\n", setups);
  std::printf("%-9s  %11s  %10s  %10s  %10s  %7s\n", "group", "setups", "CPU each", "public key", "the rest",
              "rest");
  const auto few = std::max(1u, setups / 100);
  bool ok = measure("MODP2048", "aes256-sha256-modp2048", setups) &&
            measure("ECP256", "aes256-sha256-ecp256", setups) &&
            measure("X25519", "aes256-sha256-curve25519", setups);
  std::printf("\nThe same without Diffie-Hellman, by the number of pre-shared keys that are tried\n");
  ok = ok && measure_psks(1, setups) && measure_psks(100, setups) && measure_psks(10000, few);
  return ok ? 0 : 1;
}
