// What connecting a peer costs: the core of ikd with its worker threads as the daemon has them, from message
// 1 of Main Mode to the pair of SAs. Without sockets and without the kernel (it agrees at once); with the
// keys in the same process, and with a process of its own that has the keys and checks what is installed, as
// the broker does.
//
// Clients would cost as much as the gateway. So each measurement is rehearsed first, with scripted clients,
// and then performed with what those said: all of the gateway's work is done again, but of its Diffie-Hellman
// the results are replaced by those of the rehearsal, which the recorded messages fit. Time and CPU are those
// of all processes. Run it in the release preset, on an idle machine.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <string>

#include <malloc.h>
#include <poll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness/initiator.h"
#include "ikd/broker_client.h"
#include "ikd/range.h"
#include "ikd/workers.h"
#include "ike/engine.h"

namespace {

using namespace std::chrono_literals;
using base::Address;
using base::Endpoint;

constexpr std::size_t crowd = 32;  // clients at once

double cpu_seconds(clockid_t clock = CLOCK_PROCESS_CPUTIME_ID) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/// Resident, as the kernel counts it.
std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// So many pre-shared keys; the clients have the last one.
ikd::Keys make_keys(std::size_t psks) {
  config::Ike ike;
  config::Secrets secrets;
  for (std::size_t i = 1; i <= psks; ++i) {
    const auto name = "psk " + std::to_string(i), secret = i == psks ? "swordfish" : "wrong " + name;
    ike.psks.push_back({.name = name, .peer = {}});
    secrets.psk[name].push_back(base::Secret::copy_of(base::as_bytes(secret)));
  }
  return {ike, std::move(secrets)};
}

/// The keys and the range in a process of their own, asked as ikd asks its broker. The kernel agrees at once.
class BrokerBeside {
 public:
  BrokerBeside(const ikd::Keys& keys, unsigned threads) {
    std::vector<os::Channel> theirs(threads + 1);
    for (auto& channel : theirs) {
      auto [ours, other] = os::Channel::pair().value();
      channel = std::move(ours);
      ours_.push_back(std::move(other));
    }
    child_ = ::fork();
    if (child_ == 0) {
      ours_.clear();
      serve(keys, theirs);
      ::_exit(0);
    }
    clock_getcpuclockid(child_, &clock_);
    client_.emplace(std::move(ours_.back()));
    ours_.pop_back();
    for (auto& channel : ours_) services_.push_back(ikd::keys_behind(std::move(channel)));
  }
  BrokerBeside(const BrokerBeside&) = delete;
  BrokerBeside& operator=(const BrokerBeside&) = delete;
  ~BrokerBeside() {
    client_.reset();
    services_.clear();
    ::waitpid(child_, nullptr, 0);
  }

  std::vector<ikd::KeyService> services() {
    std::vector<ikd::KeyService> out;
    for (const auto& service : services_)
      out.push_back({.derive =
                         [this, &service](const ike::DeriveSkeyids& r) {
                           ++round_trips;
                           return service.derive(r);
                         },
                     .sign = service.sign});
    return out;
  }
  template <class Request>
  ike::DoneOrRefused install(Request request) {
    ++round_trips;
    return client_->install(std::move(request));
  }
  double cpu() const { return cpu_seconds(clock_); }
  std::atomic<std::uint64_t> round_trips = 0;

