#include "l2tpd/daemon.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>

#include "base/event_log.h"
#include "control/interfaces.h"
#include "control/server.h"
#include "l2tpd/kernel.h"
#include "l2tpd/mtu.h"
#include "l2tpd/radius.h"
#include "l2tpd/random.h"
#include "l2tpd/record.h"
#include "l2tpd/reload.h"
#include "l2tpd/status.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;
using base::Severity;

constexpr std::uint16_t l2tp_port = 1701;
constexpr base::Duration stop_check = 50ms;
constexpr base::Duration last_breath = 1s;  ///< of a process that has hung up

/// What the other process is to know.
Hello hello_from(const config::Config& config, const config::Secrets& secrets, Severity log_level) {
  const auto identity = os::identity_of("sameroof-l2tpd");
  Hello hello{.listeners = {},
              .mark_mask = config.marks.mask,
              .aliases = config.marks.alias,
              .cleartext = config.l2tp.cleartext,
              .hello_interval = config.l2tp.hello,
              .hello_patience = config.l2tp.hello_timeout,
              .tunnel_secret = !secrets.l2tp.empty(),
              .user = identity.user,
              .group = identity.group,
              .watchdog_us = os::Loop::watchdog_microseconds() / 2,
              .log_level = log_level};
  for (const auto& address : config.l2tp.listen) hello.listeners.push_back({address, l2tp_port});
  return hello;
}

std::string radius_folder(const DaemonOptions& options) { return options.run_dir + "/radius"; }

/// What is missing for ppp.ipv6_prefix: an error, or where somebody may still mend it only a warning.
base::Result<void> prepare_ipv6(const config::Ppp& ppp, Ipv6Links& links) {
  if (!ppp.ipv6_prefix) return {};
  if (!forwards_ipv6())
    base::log(Severity::warning,
              "Sessions have no IPv6, in spite of ppp.ipv6_prefix: this host forwards none "
              "(net.ipv6.conf.all.forwarding is 0).");
  return links.open();
}

}  // namespace

Daemon::Daemon(os::Loop& loop, config::Config& config, config::Secrets& secrets, DaemonOptions options)
    : loop_(loop),
      config_(config),
      secrets_(secrets),
      options_(std::move(options)),
      accounts_(config, secrets, random_secret(32)),
      told_([this] {
        constexpr std::uint8_t something = 1;
        (void)pokes_.send({&something, 1});
      }),
      admission_({config.marks, config.l2tp.cleartext}),
      tunnel_secret_(l2tp::kept_here(secrets.l2tp.clone())),
      bindings_(loop, config, [this](base::Mark mark) { return peers_ ? peers_->current(mark) : nullptr; }),
      ipv6_links_(loop, [this](Solicitation solicitation) { told_.judge(std::move(solicitation)); }),
      links_(
          loop, config, accounts_, bindings_, options_.pppd,
          {.ended =
               [this](const l2tp::TunnelName& tunnel, const l2tp::SessionName& session, l2tp::Ending ending) {
                 admission_.ended(tunnel.id, session.id);
                 told_.ended(tunnel.id, session.id, std::move(ending));
               },
           .refused = [this](const l2tp::TunnelName& tunnel, Refusal refusal, std::string_view user,
                             std::string_view why) { refusals_.tell(tunnel, refusal, user, why); },
           .made = [this](const InterfaceRecord& interface) { return filter_->made(interface); },
           .gone = [this](const InterfaceRecord& interface, IfName name) { filter_->gone(interface, name); },
           .ipv4_up = [this](const SessionRecord& session) { return ipv4_up(session); },
           .ipv4_down = [this](const SessionRecord& session,
                               IfName name) { filter_->ipv4_down(session, name); },
           .up = [this](const SessionRecord& session) { session_up(session); },
           .down = [this](SessionRecord& session, IfName name) { session_down(session, name); },
           .begun = [this](const SessionRecord& session) { session_begun(session); },
           .over = [this](const SessionRecord& session, std::string_view why) { session_over(session, why); },
           .user_down =
               [this](const l2tp::TunnelName& tunnel, const std::string& user, std::string_view why) {
                 note(tunnel, {.what = Happening::user_down,
                               .text = fmt::format("user '{}' is down: {}", user, why),
                               .user = user});
               },
           .refitted = [this](const std::string& ifname, std::uint16_t mtu) { link_refitted(ifname, mtu); },
           .ipv6_up = [this](const Ipv6Record& session) { return ipv6_up(session); },
           .ipv6_down = [this](const Ipv6Record& session, IfName name) { ipv6_down(session, name); }}),
      hooks_(loop, config.hooks),
      farewells_(loop, told_, links_),
      sockets_(loop),
      started_(base::Clock::now()) {}

