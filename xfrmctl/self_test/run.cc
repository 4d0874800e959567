#include "self_test/run.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "control/client.h"
#include "crypto/prf.h"
#include "doctor/program.h"
#include "self_test/caller.h"
#include "self_test/dialer.h"
#include "self_test/network.h"
#include "self_test/sandbox.h"

namespace self_test {
namespace {

using control::Json;
using namespace std::chrono_literals;

// Each far longer than it takes, also where the kernel is an emulated one.
constexpr auto start_patience = 30s;
constexpr auto ike_patience = 40s;  // all repetitions of a message
constexpr auto l2tp_patience = 20s;
constexpr auto end_patience = 20s;
constexpr auto between_looks = 100ms;  // at what is no datagram
constexpr std::uint16_t first_tunnel = 0x5e1f;

std::string random_text() {
  std::array<std::uint8_t, 32> bytes{};
  crypto::random_bytes(bytes);
  return base::hex(bytes);
}

std::string socket_of(const char* daemon) { return fmt::format("{}/{}", run_directory, daemon); }

bool answers(const char* daemon, const char* method) {
  return control::ask(socket_of(daemon), method, Json::object()).has_value();
}

/// Nothing where the daemon does not answer.
template <class Row>
std::vector<Row> list(const char* daemon, const char* method, const char* member,
                      base::Result<Row> (*row_from)(const Json&)) {
  return control::ask_rows(socket_of(daemon), method, member, row_from).value_or(std::vector<Row>());
}

/// One run of the test.
class SelfTest {
 public:
  SelfTest(const config::Config& config, const std::function<void(const Verdict&)>& tell)
      : config_(config), tell_(tell) {}

  void run() {
    if (check_kernel() && check_network() && start_daemons() && dial()) {
      look_at_peers();
      call();
      end();
    }
  }

 private:
  bool say(const Verdict& verdict) {
    tell_(verdict);
    return verdict.holds;
  }

  bool check_kernel();
  bool check_network();
  bool start_daemons();
  bool dial();
  void look_at_peers();
  void call();
  void end();
  base::Result<void> write_files() const;
  base::Result<void> load_ruleset(const std::string& ikd) const;
  /// Serves all clients until `done` or until the time is over.
  void serve(base::Duration patience, const std::function<bool()>& done);