 private:
  static ikd::Answer answer(const ikd::Keys& keys, const ikd::Range& range, const ikd::Request& request) {
    if (const auto* derive = std::get_if<ike::DeriveSkeyids>(&request)) return keys.derive(*derive);
    const auto* in = std::get_if<ike::InstallInbound>(&request);
    const auto* out = std::get_if<ike::InstallOutbound>(&request);
    const bool admitted = (in != nullptr && range.admits(*in)) || (out != nullptr && range.admits(*out));
    if (!admitted)
      return ikd::Done{ike::refused_as(ike::Refusal::kernel_refused, base::fail("not in the range"))};
    return ikd::Done{};
  }
  static void serve(const ikd::Keys& keys, std::vector<os::Channel>& channels) {
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

  pid_t child_ = -1;
  clockid_t clock_{};
  std::vector<os::Channel> ours_;
  std::optional<ikd::BrokerClient> client_;
  std::vector<ikd::KeyService> services_;
};

/// Keys in this process, for each of `threads`.
std::vector<ikd::KeyService> keys_within(const ikd::Keys& keys, unsigned threads) {
  const ikd::KeyService service{.derive = [&keys](const ike::DeriveSkeyids& r) { return keys.derive(r); },
                                .sign = [&keys](const ike::Sign& r) { return keys.sign(r); }};
  return std::vector(threads, service);
}

using Results = std::map<ike::Ticket, crypto::DhResult>;

/// Does the slow work in this thread, and writes the results of Diffie-Hellman down.
class Rehearsal {
 public:
  Rehearsal(harness::Dh dh, const ikd::Keys& keys)
      : dh_(dh), keys_(keys), random_(harness::seeded_random(2)) {}

  bool busy() const { return !jobs_.empty(); }
  void start(ikd::Job job) { jobs_.push_back(std::move(job)); }
  ike::Completion next() {
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    if (auto* dh = std::get_if<ike::ComputeDh>(&job)) {
      auto result = dh_ == harness::Dh::real
                        ? *crypto::respond(dh->group, dh->peer_public_value)
                        : harness::pretend_respond(dh->group, dh->peer_public_value, random_);
      if (recording) results[dh->ticket] = {result.public_value, result.shared.clone()};
      return ike::DhDone{dh->ticket, std::move(result)};
    }
    if (auto* derive = std::get_if<ike::DeriveSkeyids>(&job)) return keys_.derive(*derive);
    auto& attempt = std::get<ike::TryCandidates>(job);
    return ike::CandidatesTried{attempt.ticket, ike::first_fitting(attempt.trial)};
  }

  Results results;
  bool recording = true;

 private:
  harness::Dh dh_;
  const ikd::Keys& keys_;
  std::function<void(std::span<std::uint8_t>)> random_;
  std::deque<ikd::Job> jobs_;
};

/// Leaves it to the daemon's worker threads. A pretended Diffie-Hellman is not computed at all.
class Performance {
 public:
  Performance(harness::Dh dh, std::vector<ikd::KeyService> keys, const Results& results)
      : dh_(dh), results_(results), workers_(std::move(keys), 1000, verifier_) {}

  bool busy() const { return !order_.empty(); }
  void start(ikd::Job job) {
    const auto ticket = std::visit([](const auto& j) { return j.ticket; }, job);
    order_.push_back(ticket);
    if (dh_ == harness::Dh::pretended && std::holds_alternative<ike::ComputeDh>(job)) {
      done_.emplace(ticket, recorded(ticket));
    } else {
      workers_.submit(std::move(job));
    }
  }
  /// In the order of the rehearsal, so that the engine draws its random numbers in that order, too.
  ike::Completion next() {
    const auto ticket = order_.front();
    order_.pop_front();
    while (!done_.contains(ticket)) {
      pollfd readable{.fd = workers_.fd(), .events = POLLIN, .revents = 0};
      ::poll(&readable, 1, -1);
      workers_.collect([this](ike::Completion c) {
        const auto of = std::visit(
            [](const auto& each) {
              if constexpr (requires { each.ticket; }) return each.ticket;
              return ike::Ticket();
            },
            c);
        if (std::holds_alternative<ike::DhDone>(c)) c = recorded(of);
        done_.emplace(of, std::move(c));
      });
    }
    return std::move(done_.extract(ticket).mapped());
  }

 private:
  ike::DhDone recorded(ike::Ticket ticket) const {
    const auto& result = results_.at(ticket);
    return {ticket, crypto::DhResult{result.public_value, result.shared.clone()}};
  }