Daemon::~Daemon() {
  if (!filter_) return;
  // Before the control socket and the ports are free for another l2tpd.
  filter_.reset();
  remove_radius_files(radius_folder(options_));
}

base::Result<void> Daemon::start() {
  for (const auto& able : {check_kernel(), pppd_files_.check(config_.ppp)}) {
    if (!able) base::log(Severity::warning, fmt::format("No session can come up: {}.", able.error().message));
  }
  stop_timer_ = loop_.on_time([this] { depart(); });
  terminate_ = loop_.on_signal(SIGTERM, [this] { stop(); });
  interrupt_ = loop_.on_signal(SIGINT, [this] { stop(); });
  hangup_ = loop_.on_signal(SIGHUP, [this] {
    os::Loop::notify("RELOADING=1");
    [[maybe_unused]] const auto told = reload();
    os::Loop::notify("READY=1");
  });
  // Both before anything of the kernel's is touched: an l2tpd that already serves must not lose its latch.
  if (const auto opened = open_control(); !opened) return opened;
  for (const auto& address : config_.l2tp.listen) {
    if (const auto free = os::UdpSocket::open({.local = {address, l2tp_port}}); !free)
      return tl::unexpected(free.error());
  }
  auto filter = Filter::open(loop_, config_, admission_.latched());
  if (!filter) return tl::unexpected(filter.error());
  filter_ = std::move(*filter);
  if (config_.ppp.users == config::UserSource::radius) {
    auto written = write_radius_files(radius_folder(options_), config_, secrets_);
    if (!written) return tl::unexpected(written.error());
    radius_file_ = std::move(*written);
  }
  if (const auto able = prepare_ipv6(config_.ppp, ipv6_links_); !able) return able;
  for (const auto& address : config_.l2tp.listen) {
    if (const auto opened = open_main_socket(address); !opened) return opened;
  }
  if (const auto started = start_other_process(); !started) return started;
  if (config_.l2tp.cleartext == config::Cleartext::only) return {};  // there are no peers of ikd's
  peers_ = std::make_unique<PeersWatch>(
      loop_, options_.run_dir + "/ikd",
      PeersWatch::Calls{.gone = [this](base::Mark mark) { told_.peer_gone(mark); },
                        .replaced = [this](base::Time when) { told_.peers_gone(when); },
                        .only = [this](const std::set<base::Mark>& marks) { keep_only(marks); },
                        .changed =
                            [this](base::Mark mark) {
                              bindings_.heard(mark);
                              links_.refit(mark, [this](const auto& tunnel, const auto& session) {
                                return terms_for(tunnel, session).mtu;
                              });
                            }});
  return {};
}

base::Result<void> Daemon::open_main_socket(const base::Address& address) {
  auto socket = os::UdpSocket::open({.local = {address, l2tp_port},
                                     .encapsulation = os::Encapsulation::none,
                                     .ipsec_bypass = false,
                                     .shared_port = true,
                                     .no_checksum = true,
                                     .from_any_address = true});
  if (!socket) return tl::unexpected(socket.error());
  main_sockets_.push_back({address, std::move(*socket)});
  return {};
}

base::Result<void> Daemon::start_other_process() {
  auto pokes = os::Channel::pair();
  if (!pokes) return tl::unexpected(pokes.error());
  std::vector<int> descriptors;
  for (const auto& main : main_sockets_) descriptors.push_back(main.udp.fd());
  descriptors.push_back(pokes->second.fd());
  auto partner = os::start_partner(
      options_.partner, encode(hello_from(config_, secrets_, options_.log_level)).view(), descriptors);
  if (!partner) return tl::unexpected(partner.error());
  pokes_ = std::move(pokes->first);
  requests_ = std::move(partner->channel);
  child_ = partner->child;
  request_source_ = loop_.on_readable(requests_.fd(), [this] { serve_request(); });
  patience_ = loop_.on_time([this] { lose("has hung up"); });
  if (child_ > 0)
    child_exit_ = loop_.on_child_exit(child_, [this](int status) { other_process_ended(status); });
  return {};
}

