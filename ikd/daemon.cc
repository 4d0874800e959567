#include "ikd/daemon.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "base/event_log.h"
#include "control/interfaces.h"
#include "crypto/prf.h"
#include "os/sandbox.h"

namespace ikd {
namespace {

constexpr std::size_t most_waiting_exchanges = 4096;
constexpr base::Duration compare_again = std::chrono::seconds(1);  ///< where the kernel could not be asked

base::Time now() { return base::Clock::now(); }

}  // namespace

Daemon::Daemon(Prepared prepared, BrokerClient broker, std::vector<KeyService> keys)
    : l2tp_(prepared.config.l2tp),
      engine_(std::move(prepared.settings), crypto::random_bytes),
      broker_(std::move(broker)),
      workers_(std::move(keys), most_waiting_exchanges, std::move(prepared.verifier)),
      started_(now()) {}

std::optional<Daemon::Belongings> Daemon::sorted(const Hello& hello, std::vector<base::Fd> descriptors) {
  if (descriptors.size() != hello.listeners.size() + 3 + hello.workers) return std::nullopt;
  auto next = std::make_move_iterator(descriptors.begin());
  const auto after_listeners = next + static_cast<std::ptrdiff_t>(hello.listeners.size());
  Belongings out{
      .listeners = {next, after_listeners}, .events = {}, .control = {}, .notices = {}, .keys = {}};
  next = after_listeners;
  out.events = *next++;
  out.control = *next++;
  out.notices = os::Channel(*next++);
  for (; next.base() != descriptors.end(); ++next) out.keys.push_back(keys_behind(os::Channel(*next)));
  return out;
}

base::Result<std::unique_ptr<Daemon>> Daemon::start(os::Channel channel) {
  auto message = channel.receive();
  auto hello = message ? decode_hello(message->bytes.view()) : std::nullopt;
  auto belongings = hello ? sorted(*hello, std::move(message->descriptors)) : std::nullopt;
  if (!belongings) return base::fail("the broker has gone, or is of another version");
  base::set_log_level(hello->log_level);
  BrokerClient broker(std::move(channel));
  auto prepared = prepare(broker.provision());
  if (!prepared) return tl::unexpected(prepared.error());
  std::unique_ptr<Daemon> daemon(
      new Daemon(std::move(*prepared), std::move(broker), std::move(belongings->keys)));
  if (auto watched = daemon->watch(std::move(*belongings), *hello); !watched)
    return tl::unexpected(watched.error());
  // What a library does once at its first use, also to write a line into the log, may need more than is left
  // afterwards.
  crypto::prepare();
  base::log(base::Severity::info,
            fmt::format("process {} reads the packets, and gives up every privilege", ::getpid()));
  if (auto confined = os::confine({.user = hello->user, .group = hello->group}); !confined)
    return tl::unexpected(confined.error());
  return daemon;
}

void Daemon::listen(const Hello& hello, std::vector<base::Fd> sockets) {
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    const auto& local = hello.listeners[i];
    auto listener = std::make_unique<Listener>(
        Listener{local, os::UdpSocket::adopt(std::move(sockets[i]), local.port), {}});
    listener->source =
        loop_.on_readable(listener->socket.fd(), [this, l = listener.get()] { receive(l->socket); });
    listeners_.push_back(std::move(listener));
  }
}

