#include "ikd/broker_process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/event_log.h"
#include "control/server.h"
#include "ikd/reload.h"
#include "os/udp.h"
#include "xfrm/kernel.h"

namespace ikd {
namespace {

using namespace std::chrono_literals;

constexpr auto long_goodbye = 10s, short_goodbye = 1s;
constexpr unsigned most_workers = 64;
constexpr std::size_t longest_piece = 64 * 1024;
// Two sockets for each address; the kernel's events, the control socket, notices, and a way to the keys for
// each worker.
static_assert(2 * config::most_listen + 3 + most_workers <= os::Channel::most_descriptors);

base::Result<std::vector<base::Fd>> open_listeners(const config::Config& config, Hello& hello) {
  std::vector<base::Fd> out;
  for (const auto& address : config.ike.listen) {
    for (const auto port : {ike::ike_port, ike::natt_port}) {
      const os::UdpOptions options{
          .local = {address, port},
          .encapsulation = port == ike::natt_port ? os::Encapsulation::esp_in_udp : os::Encapsulation::none,
          .ipsec_bypass = true};
      auto socket = os::UdpSocket::open(options);
      if (!socket) return tl::unexpected(socket.error());
      hello.listeners.push_back(options.local);
      out.push_back(socket->release());
    }
  }
  return out;
}

void complain(const base::Result<void>& done) {
  if (!done) base::log(base::Severity::error, done.error().message);
}

}  // namespace

BrokerProcess::BrokerProcess(Loaded loaded, const BrokerOptions& options, std::string control_path,
                             Broker broker, nft::TableWatch table)
    : loaded_(std::move(loaded)),
      keys_(loaded_.keys),
      load_(options.load),
      control_path_(std::move(control_path)),
      broker_(std::move(broker)),
      table_(std::move(table)) {}

BrokerProcess::~BrokerProcess() {
  // Wakes the threads; their channels' other ends may live on in a process that does not end.
  for (auto& channel : key_channels_) channel.shut();
  key_threads_.clear();
  ::unlink(control_path_.c_str());
}

base::Result<std::unique_ptr<BrokerProcess>> BrokerProcess::start(Loaded loaded,
                                                                  const BrokerOptions& options) {
  const auto& config = loaded.config;
  for (const auto& doubt : loaded.doubts) base::log(base::Severity::notice, doubt);
  const auto identity = os::identity_of("sameroof-ikd");
  Hello hello{.listeners = {},
              .workers = std::clamp(std::thread::hardware_concurrency(), 1u, most_workers),
              .user = identity.user,
              .group = identity.group,
              .watchdog_us = os::Loop::watchdog_microseconds() / 2,
              .log_level = options.log_level};
  auto broker = Broker::open(config);
  if (!broker) return tl::unexpected(broker.error());
  auto sockets = open_listeners(config, hello);
  if (!sockets) return tl::unexpected(sockets.error());
  auto events = xfrm::EventSource::open();
  if (!events) return tl::unexpected(events.error());
  std::set<std::string> watched{"alias", "dialled"};
  if (config.l2tp.lns == config::Lns::external) watched.insert({"latched", "cleartext"});  // else l2tpd's
  auto table = nft::TableWatch::open(std::move(watched), {broker->nft_author()});
  if (!table) return tl::unexpected(table.error());
  const auto path = options.run_directory + "/ikd";
  auto control = control::listen_at(path);
  if (!control) return tl::unexpected(control.error());
  const auto l2tp = config.l2tp;
  std::unique_ptr<BrokerProcess> process(
      new BrokerProcess(std::move(loaded), options, path, std::move(*broker), std::move(*table)));
  sockets->push_back(events->duplicate());
  sockets->push_back(std::move(*control));
  // Only now: whoever has the ports and the control socket is the one whose predecessor has ended.
  if (auto clean = process->broker_.clean_up(); !clean) return tl::unexpected(clean.error());
  if (l2tp.lns == config::Lns::external) {
    if (auto open = process->broker_.open_l2tp_port(l2tp.cleartext); !open)
      return tl::unexpected(open.error());
  }
  if (auto begun = process->begin(options, std::move(hello), std::move(*sockets)); !begun)
    return tl::unexpected(begun.error());
  process->watch();
  return process;
}

base::Result<void> BrokerProcess::begin(const BrokerOptions& options, Hello hello,
                                        std::vector<base::Fd> sockets) {
  const auto keep_one = [&](os::Channel& ours) -> base::Result<void> {
    auto pair = os::Channel::pair();
    if (!pair) return tl::unexpected(pair.error());
    ours = std::move(pair->first);
    sockets.push_back(pair->second.release());
    return {};
  };
  if (auto made = keep_one(notices_); !made) return made;
  for (std::uint32_t i = 0; i < hello.workers; ++i) {
    if (auto made = keep_one(key_channels_.emplace_back()); !made) return made;
  }
  std::vector<int> descriptors;
  for (const auto& socket : sockets) descriptors.push_back(socket.get());
  auto partner = os::start_partner(options.partner, encode(hello).view(), descriptors);
  if (!partner) return tl::unexpected(partner.error());
  requests_ = std::move(partner->channel);
  child_ = partner->child;
  return {};
}

void BrokerProcess::watch() {
  request_source_ = loop_.on_readable(requests_.fd(), [this] { serve_request(); });
  sources_.push_back(loop_.on_readable(table_.fd(), [this] {
    if (!table_.disturbed()) return;
    const auto& l2tp = loaded_.config.l2tp;
    if (l2tp.lns == config::Lns::external && broker_.ruleset_loaded())
      complain(broker_.open_l2tp_port(l2tp.cleartext));
    notice(Notice::ruleset_changed);
  }));
  if (child_ > 0) sources_.push_back(loop_.on_child_exit(child_, [this](int status) { ended(status); }));
  // The other process asks for what it is to have, when it is ready to.
  sources_.push_back(loop_.on_signal(SIGHUP, [this] {
    os::Loop::notify("RELOADING=1");
    notice(Notice::reload);
  }));
  for (const int signal : {SIGTERM, SIGINT}) sources_.push_back(loop_.on_signal(signal, [this] { stop(); }));
  // The kernel ends it with this process (os::confine()), or the service manager does.
  patience_ = loop_.on_time([this] { ended(false, "does not end"); });
  // They inherit that signals are the loop's.
  for (auto& channel : key_channels_) key_threads_.emplace_back([this, &channel] { serve_keys(channel); });
}

bool BrokerProcess::run() {
  loop_.run();
  return well_;
}

void BrokerProcess::notice(Notice what) {
  const auto byte = static_cast<std::uint8_t>(what);
  (void)notices_.send({&byte, 1});
}

void BrokerProcess::stop() {
  if (std::exchange(asked_to_end_, true)) return;
  os::Loop::notify("STOPPING=1");
  notice(Notice::end);
  patience_.set_time(base::Clock::now() + long_goodbye);
}

void BrokerProcess::ended(int status) {
  const bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  ended(well, WIFSIGNALED(status) ? fmt::format("was ended by signal {}", WTERMSIG(status))
                                  : fmt::format("ended with status {}", WEXITSTATUS(status)));
}

void BrokerProcess::ended(bool well, const std::string& how) {
  well_ = asked_to_end_ && well;
  if (!well_) base::log(base::Severity::error, "the process that reads packets " + how);
  finish();
}

void BrokerProcess::abandon() {
  request_source_ = {};
  // The keys first: whoever sees that it is refused must have none of them any more.
  for (auto& channel : key_channels_) channel.shut();
  requests_.shut();
  // One that was told to end has the time that it was given.
  if (!asked_to_end_) patience_.set_time(base::Clock::now() + short_goodbye);
}

void BrokerProcess::finish() {
  complain(broker_.clean_up());
  if (loaded_.config.l2tp.lns == config::Lns::external)
    complain(broker_.open_l2tp_port(config::Cleartext::off));
  loop_.stop();
}

void BrokerProcess::serve_keys(os::Channel& channel) {
  while (const auto message = channel.receive()) {
    const auto request = decode_request(message->bytes.view());
    std::optional<Answer> answer;
    if (const auto* derive = request ? std::get_if<ike::DeriveSkeyids>(&*request) : nullptr)
      answer = keys_.load()->derive(*derive);
    if (const auto* sign = request ? std::get_if<ike::Sign>(&*request) : nullptr)
      answer = keys_.load()->sign(*sign);
    if (!answer || !channel.send(encode(*answer).view())) break;
  }
  channel.shut();
}

base::Result<Loaded> BrokerProcess::loaded_anew() const {
  if (!load_) return base::fail("it was not read from files");
  auto fresh = load_();
  if (!fresh) return fresh;
  if (auto good = ikd::check_reload(loaded_.config, fresh->config); !good)
    return tl::unexpected(good.error());
  return fresh;
}

Changes BrokerProcess::check_reload() const {
  const auto fresh = loaded_anew();
  if (!fresh) return {tl::unexpected(fresh.error())};
  return {changes(loaded_, *fresh)};
}

Changes BrokerProcess::reload() {
  auto fresh = loaded_anew();
  os::Loop::notify("READY=1");
  if (!fresh) {
    base::log(base::Severity::error,
              fmt::format("The configuration stays as it was: {}.", fresh.error().message));
    return {tl::unexpected(fresh.error())};
  }
  auto lines = changes(loaded_, *fresh);
  loaded_ = std::move(*fresh);
  keys_ = loaded_.keys;
  for (const auto& doubt : loaded_.doubts) base::log(base::Severity::notice, doubt);
  base::log(base::Severity::notice, fmt::format("The configuration was read again: {}.", summary(lines)));
  return {std::move(lines)};
}

Piece BrokerProcess::piece_of_provision(std::size_t from) {
  if (from == 0) provision_ = encode(loaded_.provision);
  const auto left = provision_.view().subspan(std::min(from, provision_.size()));
  Piece out{base::to_bytes(left.first(std::min(left.size(), longest_piece)))};
  if (out.octets.empty()) provision_ = {};
  return out;
}

void BrokerProcess::serve_request() {
  const auto message = requests_.receive();
  const auto request = message ? decode_request(message->bytes.view()) : std::nullopt;
  const auto answer = request ? perform(*request) : std::nullopt;
  if (answer && requests_.send(encode(*answer).view())) return;
  abandon();
  // How a child has ended is about to be known.
  if (message) base::log(base::Severity::error, "the process that reads packets is not what it was");
  if (child_ < 0) ended(!message, "has gone");
}

namespace {

Answer perform(Broker& broker, const ike::InstallInbound& r) { return Done{broker.install(r)}; }
Answer perform(Broker& broker, const ike::InstallOutbound& r) { return Done{broker.install(r)}; }
Answer perform(Broker& broker, const ike::RemoveSa& r) { return Removed{broker.remove(r)}; }
Answer perform(Broker& broker, const ike::RemovePeer& r) { return Done{broker.remove(r)}; }
Answer perform(Broker& broker, const ike::MovePeer& r) { return Done{broker.move(r)}; }
Answer perform(Broker& broker, const FillMaps& r) { return Outcome{broker.fill_maps(r.peers)}; }
Answer perform(Broker& broker, const IsRulesetLoaded&) { return RulesetLoaded{broker.ruleset_loaded()}; }
Answer perform(Broker& broker, const ReadRules&) { return RulesRead{broker.rule_counts()}; }
Answer perform(Broker& broker, const Compare& r) { return Compared{broker.compare(r.sas)}; }
Answer perform(Broker& broker, const Count& r) { return Counted{broker.count(r.sas)}; }
Answer perform(Broker&, const Ready&) {
  os::Loop::notify("READY=1");
  base::log(base::Severity::info, "ikd is ready");
  return Outcome{};
}
Answer perform(Broker&, const Alive&) {
  os::Loop::notify("WATCHDOG=1");
  return Outcome{};
}
// These are not the kernel's affair, and keys have channels of their own.
template <class Other>
std::optional<Answer> perform(Broker&, const Other&) {
  return std::nullopt;
}

}  // namespace

std::optional<Answer> BrokerProcess::perform(const Request& request) {
  if (std::holds_alternative<CheckReload>(request)) return check_reload();
  if (std::holds_alternative<Reload>(request)) return reload();
  if (const auto* read = std::get_if<ReadProvision>(&request)) return piece_of_provision(read->from);
  return std::visit([this](const auto& r) -> std::optional<Answer> { return ikd::perform(broker_, r); },
                    request);
}

}  // namespace ikd