void Daemon::serve_request() {
  const auto message = requests_.receive();
  if (!message) {
    request_source_ = {};
    if (child_ < 0) return dismissed() ? void(gone_ = true) : lose("has gone");
    // How a child has ended is about to be known. One that has been taken over need not end; one that was
    // told to has the time of the whole stop.
    if (!dismissed()) patience_.set_time(base::Clock::now() + last_breath);
    return;
  }
  const auto request = decode_request(message->bytes.view());
  if (!request || !admission_.admits(*request)) return lose("is not what it was");
  std::visit([this](const auto& each) { perform(each); }, *request);
  Answer answer = Done{};
  std::vector<int> descriptors;
  if (std::holds_alternative<FetchOrders>(*request)) answer = Orders{told_.take_orders()};
  if (const auto* wanted = std::get_if<DigestWithSecret>(&*request))
    answer = Digests{tunnel_secret_ ? tunnel_secret_(wanted->around) : std::vector<l2tp::Digest>()};
  if (const auto* open = std::get_if<l2tp::OpenTunnelSocket>(&*request)) {
    if (const int udp = sockets_.udp(open->tunnel.id); udp >= 0) descriptors.push_back(udp);
  }
  if (!requests_.send(encode(answer).view(), descriptors) || told_.overwhelmed()) lose("does not listen");
}

void Daemon::other_process_ended(int status) {
  if (dismissed() && status == 0) return void(gone_ = true);
  lose(WIFSIGNALED(status) ? fmt::format("was ended by signal {}", WTERMSIG(status))
                           : fmt::format("ended with status {}", WEXITSTATUS(status)));
}

void Daemon::lose(const std::string& how) {
  if (std::exchange(lost_, true)) return;
  base::log(Severity::error, fmt::format("The process that reads packets {}.", how));
  request_source_ = {};
  requests_.shut();
  links_.stop_all("l2tpd ends");
  sockets_.close_all();
  if (!departure_) departure_.emplace(base::Clock::now());
  stop_timer_.set_time(base::Clock::now());
}

void Daemon::perform(const Ready&) {
  os::Loop::notify("READY=1");
  base::log(Severity::info, "l2tpd is ready.");
}

void Daemon::perform(const Alive&) { os::Loop::notify("WATCHDOG=1"); }

void Daemon::perform(const Changed& changed) {
  told_.changed(changed, base::Clock::now());
  farewells_.look();
}

base::Result<void> Daemon::open_control() {
  auto server = control::Server::listen(
      loop_, {.path = options_.run_dir + "/l2tpd", .product = "l2tpd", .version = SAMEROOF_VERSION},
      control_interface());
  if (!server) return tl::unexpected(server.error());
  control_ = std::move(*server);
  serve_status(*control_, told_, links_, ipv6_links_.counters(), hooks_.counters(), counters_,
               config_.l2tp.cleartext, started_);
  farewells_.serve(*control_);
  chronicle_.history().serve(*control_);
  serve_metrics(*control_, metrics_, told_, links_, hooks_.counters(), counters_, started_, bytes_of);
  control_->handle("CheckReload", [this](const control::Json&, control::Call call) {
    const auto lines = check_reload_now();
    if (!lines) return call.fail(control::refused, {{"why", lines.error().message}});
    call.reply({{"changes", *lines}});
  });
  control_->handle("Reload", [this](const control::Json&, control::Call call) {
    const auto changes = reload();
    if (!changes) return call.fail(control::refused, {{"why", changes.error().message}});
    call.reply({{"changes", *changes}});
  });
  return {};
}

void Daemon::perform(const l2tp::Send& send) {
  const auto& name = send.tunnel;
  for (auto& main : main_sockets_) {
    const bool every = main.local.is_unspecified() && main.local.family() == name.local.address.family();
    if (!every && main.local != name.local.address) continue;
    counters_.send_failures += !main.udp.send(send.bytes, our_end(name).address, name.remote, name.mark);
    return;
  }
}

