// What connecting a peer costs: the core of ikd with its worker threads as the daemon has them, from message
// 1 of Main Mode to the pair of SAs. Without sockets and without the kernel (it agrees at once); with the
// keys in the same process, and with a process of its own that has the keys and checks what is installed, as
// the broker does. Beside it what the arithmetic alone costs, and a question to another process.
//
// Clients would cost as much as the gateway. So each measurement is rehearsed first, with scripted clients,
// and then performed with what those said: all of the gateway's work is done again, but of its Diffie-Hellman
// and of its signatures the results are replaced by those of the rehearsal, which the recorded messages fit.
// Time and CPU are those of all processes. Run it in the release preset, on an idle machine; each result is a
// line of JSON.

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <malloc.h>

#include "cost.h"
#include "crew.h"
#include "floor.h"
#include "gateway.h"

namespace {

using namespace std::chrono_literals;
using namespace bench;

enum class Processes { one, two };
/// By so much what is measured twice may differ.
constexpr double steady = 0.03;

/// Where all their threads run.
enum class Cpus { one, all };

std::string word(Processes processes) { return processes == Processes::one ? "one" : "two"; }
std::string word(Cpus cpus) { return cpus == Cpus::one ? "one" : "all"; }

/// A gateway that many connect to, ready to be performed.
struct Play {
  const Credentials& credentials;
  Scene scene;
  Results results;
  std::vector<Turn> turns;
  std::uint32_t setups;
  bool ok = true;

  Play(const Credentials& proofs, const Scene& wanted, std::uint32_t count)
      : credentials(proofs), scene(wanted), setups(count) {
    Rehearsal crew(scene.dh, credentials);
    Gateway gateway(crew, credentials.engine());
    for (std::uint32_t i = 1; i <= setups && ok; i += crowd)
      ok = connect(gateway, i, std::min<std::size_t>(crowd, setups - i + 1), scene, credentials,
                   [this](Turn turn) { turns.push_back(std::move(turn)); });
    results = std::move(crew.results);
  }

