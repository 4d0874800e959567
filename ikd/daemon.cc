#include "ikd/daemon.h"

#include <algorithm>
#include <csignal>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/event_log.h"
#include "control/interfaces.h"
#include "crypto/prf.h"
#include "ikd/credentials.h"
#include "ikd/settings.h"

namespace ikd {
namespace {

constexpr std::size_t datagrams_a_turn = 64;
constexpr std::size_t most_waiting_exchanges = 4096;

base::Time now() { return base::Clock::now(); }

}  // namespace

Daemon::Daemon(const config::Config& config, ike::Settings settings, Broker broker, pki::Verifier verifier)
    : l2tp_(config.l2tp),
      engine_(std::move(settings), crypto::random_bytes),
      broker_(std::move(broker)),
      verifier_(std::move(verifier)),
      workers_(std::max(1u, std::thread::hardware_concurrency()), most_waiting_exchanges, broker_.keys(),
               verifier_),
      started_(now()) {}

base::Result<std::unique_ptr<Daemon>> Daemon::start(const config::Config& config, config::Secrets secrets,
                                                    const DaemonOptions& options) {
  auto settings = settings_from(config);
  if (!settings) return tl::unexpected(settings.error());
  auto credentials = load_credentials(config);
  if (!credentials) return tl::unexpected(credentials.error());
  describe_to(*settings, *credentials);
  for (const auto& doubt : credentials->doubts) base::log(base::Severity::notice, doubt);
  auto broker = Broker::open(config, Keys(config.ike, std::move(secrets), std::move(credentials->own)));
  if (!broker) return tl::unexpected(broker.error());
  std::unique_ptr<Daemon> daemon(
      new Daemon(config, std::move(*settings), std::move(*broker), std::move(credentials->verifier)));
  if (auto opened = daemon->open_sockets(config); !opened) return tl::unexpected(opened.error());
  if (auto opened = daemon->open_control(options); !opened) return tl::unexpected(opened.error());
  // Only now: whoever has the ports and the control socket is the one whose predecessor has ended.
  if (auto clean = daemon->broker_.clean_up(); !clean) return tl::unexpected(clean.error());
  if (config.l2tp.lns == config::Lns::external) {
    if (auto open = daemon->broker_.open_l2tp_port(config.l2tp.cleartext); !open)
      return tl::unexpected(open.error());
  }
  return daemon;
}

base::Result<void> Daemon::open_sockets(const config::Config& config) {
  for (const auto& address : config.ike.listen) {
    for (const auto port : {ike::ike_port, ike::natt_port}) {
      const os::UdpOptions options{
          .local = {address, port},
          .encapsulation = port == ike::natt_port ? os::Encapsulation::esp_in_udp : os::Encapsulation::none,
          .ipsec_bypass = true};
      auto socket = os::UdpSocket::open(options);
      if (!socket) return tl::unexpected(socket.error());
      auto listener = std::make_unique<Listener>(Listener{options.local, std::move(*socket), {}});
      listener->source =
          loop_.on_readable(listener->socket.fd(), [this, l = listener.get()] { receive(l->socket); });
      listeners_.push_back(std::move(listener));
    }
  }
  auto events = xfrm::EventSource::open();
  if (!events) return tl::unexpected(events.error());
  events_ = std::move(*events);
  sources_.push_back(loop_.on_readable(events_->fd(), [this] { kernel_events(); }));
  std::set<std::string> ours{"alias", "home"};
  if (l2tp_.lns == config::Lns::external) ours.insert({"latched", "cleartext"});  // else l2tpd's
  auto table = nft::TableWatch::open(std::move(ours));
  if (!table) return tl::unexpected(table.error());
  table_ = std::move(*table);
  sources_.push_back(loop_.on_readable(table_->fd(), [this] {
    if (table_->disturbed()) fill_maps();
  }));
  sources_.push_back(loop_.on_readable(workers_.fd(), [this] {
    workers_.collect([this](ike::Completion done) { engine_.completed(std::move(done), now()); });
    drain();
  }));
  timer_ = loop_.on_time([this] {
    engine_.timeout(now());
    drain();
  });
  // Its default action would end the daemon and leave every SA behind.
  sources_.push_back(loop_.on_signal(SIGHUP, [] {
    base::log(base::Severity::notice, "SIGHUP changes nothing: the configuration is read at the start only");
  }));
  for (const int signal : {SIGTERM, SIGINT}) sources_.push_back(loop_.on_signal(signal, [this] { stop(); }));
  return {};
}

base::Result<void> Daemon::open_control(const DaemonOptions& options) {
  auto server = control::Server::listen(
      loop_, {.path = options.run_directory + "/ikd", .product = "ikd", .version = SAMEROOF_VERSION},
      control::ike_interface);
  if (!server) return tl::unexpected(server.error());
  control_ = std::move(*server);
  serve_control();
  return {};
}

void Daemon::run() {
  os::Loop::notify("READY=1");
  base::log(base::Severity::info, "ikd is ready");
  loop_.serve_watchdog();
  loop_.run();
}

void Daemon::stop() {
  os::Loop::notify("STOPPING=1");
  engine_.shut_down(now());
  drain();
  const auto complain = [](const base::Result<void>& done) {
    if (!done) base::log(base::Severity::error, done.error().message);
  };
  complain(broker_.clean_up());
  if (l2tp_.lns == config::Lns::external) complain(broker_.open_l2tp_port(config::Cleartext::off));
  loop_.stop();
}

void Daemon::receive(os::UdpSocket& socket) {
  socket.receive(datagrams_a_turn,
                 [this](const os::Datagram& d) { engine_.input(d.from, d.to, d.bytes, now()); });
  drain();
}

void Daemon::kernel_events() {
  const auto outcome = events_->receive([this](const xfrm::Event& event) {
    if (const auto* expire = std::get_if<xfrm::Expire>(&event); expire != nullptr)
      expire->hard ? engine_.expired(expire->sa, now()) : engine_.nearly_expired(expire->sa, now());
    if (const auto* mapping = std::get_if<xfrm::Mapping>(&event)) engine_.mapped(*mapping, now());
  });
  if (outcome == nl::Socket::Events::lost) compare_with_kernel();
  drain();
}

void Daemon::compare_with_kernel() {
  const auto installed = broker_.inbound_sas();
  if (!installed) return base::log(base::Severity::error, installed.error().message);
  const std::set<xfrm::SaId> there(installed->begin(), installed->end());
  std::vector<xfrm::SaId> missing;
  for (const auto& [number, peer] : engine_.peers()) {
    for (const auto& child : peer.children) {
      if (const auto id = peer.inbound_id(child.in); !there.contains(id)) missing.push_back(id);
    }
  }
  for (const auto& id : missing) engine_.expired(id, now());
}

void Daemon::fill_maps() {
  if (!broker_.ruleset_loaded())
    return base::log(base::Severity::error,
                     "Table inet sameroof is gone, and until the ruleset is loaded again no peer is heard: "
                     "ikd --ruleset | nft -f -");
  std::vector<ike::PeerEntry> peers;
  for (const auto& [number, peer] : engine_.peers()) {
    if (peer.entry_presence == ike::Presence::present) peers.push_back(peer.entry());
  }
  auto filled = broker_.fill_maps(peers);
  if (filled && l2tp_.lns == config::Lns::external) filled = broker_.open_l2tp_port(l2tp_.cleartext);
  if (!filled) return base::log(base::Severity::error, filled.error().message);
  base::log(
      base::Severity::notice,
      fmt::format("Somebody has changed table inet sameroof: its maps have all {} peers.", peers.size()));
}

void Daemon::drain() {
  while (auto effect = engine_.next_effect()) {
    std::visit([this](auto& e) { perform(e); }, *effect);
  }
  timer_.set_time(engine_.next_timeout());
}

void Daemon::perform(ike::Send& send) {
  const auto fits = [&](const std::unique_ptr<Listener>& l) {
    const bool address =
        l->local.address == send.from.address ||
        (l->local.address.is_unspecified() && l->local.address.family() == send.from.address.family());
    return l->local.port == send.from.port && address;
  };
  const auto listener = std::ranges::find_if(listeners_, fits);
  if (listener == listeners_.end() ||
      !(*listener)->socket.send(send.bytes, send.from.address, send.to, std::nullopt))
    ++send_failures_;
}

void Daemon::perform(ike::MakeKeyPair& request) { workers_.submit(std::move(request)); }

void Daemon::perform(ike::ComputeDh& request) { workers_.submit(std::move(request)); }

void Daemon::perform(ike::DeriveSkeyids& request) { workers_.submit(std::move(request)); }

void Daemon::perform(ike::TryCandidates& request) { workers_.submit(std::move(request)); }

void Daemon::perform(ike::VerifyCertificate& request) { workers_.submit(std::move(request)); }

void Daemon::perform(ike::Sign& request) { workers_.submit(std::move(request)); }

void Daemon::perform(ike::InstallInbound& request) {
  engine_.completed(ike::Installed{request.ticket, broker_.install(request)}, now());
}

void Daemon::perform(ike::InstallOutbound& request) {
  engine_.completed(ike::Installed{request.ticket, broker_.install(request)}, now());
}

void Daemon::perform(ike::RemoveSa& request) {
  if (const auto carried = broker_.remove(request)) {
    metrics_.count_gone(*carried);
  } else {
    ++removal_failures_;
    base::log(base::Severity::error, carried.error().message);
  }
}

void Daemon::perform(ike::MovePeer& request) {
  if (auto moved = broker_.move(request); !moved) {
    ++move_failures_;
    base::log(base::Severity::error, moved.error().message);
  }
}

void Daemon::perform(ike::RemovePeer& request) {
  if (auto removed = broker_.remove(request); !removed) {
    ++removal_failures_;
    base::log(base::Severity::error, removed.error().message);
  }
}

void Daemon::perform(ike::CountInbound& request) {
  ike::InboundCounted counted{.peer = request.peer, .packets = 0};
  for (const auto& sa : request.sas)
    counted.packets += broker_.statistics(sa).value_or(xfrm::SaStatistics{}).packets;
  engine_.completed(counted, now());
}

void Daemon::perform(ike::LookForTraffic& request) {
  const auto seen = broker_.statistics(request.sa).value_or(xfrm::SaStatistics{});
  engine_.completed(ike::TrafficSeen{request.ticket, seen.packets}, now());
}

void Daemon::perform(ike::Event& event) {
  metrics_.count(event);
  chronicle_.note(event, control::unix_milliseconds());
  sentences_.write(event, now());
  tell_monitors(event);
}

}  // namespace ikd