/// Where we are to the tunnel's sockets and policies: an IPsec peer's near end (nft/sameroof.nft), or what
/// was dialled.
base::Endpoint Daemon::our_end(const l2tp::TunnelName& tunnel) const {
  if (tunnel.mark.value == 0 || !tunnel.local.address.is_v4()) return tunnel.local;
  return {base::Address::v4(tunnel.remote.address.v4_value() | config_.marks.near_bit()), tunnel.local.port};
}

void Daemon::perform(const l2tp::OpenTunnelSocket& open) {
  auto socket = os::UdpSocket::open_connected(our_end(open.tunnel), open.tunnel.remote, open.tunnel.mark);
  if (!socket) {
    fail(open.tunnel, socket.error());
    return;
  }
  sockets_.open(open.tunnel.id, std::move(*socket));
}

void Daemon::perform(const l2tp::AddLatch& add) {
  if (const auto done = filter_->add_tunnel(add.tunnel); !done)
    return fail(add.tunnel, {done.error().message});
}

void Daemon::perform(const l2tp::RemoveLatch& remove) {
  const auto done = filter_->remove_tunnel(remove.tunnel);
  if (!done) base::log(Severity::warning, done.error().message);
}

void Daemon::perform(const l2tp::KernelTunnelUp& up) {
  const int udp = sockets_.udp(up.tunnel.id);
  if (udp < 0) return;
  auto management = make_kernel_tunnel(udp, up.tunnel);
  if (!management) {
    fail(up.tunnel, management.error());
    return;
  }
  sockets_.keep_in_kernel(up.tunnel.id, std::move(*management));
  ++counters_.tunnels;
  const auto now = base::Clock::now();
  if (const auto* tunnel = told_.find(up.tunnel.id)) metrics_.took(Phase::tunnel, now - tunnel->since);
  note(up.tunnel, {.what = Happening::tunnel_up,
                   .text = fmt::format("tunnel {} of '{}' is up", up.tunnel.id.value, up.host_name)});
  if (!quiet_.may_write(up.tunnel, now)) return;
  base::log(
      Severity::info,
      fmt::format("Tunnel {} with {} ('{}') is up.", up.tunnel.id.value, words_for(up.tunnel), up.host_name),
      {{"MARK", mark_field(up.tunnel)}});
}

void Daemon::fail(const l2tp::TunnelName& tunnel, const base::Error& why) {
  if (quiet_.may_write(tunnel, base::Clock::now()))
    base::log(Severity::error,
              fmt::format("Tunnel {} with {} fails: {}.", tunnel.id.value, words_for(tunnel), why.message),
              {{"MARK", mark_field(tunnel)}});
  // The peer need not know our paths and errno: it hears that something is missing here.
  told_.failed(tunnel.id, "insufficient resources");
}

void Daemon::perform(const l2tp::StartSession& start) {
  if (const auto* session = told_.find(start.tunnel.id, start.session.id))
    metrics_.took(Phase::session, base::Clock::now() - session->since);
  note(start.tunnel, {.what = Happening::session_begun,
                      .text = fmt::format("PPP begins in session {}", start.session.id.value)});
  if (const auto started = start_session(start); !started) {
    refusals_.tell(start.tunnel, Refusal::ppp_not_startable, {}, started.error().message);
    admission_.ended(start.tunnel.id, start.session.id);
    told_.ended(start.tunnel.id, start.session.id,
                l2tp::hang_up(l2tp::CallResult::no_facilities_now, "PPP cannot be started here"));
  }
}

base::Result<void> Daemon::start_session(const l2tp::StartSession& start) {
  if (!sockets_.in_kernel(start.tunnel.id)) return base::fail("its tunnel is not in the kernel");
  // pppd would end without a word about what is missing.
  if (auto able = check_ppp_device("/dev/ppp"); !able) return able;
  if (auto able = pppd_files_.check(config_.ppp); !able) return able;
  auto session = make_kernel_session(sockets_.udp(start.tunnel.id), start.tunnel, start.session,
                                     start.sequencing ? DataSequencing::both : DataSequencing::none);
  if (!session) return tl::unexpected(session.error());
  return links_.start(start.tunnel, start.session, std::move(*session),
                      terms_for(start.tunnel, start.session));
}

const control::Peer* Daemon::peer_of(const l2tp::TunnelName& tunnel) const {
  return tunnel.mark.value == 0 || !peers_ ? nullptr : peers_->peer(tunnel.mark);
}