  struct Cost {
    double wall, cpu;    ///< seconds a setup
    double round_trips;  ///< to the broker
  };
  Cost perform(unsigned threads, Processes processes, Cpus cpus) {
    std::optional<Confined> here;
    if (cpus == Cpus::one) here.emplace(allowed_cpus().front());
    std::optional<BrokerBeside> broker;
    if (processes == Processes::two) broker.emplace(credentials.keys(), threads);
    Performance crew(scene.dh, broker ? broker->services() : keys_within(credentials.keys(), threads),
                     credentials.verifier(), results);
    Gateway gateway(crew, credentials.engine(), broker ? &*broker : nullptr);
    const auto all_cpu = [&] { return cpu_seconds() + (broker ? broker->cpu() : 0); };
    const auto begun = std::chrono::steady_clock::now();
    const double cpu = all_cpu();
    for (const auto& turn : turns) {
      for (const auto& d : turn.said) gateway.input(d, turn.now);
      gateway.settle(turn.now);
      gateway.sends().clear();
    }
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begun;
    const double spent = all_cpu() - cpu;
    ok = ok && gateway.engine().counters().quick_modes == setups;
    return {passed.count() / setups, spent / setups,
            broker ? static_cast<double>(broker->round_trips) / setups : 0};
  }
};

/// Seconds of CPU of a setup's public-key arithmetic.
struct Arithmetic {
  double exchange, proof;
};

bool measure(const std::string& group, const std::string& proof, const Credentials& credentials,
             const Scene& scene, const Arithmetic& arithmetic, std::uint32_t setups) {
  Play play(credentials, scene, setups);
  for (const auto processes : {Processes::one, Processes::two}) {
    for (const auto& [cpus, threads] : {std::pair(Cpus::one, 1u), {Cpus::all, 2u}}) {
      const auto cost = play.perform(threads, processes, cpus);
      tell("ike setup", {{"group", group},
                         {"proof", proof},
                         {"processes", word(processes)},
                         {"cpus", word(cpus)},
                         {"workers", double(threads)},
                         {"per_second", 1 / cost.wall},
                         {"cpu", cost.cpu},
                         {"exchange", arithmetic.exchange},
                         {"proof_arithmetic", arithmetic.proof},
                         {"round_trips", cost.round_trips}});
      if (cost.cpu < arithmetic.exchange + arithmetic.proof)
        warn(group + " and " + proof + ": a setup costs less than its arithmetic");
    }
  }
  return play.ok;
}

/// Each group with each way to prove oneself.
bool measure_setups(std::uint32_t setups) {
  constexpr struct {
    const char *name, *transform;
    crypto::Group group;
  } groups[] = {{"MODP2048", "aes256-sha256-modp2048", crypto::Group::modp2048},
                {"ECP256", "aes256-sha256-ecp256", crypto::Group::ecp256},
                {"X25519", "aes256-sha256-curve25519", crypto::Group::curve25519}};
  struct Proof {
    std::string name;
    Credentials credentials;
    double arithmetic;
  };
  const auto with_certificates = [&](const char* name, harness::KeyKind kind) {
    const auto cost = signature_cost(kind);
    tell("ike signature",
         {{"kind", name}, {"sign", cost.sign}, {"verify", cost.verify}, {"check", cost.check}});
    // The peer's signature, and the authority's in its certificate.
    return Proof{name, Credentials::certificates(kind, setups), cost.sign + 2 * cost.verify};
  };
  const Proof proofs[] = {{"PSK", Credentials::psks(1), 0},
                          with_certificates("RSA 2048", harness::KeyKind::rsa),
                          with_certificates("ECDSA P-256", harness::KeyKind::p256)};
  bool ok = true;
  for (const auto& group : groups) {
    const double exchange = exchange_cost(group.group);
    for (const auto& proof : proofs)
      ok = ok && measure(group.name, proof.name, proof.credentials, {.transform = group.transform},
                         {exchange, proof.arithmetic}, setups);
    const double after = exchange_cost(group.group);
    tell("ike exchange", {{"group", group.name}, {"cpu", exchange}, {"after", after}});
    if (std::abs(after / exchange - 1) > steady)
      warn(std::string(group.name) +
           ": the exchange alone costs something else after the setups than before");
  }
  return ok;
}

/// Without Diffie-Hellman; pre-shared keys on one listener, the fitting one the last, at addresses without a
/// past.
bool measure_psks(std::size_t psks, std::uint32_t setups) {
  const auto credentials = Credentials::psks(psks);
  Play play(credentials,
            {.dh = harness::Dh::pretended, .sharing = psks == 1 ? Sharing::twenty : Sharing::none}, setups);
  for (const auto processes : {Processes::one, Processes::two}) {
    for (const auto cpus : {Cpus::one, Cpus::all}) {
      const auto cost = play.perform(1, processes, cpus);
      tell("ike candidates", {{"psks", double(psks)},
                              {"processes", word(processes)},
                              {"cpus", word(cpus)},
                              {"cpu", cost.cpu},
                              {"round_trips", cost.round_trips}});
    }
  }
  return play.ok;
}

bool measure_memory(std::uint32_t peers) {
  const auto credentials = Credentials::psks(1);
  const Scene scene{.dh = harness::Dh::pretended};
  Rehearsal crew(scene.dh, credentials);
  crew.recording = false;
  auto gateway = std::make_unique<Gateway<Rehearsal>>(crew, credentials.engine());
  const auto nothing = [](Turn) {};
  // One peer first: what is made once does not count.
  if (!connect(*gateway, 1, 1, scene, credentials, nothing)) return false;
  malloc_trim(0);
  const auto before = resident_bytes();
  const auto allocated = [] { return mallinfo2().uordblks + mallinfo2().hblkhd; };
  const auto heap_before = allocated();
  for (std::uint32_t i = 2; i <= peers + 1; ++i) {
    if (!connect(*gateway, i, 1, scene, credentials, nothing)) return false;
  }
  gateway->timeout(base::Time{1h + 2min});  // Quick Modes are forgotten a minute after they end
  malloc_trim(0);
  const auto heap = static_cast<double>(allocated() - heap_before) / peers;
  const auto resident = static_cast<double>(resident_bytes() - before) / peers;
  tell("ike memory", {{"peers", double(peers)}, {"resident", resident}, {"heap", heap}});
  return gateway->engine().peers().size() == peers + 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto setups = static_cast<std::uint32_t>(argc > 1 ? std::max(1, std::atoi(argv[1])) : 1000);
  tell("ike sizes", {{"setups", double(setups)}, {"at_once", double(crowd)}});
  // Memory first, before the heap has seen anything else.
  bool ok = measure_memory(1000) && measure_memory(10000);
  tell("ike round trip",
       {{"one_cpu", round_trip_cost(Places::one_cpu)}, {"a_cpu_each", round_trip_cost(Places::a_cpu_each)}});
  ok = ok && measure_setups(setups) && measure_psks(1, setups) && measure_psks(100, setups) &&
       measure_psks(10000, std::max(1u, setups / 100));
  if (!ok) std::fprintf(stderr, "some clients did not connect\n");
  return ok ? 0 : 1;
}