  const config::Config& config_;
  const std::function<void(const Verdict&)>& tell_;
  std::vector<Daemon> daemons_;
  std::vector<Dialer> dialers_;
  std::vector<Caller> callers_;
  std::vector<Client> seen_;
  std::string folder_, psk_ = random_text();
};

bool SelfTest::check_kernel() {
  const auto refused = [this](const std::string& why) {
    return say(
        {"kernel", false, "this kernel has no ESP: " + why,
         "use one with xfrm_user and esp4, as distributions ship it; a container has that of its host"});
  };
  auto kernel = xfrm::Kernel::open();
  if (!kernel) return refused(kernel.error().message);
  xfrm::Sa sa;
  sa.source = nat_address;
  sa.destination = gateway_address;
  sa.spi = xfrm::Spi(0x5e1f7e57);
  sa.selector.source = {sa.source, 32};
  sa.selector.destination = {sa.destination, 32};
  sa.transform.encryption = xfrm::Encryption::aes_cbc;
  sa.transform.encryption_key = base::Secret(base::Bytes(32, 1));
  sa.transform.integrity = xfrm::Integrity::hmac_sha2_256_128;
  sa.transform.integrity_key = base::Secret(base::Bytes(32, 2));
  sa.encap = xfrm::Encap{};
  sa.set_mark = xfrm::MaskedMark{config_.marks.mask, config_.marks.mask};
  if (const auto done = kernel->install(sa); !done) return refused(done.error().message);
  if (const auto done = kernel->remove(xfrm::id_of(sa)); !done) return refused(done.error().message);
  return say({"kernel", true, "this kernel has ESP in UDP, and SAs that mark what they decrypt"});
}

bool SelfTest::check_network() {
  if (const auto built = build_network(); !built)
    return say(
        {"network", false, "two clients behind a NAT cannot be built here: " + built.error().message,
         "see that the kernel has veth, nf_tables and its NAT, and that iproute2 and nftables are there"});
  return say({"network", true, "a gateway and two clients behind one NAT stand in networks of their own"});
}

base::Result<void> SelfTest::write_files() const {
  ::umask(0077);
  std::ofstream config(folder_ + "/sameroof.toml"), secrets(folder_ + "/secrets.toml");
  config << fmt::format(
      "[marks]\nmask = \"{:#010x}\"\nalias = \"{}\"\n[ike]\nlisten = [\"{}\"]\n[[ike.psk]]\nname = "
      "\"self-test\"\n"
      "[ppp]\nlocal_address = \"10.99.0.1\"\npool = \"10.99.1.0/24\"\nplugin = {}\n[[user]]\nname = "
      "\"nobody\"\n",
      config_.marks.mask, config_.marks.alias.to_string(), gateway_address.to_string(),
      Json(config_.ppp.plugin).dump());
  secrets << fmt::format("[psk]\nself-test = \"{}\"\n[user]\nnobody = \"{}\"\n", psk_, random_text());
  if (!config.flush() || !secrets.flush()) return base::fail("the configuration cannot be written");
  return {};
}

base::Result<void> SelfTest::load_ruleset(const std::string& ikd) const {
  const auto rules = doctor::output_of({ikd, "--config", folder_ + "/sameroof.toml", "--ruleset"});
  if (!rules) return tl::unexpected(rules.error());
  if (const auto loaded = doctor::output_of({"nft", "-f", "-"}, *rules); !loaded)
    return tl::unexpected(loaded.error());
  return {};
}

bool SelfTest::start_daemons() {
  const auto fail = [this](const std::string& why) {
    return say({"daemons", false, why, "see that the package is whole, and what its journal says"});
  };
  const auto ikd = path_of("ikd"), l2tpd = path_of("l2tpd");
  if (ikd.empty() || l2tpd.empty()) return fail("ikd and l2tpd are not installed");
  folder_ = ::access("/etc/sameroof", F_OK) == 0 ? "/etc/sameroof" : run_directory;
  if (const auto written = write_files(); !written) return fail(written.error().message);
  if (const auto loaded = load_ruleset(ikd); !loaded)
    return fail("the ruleset cannot be loaded: " + loaded.error().message);
  for (const auto& program : {ikd, l2tpd}) {
    auto daemon = Daemon::start({program, "--config", folder_ + "/sameroof.toml", "--secrets",
                                 folder_ + "/secrets.toml", "--run-dir", run_directory});
    if (!daemon) return fail(daemon.error().message);
    daemons_.push_back(std::move(*daemon));
  }
  const auto deadline = base::Clock::now() + start_patience;
  while (!answers("ikd", "sameroof.Ike.Status") || !answers("l2tpd", "sameroof.L2tp.Status")) {
    for (std::size_t i = 0; i < daemons_.size(); ++i)
      if (daemons_[i].ended())
        return fail(fmt::format("{} has ended: {}", i == 0 ? ikd : l2tpd, daemons_[i].said_last()));
    if (base::Clock::now() > deadline) return fail("ikd and l2tpd do not answer");
    std::this_thread::sleep_for(50ms);
  }
  return say({"daemons", true, fmt::format("{} and {} run there and answer", ikd, l2tpd)});
}

void SelfTest::serve(base::Duration patience, const std::function<bool()>& done) {
  const auto deadline = base::Clock::now() + patience;
  while (!done()) {
    const auto now = base::Clock::now();
    if (now > deadline) return;
    std::vector<pollfd> descriptors;
    auto next = std::min(deadline, now + between_looks);
    for (auto& dialer : dialers_) {
      for (const int fd : dialer.descriptors())
        descriptors.push_back({.fd = fd, .events = POLLIN, .revents = 0});
      next = std::min(next, dialer.next_timeout().value_or(next));
    }
    for (auto& caller : callers_) {
      descriptors.push_back({.fd = caller.descriptor(), .events = POLLIN, .revents = 0});
      next = std::min(next, caller.next_timeout().value_or(next));
    }
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max(next - now, base::Duration(0)));
    ::poll(descriptors.data(), descriptors.size(), static_cast<int>(wait.count()));
    for (auto& dialer : dialers_) dialer.go_on(base::Clock::now());
    for (auto& caller : callers_) caller.go_on(base::Clock::now());
  }
}

bool SelfTest::dial() {
  for (const auto& place : clients) {
    seen_.push_back({.name = fmt::format("client {}", seen_.size() + 1), .address = place.address});
    const auto visit = Visit::to(place.name);
    auto dialer = visit ? Dialer::open(place.address, gateway_address, psk_)
                        : base::Result<Dialer>(tl::unexpected(visit.error()));
    if (!dialer) {
      seen_.back().failure = dialer.error().message;
      return say(judge_ike(seen_.back()));
    }
    dialers_.push_back(std::move(*dialer));
  }
  for (auto& dialer : dialers_) dialer.dial(base::Clock::now());
  serve(ike_patience, [this] {
    return std::ranges::all_of(dialers_, [](const Dialer& d) { return d.up() || !d.failure().empty(); });
  });
  bool both = true;
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    seen_[i].up = dialers_[i].up();
    seen_[i].failure = dialers_[i].failure();
    both = say(judge_ike(seen_[i])) && both;
  }
  return both;
}