PppdTerms Daemon::terms_for(const l2tp::TunnelName& tunnel, const l2tp::SessionName& name) const {
  const auto* peer = peer_of(tunnel);
  // Where the peer really is: to its alias no packet goes on a wire.
  const auto home =
      peer ? base::Address::parse(peer->address).value_or(tunnel.remote.address) : tunnel.remote.address;
  const auto known = path_mtu(tunnel.local.address, home);
  const auto path = std::min(known.value_or(config_.ppp.path_mtu), config_.ppp.path_mtu);
  Carrier carrier{.ipsec = tunnel.mark.value != 0,
                  .udp_encapsulation = true,
                  .ipv6 = !tunnel.local.address.is_v4(),
                  .transform = {}};
  if (const auto* session = told_.find(tunnel.id, name.id)) carrier.sequencing = session->sequencing;
  if (peer) carrier.udp_encapsulation = peer->port != 0;
  auto largest = largest_ppp_packet(path, carrier);
  const auto through = [&](const control::Sa& sa) {
    carrier.transform = sa.transform;
    return largest_ppp_packet(path, carrier);
  };
  // While keys change, either may carry a packet.
  if (peer && !peer->sas.empty()) largest = through(*std::ranges::min_element(peer->sas, {}, through));
  // An Echo-Request wakes a phone as a HELLO does.
  PppdTerms terms{.mtu = std::min(largest, config_.ppp.mtu.value_or(largest)),
                  .radius_file = radius_file_,
                  .echo_interval = config_.l2tp.hello,
                  .echo_patience = config_.l2tp.hello_timeout};
  terms.ipv6 = config_.ppp.ipv6_prefix && terms.mtu >= least_ipv6_mtu && forwards_ipv6();
  terms.calling_station = base::Endpoint{home, peer ? peer->port : tunnel.remote.port}.to_string();
  if (tunnel.mark.value != 0) terms.calling_station += fmt::format("/{:#x}", tunnel.mark.value);
  return terms;
}

base::Result<void> Daemon::ipv4_up(const SessionRecord& session) {
  if (auto watched = filter_->ipv4_up(session); !watched) return watched;
  note(session.tunnel, {.what = Happening::user_up,
                        .text = fmt::format("user '{}' is up: {} with {}, MTU {}", session.account.name,
                                            session.ifname, session.address->to_string(), session.mtu),
                        .user = session.account.name});
  return {};
}

void Daemon::session_up(const SessionRecord& session) {
  metrics_.link_up(session.ifname, {.in = session.bytes_in, .out = session.bytes_out});
}

void Daemon::session_begun(const SessionRecord& session) {
  metrics_.took(Phase::ppp, session.setup);
  hooks_.run(SessionEvent::up, session.number,
             record_of(SessionEvent::up, session, peer_of(session.tunnel), base::Clock::now()));
}

/// New keys may come with another transform, and a peer may move behind a NAT or out from it.
void Daemon::link_refitted(const std::string& ifname, std::uint16_t mtu) {
  if (const auto done = set_mtu(ifname, mtu); !done) base::log(Severity::warning, done.error().message);
  filter_->refit(ifname, mtu);
  ipv6_links_.refit(ifname, mtu);
}

base::Result<void> Daemon::ipv6_up(const Ipv6Record& session) {
  if (auto watched = filter_->ipv6_up(session); !watched) return watched;
  note(session.tunnel, {.what = Happening::user_up,
                        .text = fmt::format("user '{}' has IPv6: {} with {}", session.account.name,
                                            session.ifname, session.prefix.to_string()),
                        .user = session.account.name});
  const auto done = ipv6_links_.up(
      session.ifname, {.prefix = session.prefix, .mtu = session.mtu, .dns = config_.ppp.ipv6_dns});
  if (!done)
    base::log(Severity::error, fmt::format("{} has no IPv6: {}.", session.ifname, done.error().message));
  return {};
}

void Daemon::ipv6_down(const Ipv6Record& session, IfName name) {
  filter_->ipv6_down(session, name);
  if (name == IfName::still_its) ipv6_links_.down(session.ifname);
}

void Daemon::session_down(SessionRecord& session, IfName name) {
  if (name == IfName::anothers) return;
  const auto bytes = bytes_of(session.ifname);
  session.bytes_in = bytes.in;
  session.bytes_out = bytes.out;
  metrics_.link_carries(session.ifname, bytes);
  metrics_.link_down(session.ifname);
}