  harness::Dh dh_;
  const Results& results_;
  std::deque<ike::Ticket> order_;
  std::map<ike::Ticket, ike::Completion> done_;
  pki::Verifier verifier_{pki::Revocation::if_known};
  ikd::Workers workers_;
};

struct Datagram {
  Endpoint from, to;
  base::Bytes bytes;
};

/// The engine, a crew for its slow work, and a kernel that agrees at once.
template <class Crew>
class Gateway {
 public:
  explicit Gateway(Crew& crew, BrokerBeside* broker = nullptr)
      : crew_(crew), broker_(broker), engine_(ike::Settings{}, harness::seeded_random(1)) {}

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
      } else if (auto* dh = std::get_if<ike::ComputeDh>(&*effect)) {
        crew_.start(std::move(*dh));
      } else if (auto* keys = std::get_if<ike::DeriveSkeyids>(&*effect)) {
        crew_.start(std::move(*keys));
      } else if (auto* attempt = std::get_if<ike::TryCandidates>(&*effect)) {
        crew_.start(std::move(*attempt));
      } else if (auto* in = std::get_if<ike::InstallInbound>(&*effect)) {
        install(std::move(*in), now);
      } else if (auto* out = std::get_if<ike::InstallOutbound>(&*effect)) {
        install(std::move(*out), now);
      }
    }
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

/// A client behind a NAT.
struct Client {
  harness::Initiator initiator;
  Address outside;
  std::uint16_t first_port;