base::Result<void> Daemon::watch(Belongings belongings, const Hello& hello) {
  listen(hello, std::move(belongings.listeners));
  auto events = xfrm::EventSource::adopt(std::move(belongings.events));
  if (!events) return tl::unexpected(events.error());
  events_ = std::move(*events);
  sources_.push_back(loop_.on_readable(events_->fd(), [this] { kernel_events(); }));
  compare_timer_ = loop_.on_time([this] {
    compare_with_kernel();
    drain();
  });
  notices_ = std::move(belongings.notices);
  sources_.push_back(loop_.on_readable(notices_.fd(), [this] { take_notice(); }));
  sources_.push_back(loop_.on_readable(workers_.fd(), [this] {
    workers_.collect([this](ike::Completion done) { engine_.completed(std::move(done), now()); });
    drain();
  }));
  timer_ = loop_.on_time([this] {
    engine_.timeout(now());
    drain();
  });
  alive_interval_ = std::chrono::microseconds(hello.watchdog_us);
  alive_timer_ = loop_.on_time([this] { be_alive(); });
  sources_.push_back(loop_.on_signal(SIGHUP, [] {}));
  for (const int signal : {SIGTERM, SIGINT}) sources_.push_back(loop_.on_signal(signal, [this] { stop(); }));
  control_ = control::Server::serve(loop_, std::move(belongings.control),
                                    {.path = {}, .product = "ikd", .version = SAMEROOF_VERSION},
                                    control::ike_interface);
  serve_control();
  return {};
}

void Daemon::run() {
  broker_.ready();
  if (alive_interval_.count() > 0) be_alive();
  loop_.run();
}

void Daemon::be_alive() {
  broker_.alive();
  alive_timer_.set_time(now() + alive_interval_);
}

void Daemon::take_notice() {
  const auto message = notices_.receive();
  // The broker has ended without a word: nobody could carry out what a goodbye asks for.
  if (!message) std::_Exit(1);
  const auto what = message->bytes.view().front();
  if (what == static_cast<std::uint8_t>(Notice::ruleset_changed)) fill_maps();
  if (what == static_cast<std::uint8_t>(Notice::end)) stop();
  if (what == static_cast<std::uint8_t>(Notice::reload)) (void)reload();  // the broker logs what comes of it
}

base::Result<std::vector<std::string>> Daemon::reload() {
  auto changes = broker_.reload();
  if (!changes) return changes;
  auto prepared = prepare(broker_.provision());
  if (!prepared) {  // the broker has done the same with the same; its keys are the new ones already
    base::log(base::Severity::error, prepared.error().message);
    std::_Exit(1);
  }
  workers_.replace(std::move(prepared->verifier));
  engine_.reconfigure(std::move(prepared->settings), now());
  drain();
  return changes;
}

void Daemon::stop() {
  engine_.shut_down(now());
  drain();
  loop_.stop();
}

void Daemon::kernel_events() {
  const auto outcome = events_->receive([this](const xfrm::Event& event) {
    if (const auto* expire = std::get_if<xfrm::Expire>(&event); expire != nullptr)
      expire->hard ? engine_.expired(named(*expire), now()) : engine_.nearly_expired(named(*expire), now());
    if (const auto* mapping = std::get_if<xfrm::Mapping>(&event)) engine_.mapped(*mapping, now());
  });
  if (outcome == nl::Socket::Events::lost) compare_with_kernel();
  drain();
}

// The kernel knows an outbound SA by where the peer is, the core by the peer's alias.
xfrm::SaId Daemon::named(const xfrm::Expire& expire) const {
  auto id = expire.sa;
  const auto number = engine_.numbering().number_of(base::Mark(expire.reqid.value));
  const auto peer = number ? engine_.peers().find(*number) : engine_.peers().end();
  if (peer != engine_.peers().end() && id.destination.is_v4() && id.destination != peer->second.local.address)
    id.destination = peer->second.alias;
  return id;
}

void Daemon::compare_with_kernel() {
  std::vector<xfrm::SaId> ours;
  for (const auto& [number, peer] : engine_.peers()) {
    for (const auto& child : peer.children) {
      ours.push_back(peer.inbound_id(child.in));
      if (child.state == ike::ChildState::active || child.state == ike::ChildState::standby)
        ours.push_back(peer.outbound_id(child));
    }
  }
  const auto found = broker_.compare(ours);
  if (!found) {
    base::log(base::Severity::error, found.error().message);
    return compare_timer_.set_time(now() + compare_again);
  }
  for (const auto& id : found->absent) engine_.expired(id, now());
  for (const auto& id : found->worn) engine_.nearly_expired(id, now());
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
  if (auto filled = broker_.fill_maps(peers); !filled)
    return base::log(base::Severity::error, filled.error().message);
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
  const auto ticket = request.ticket;
  const auto entry = request.new_entry;
  auto installed = broker_.install(std::move(request));
  if (installed && entry)
    tell(ike::EventKind::map_added, *entry,
         fmt::format("mark {:#x} is {}, and that is at {}", entry->mark.value, entry->alias.to_string(),
                     entry->home.to_string()));
  engine_.completed(ike::Installed{ticket, std::move(installed)}, now());
}