void Daemon::session_over(const SessionRecord& session, std::string_view why) {
  hooks_.run(SessionEvent::down, session.number,
             record_of(SessionEvent::down, session, peer_of(session.tunnel), base::Clock::now(), why));
}

base::Result<Configuration> Daemon::loaded_anew() const {
  auto fresh = options_.load ? options_.load() : base::fail("it was not read from files");
  if (!fresh) return fresh;
  if (auto good = check_reload(config_, fresh->config, links_.user_at(fresh->config.ppp.local_address));
      !good)
    return tl::unexpected(good.error());
  if (auto good = config::PppdFiles(options_.pppd.path).check(fresh->config.ppp); !good)
    return tl::unexpected(good.error());
  return fresh;
}

base::Result<std::vector<std::string>> Daemon::check_reload_now() const {
  const auto fresh = loaded_anew();
  if (!fresh) return tl::unexpected(fresh.error());
  return changes(config_, fresh->config);
}

base::Result<std::string> Daemon::reload() {
  auto fresh = loaded_anew();
  base::Result<void> good;
  if (!fresh) good = tl::unexpected(fresh.error());
  if (good) good = prepare_ipv6(fresh->config.ppp, ipv6_links_);
  if (good && fresh->config.ppp.users == config::UserSource::radius) {
    auto written = write_radius_files(radius_folder(options_), fresh->config, fresh->secrets);
    if (!written) good = tl::unexpected(written.error());
  }
  if (!good) {
    base::log(Severity::error, fmt::format("The configuration stays as it was: {}.", good.error().message));
    return tl::unexpected(good.error());
  }
  auto told = difference(config_, fresh->config);
  config_ = std::move(fresh->config);
  secrets_ = std::move(fresh->secrets);
  radius_file_ =
      config_.ppp.users == config::UserSource::radius ? options_.run_dir + "/radius/radius.conf" : "";
  links_.reconfigure();
  if (filter_) filter_->reconfigure();
  base::log(Severity::notice, fmt::format("The configuration was read again: {}.", told));
  return told;
}

void Daemon::perform(const l2tp::StopSession& stop) { links_.stop(stop.tunnel, stop.session, stop.why); }

void Daemon::note(const l2tp::TunnelName& tunnel, Chronicle::Note note) {
  chronicle_.note(tunnel, std::move(note), control::unix_milliseconds());
}

void Daemon::perform(const l2tp::TunnelDown& down) {
  const bool refused = refusals_.tell(down);
  note(down.tunnel, {.what = Happening::tunnel_down,
                     .text = fmt::format("tunnel {} is down: {}", down.tunnel.id.value, down.why)});
  if (refused || !quiet_.may_write(down.tunnel, base::Clock::now())) return;
  base::log(
      Severity::info,
      fmt::format("Tunnel {} with {} is down: {}.", down.tunnel.id.value, words_for(down.tunnel), down.why),
      {{"MARK", mark_field(down.tunnel)}});
}

void Daemon::perform(const l2tp::CallRefused& call) {
  ++counters_.refused_calls;
  refusals_.tell(call);
}

void Daemon::keep_only(const std::set<base::Mark>& marks) {
  std::set<base::Mark> gone;
  for (const auto& [id, tunnel] : told_.all()) {
    const auto mark = tunnel.name.mark;
    if (mark.value != 0 && !marks.contains(mark)) gone.insert(mark);
  }
  for (const auto mark : gone) told_.peer_gone(mark);
}

void Daemon::stop() {
  if (departure_) return;
  base::log(Severity::info, "Stopping.");
  os::Loop::notify("STOPPING=1");
  departure_.emplace(base::Clock::now());
  told_.close_all();
  stop_timer_.set_time(base::Clock::now());
}

void Daemon::depart() {
  const auto now = base::Clock::now();
  switch (departure_->next(
      {.heard = told_.quiet(), .alone = gone_ || lost_, .idle = links_.empty() && hooks_.empty()}, now)) {
    case Departure::Step::wait: break;
    case Departure::Step::dismiss: told_.abandon_all(); break;
    case Departure::Step::lose: lose("does not end"); break;
    case Departure::Step::leave: loop_.stop(); return;
  }
  stop_timer_.set_time(now + stop_check);
}

}  // namespace l2tpd