  Client(std::uint32_t number, std::string_view transform, harness::Dh dh, Sharing sharing)
      : initiator(settings(number, transform, dh)),
        outside(Address::v4(0x64400000u + number / static_cast<std::uint32_t>(sharing))),
        first_port(static_cast<std::uint16_t>(20000 + number % static_cast<std::uint32_t>(sharing) * 2)) {}
  static harness::InitiatorSettings settings(std::uint32_t number, std::string_view transform,
                                             harness::Dh dh) {
    harness::InitiatorSettings s;
    s.local.address = Address::v4(0xc0a80000u + number % 65000);
    s.ike = {*ike::parse_ike_transform(transform)};
    s.dh = dh;
    s.seed = number;
    return s;
  }
  void speak(std::vector<Datagram>& said) {
    while (auto d = initiator.next_send()) {
      const auto port = static_cast<std::uint16_t>(first_port + (d->from.port == 4500 ? 1 : 0));
      said.push_back({{outside, port}, d->to, std::move(d->bytes)});
    }
  }
  bool hears(const ike::Send& d) const { return d.to.address == outside && d.to.port / 2 == first_port / 2; }
  bool content() const { return !initiator.children().empty() && initiator.complaints().empty(); }
};

/// Clients `first` and the `count` - 1 after it from message 1 to their SAs. `each` sees every turn.
template <class Crew, class Each>
bool connect(Gateway<Crew>& gateway, std::uint32_t first, std::size_t count, std::string_view transform,
             harness::Dh dh, Sharing sharing, Each each) {
  const base::Time now{1h + std::chrono::milliseconds(first)};
  std::deque<Client> clients;
  for (std::size_t i = 0; i < count; ++i) {
    clients.emplace_back(first + static_cast<std::uint32_t>(i), transform, dh, sharing);
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

enum class Processes { one, two };

/// A gateway that many connect to, ready to be performed.
struct Play {
  harness::Dh dh;
  ikd::Keys keys;
  Results results;
  std::vector<Turn> turns;
  std::uint32_t setups;
  bool ok = true;

  Play(std::string_view transform, harness::Dh kind, std::size_t psks, std::uint32_t count)
      : dh(kind), keys(make_keys(psks)), setups(count) {
    Rehearsal crew(dh, keys);
    Gateway gateway(crew);
    for (std::uint32_t i = 1; i <= setups && ok; i += crowd)
      ok = connect(gateway, i, std::min<std::size_t>(crowd, setups - i + 1), transform, dh,
                   psks == 1 ? Sharing::twenty : Sharing::none,
                   [this](Turn turn) { turns.push_back(std::move(turn)); });
    results = std::move(crew.results);
  }

  struct Cost {
    double wall, cpu;    ///< seconds a setup
    double round_trips;  ///< to the broker
  };
  Cost perform(unsigned threads, Processes processes) {
    std::optional<BrokerBeside> broker;
    if (processes == Processes::two) broker.emplace(keys, threads);
    Performance crew(dh, broker ? broker->services() : keys_within(keys, threads), results);
    Gateway gateway(crew, broker ? &*broker : nullptr);
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

bool measure(const char* title, std::string_view transform, std::uint32_t setups) {
  Play play(transform, harness::Dh::real, 1, setups);
  for (const auto processes : {Processes::one, Processes::two}) {
    for (const unsigned threads : {1u, 2u}) {
      const auto cost = play.perform(threads, processes);
      std::printf("%-9s  %9s  %7u  %8.0f /s  %7.3f ms  %11.1f\n", title,
                  processes == Processes::one ? "one" : "two", threads, 1 / cost.wall, cost.cpu * 1e3,
                  cost.round_trips);
    }
  }
  return play.ok;
}

/// Pre-shared keys on one listener, the fitting one the last, at addresses without a past.
bool measure_psks(std::size_t psks, std::uint32_t setups) {
  Play play("aes256-sha256-modp2048", harness::Dh::pretended, psks, setups);
  for (const auto processes : {Processes::one, Processes::two}) {
    const auto cost = play.perform(1, processes);
    std::printf("%6zu candidates  %9s  %9.3f ms  %7.2f us a candidate  %6.1f round trips\n", psks,
                processes == Processes::one ? "one" : "two", cost.cpu * 1e3,
                cost.cpu * 1e6 / static_cast<double>(psks), cost.round_trips);
  }
  return play.ok;
}

bool measure_memory(std::uint32_t peers) {
  constexpr auto transform = "aes256-sha256-modp2048";
  const auto keys = make_keys(1);
  Rehearsal crew(harness::Dh::pretended, keys);
  crew.recording = false;
  auto gateway = std::make_unique<Gateway<Rehearsal>>(crew);
  const auto nothing = [](Turn) {};
  // One peer first: what is made once does not count.
  if (!connect(*gateway, 1, 1, transform, harness::Dh::pretended, Sharing::twenty, nothing)) return false;
  malloc_trim(0);
  const auto before = resident_bytes();
  const auto heap_before = mallinfo2().uordblks;
  for (std::uint32_t i = 2; i <= peers + 1; ++i) {
    if (!connect(*gateway, i, 1, transform, harness::Dh::pretended, Sharing::twenty, nothing)) return false;
  }
  gateway->timeout(base::Time{1h + 2min});  // Quick Modes are forgotten a minute after they end
  malloc_trim(0);
  const auto heap = static_cast<double>(mallinfo2().uordblks - heap_before) / peers;
  const auto resident = static_cast<double>(resident_bytes() - before) / peers;
  std::printf("%6u peers  %6.0f bytes resident each  %6.0f on the heap\n", peers, resident, heap);
  return gateway->engine().peers().size() == peers + 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto setups = static_cast<std::uint32_t>(argc > 1 ? std::max(1, std::atoi(argv[1])) : 1000);
  std::printf("Memory of established peers\n");
  bool ok = measure_memory(1000) && measure_memory(10000);
  std::printf("\nMain Mode and Quick Mode as responder, %u setups, %zu at once\n", setups, crowd);
  std::printf("%-9s  %9s  %7s  %11s  %10s  %11s\n", "group", "processes", "workers", "setups", "CPU each",
              "round trips");
  ok = ok && measure("MODP2048", "aes256-sha256-modp2048", setups) &&
       measure("ECP256", "aes256-sha256-ecp256", setups) &&
       measure("X25519", "aes256-sha256-curve25519", setups);
  std::printf("\nThe same without Diffie-Hellman, by the number of pre-shared keys that are tried\n");
  ok = ok && measure_psks(1, setups) && measure_psks(100, setups) &&
       measure_psks(10000, std::max(1u, setups / 100));
  if (!ok) std::fprintf(stderr, "some clients did not connect\n");
  return ok ? 0 : 1;
}