void SelfTest::look_at_peers() {
  const auto peers = list<control::Peer>("ikd", "sameroof.Ike.ListPeers", "peers", control::peer_from);
  for (auto& client : seen_) {
    const auto found = std::ranges::find(peers, client.address.to_string(), &control::Peer::identity);
    if (found != peers.end()) client.peer = *found;
  }
  say(judge_marks(seen_, nat_address));
}

void SelfTest::call() {
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    const auto visit = Visit::to(clients[i].name);
    if (!visit) continue;
    auto caller = Caller::open(seen_[i].name, seen_[i].address, gateway_address,
                               l2tp::TunnelId(static_cast<std::uint16_t>(first_tunnel + i)));
    if (caller) callers_.push_back(std::move(*caller));
  }
  for (auto& caller : callers_) caller.call(base::Clock::now());
  serve(l2tp_patience, [this] { return std::ranges::all_of(callers_, &Caller::connected); });
  for (std::size_t i = 0; i < callers_.size(); ++i) {
    seen_[i].connected = callers_[i].connected();
    seen_[i].strays = callers_[i].strays();
  }
  if (!say(judge_answers(seen_, drops()))) return;
  const auto tunnels =
      list<control::Tunnel>("l2tpd", "sameroof.L2tp.ListTunnels", "tunnels", control::tunnel_from);
  for (auto& client : seen_) {
    const auto found = std::ranges::find(tunnels, client.name, &control::Tunnel::host_name);
    if (found != tunnels.end()) client.tunnel = *found;
  }
  if (std::ranges::all_of(seen_, [](const auto& c) { return c.peer.has_value(); })) say(judge_tunnels(seen_));
}

void SelfTest::end() {
  for (auto daemon = daemons_.rbegin(); daemon != daemons_.rend(); ++daemon) {  // l2tpd first
    daemon->ask_to_end();
    serve(end_patience, [&] { return daemon->ended(); });
  }
  const bool ended = std::ranges::all_of(daemons_, &Daemon::ended_well);
  auto kernel = xfrm::Kernel::open();
  const auto sas = kernel ? kernel->dump_sas().value_or(std::vector<xfrm::InstalledSa>(1))
                          : std::vector<xfrm::InstalledSa>(1);
  if (!ended || !sas.empty()) {
    say({"end", false,
         ended ? "ikd has left SAs behind" : "a daemon does not end cleanly when it is asked to",
         "report this, with what xfrmctl doctor says"});
    return;
  }
  say({"end", true, "both daemons ended when they were asked to, and left no SA behind"});
}

}  // namespace

void run(const config::Config& config, const std::function<void(const Verdict&)>& tell) {
  SelfTest(config, tell).run();
}

}  // namespace self_test