void Daemon::perform(ike::InstallOutbound& request) {
  const auto ticket = request.ticket;
  engine_.completed(ike::Installed{ticket, broker_.install(std::move(request))}, now());
}

void Daemon::perform(ike::RemoveSa& request) {
  if (const auto carried = broker_.remove(std::move(request))) {
    metrics_.count_gone(*carried);
  } else {
    ++removal_failures_;
    base::log(base::Severity::error, carried.error().message);
  }
}

void Daemon::perform(ike::MovePeer& request) {
  const auto new_home = request.new_home;
  const ike::PeerEntry entry{.mark = request.mark,
                             .alias = request.alias,
                             .home = new_home.value_or(base::Address()),
                             .dialled = {}};
  const auto moved = broker_.move(std::move(request));
  engine_.completed(ike::PeerMoved{entry.mark, moved.has_value()}, now());
  if (!moved) {
    ++move_failures_;
    tell_failure(entry, moved.error());
  } else if (new_home) {
    tell(ike::EventKind::map_moved, entry,
         fmt::format("{} is at {} now", entry.alias.to_string(), entry.home.to_string()));
  }
}

void Daemon::perform(ike::RemovePeer& request) {
  const auto entry = request.entry;
  if (const auto removed = broker_.remove(std::move(request)); !removed) {
    ++removal_failures_;
    tell_failure(entry, removed.error());
  } else {
    tell(ike::EventKind::map_removed, entry,
         fmt::format("mark {:#x} is nobody's any more", entry.mark.value));
  }
}

void Daemon::perform(ike::CountInbound& request) {
  ike::InboundCounted counted{.peer = request.peer, .packets = std::nullopt};
  if (const auto sas = broker_.count(std::move(request.sas)))
    counted.packets =
        std::accumulate(sas->begin(), sas->end(), std::uint64_t{0},
                        [](std::uint64_t sum, const xfrm::SaStatistics& sa) { return sum + sa.packets; });
  engine_.completed(counted, now());
}

void Daemon::perform(ike::LookForTraffic& request) {
  const auto counted = broker_.count({request.sa});
  engine_.completed(ike::TrafficSeen{request.ticket, counted ? counted->front().packets : 0}, now());
}

void Daemon::tell(ike::EventKind kind, const ike::PeerEntry& entry, std::string detail) {
  // Over IPv6 a peer has no elements.
  if (!entry.alias.is_v4() && kind != ike::EventKind::kernel_failed) return;
  ike::Event event{.kind = kind,
                   .peer = engine_.numbering().number_of(entry.mark).value_or(ike::PeerNumber(0)),
                   .mark = entry.mark,
                   .remote = {entry.home, 0},
                   .identity = {},
                   .detail = std::move(detail)};
  if (const auto peer = engine_.peers().find(event.peer); peer != engine_.peers().end()) {
    event.remote = peer->second.remote;
    event.identity = peer->second.identity;
  }
  perform(event);
}

void Daemon::tell_failure(const ike::PeerEntry& entry, const ike::Refused& why) {
  const bool of_maps = why.refusal == ike::Refusal::nft_refused;
  tell(of_maps ? ike::EventKind::map_failed : ike::EventKind::kernel_failed, entry, why.message);
}

void Daemon::perform(ike::Event& event) {
  metrics_.count(event);
  chronicle_.note(event, control::unix_milliseconds());
  sentences_.write(event, now());
  tell_monitors(event);
}

}  // namespace ikd
