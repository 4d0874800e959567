#include "l2tpd/packet_process.h"

#include <array>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include "base/event_log.h"
#include "l2tpd/random.h"
#include "l2tpd/router_advertisement.h"
#include "os/sandbox.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;

/// What was dropped is known no later than this.
constexpr base::Duration counts_interval = 200ms;
constexpr std::size_t rows_at_a_time = 100;

l2tp::Settings settings_from(const Hello& hello, BrokerClient& broker) {
  l2tp::Settings settings;
  if (hello.tunnel_secret) settings.secret = [&broker](const auto& around) { return broker.digests(around); };
  settings.hello_interval = hello.hello_interval;
  settings.hello_patience = hello.hello_patience;
  return settings;
}

/// A library does at its first use what this process cannot do any more afterwards.
void prepare_libraries() {
  (void)random_16();
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> out{};
  (void)EVP_Digest(out.data(), 1, out.data(), nullptr, EVP_sha256(), nullptr);
}

}  // namespace

TunnelRow row_of(const l2tp::Tunnel& tunnel) {
  TunnelRow row{.name = tunnel.name(),
                .host_name = tunnel.host_name(),
                .established = tunnel.established_at().has_value(),
                .lingering = tunnel.lingering(),
                .sessions = {}};
  for (const auto& [id, session] : tunnel.sessions())
    row.sessions.push_back({session.name(), session.sequencing()});
  return row;
}

PacketProcess::PacketProcess(const Hello& hello, os::Channel channel)
    : mark_mask_(hello.mark_mask),
      door_({.mask = hello.mark_mask, .alias = hello.aliases}, hello.cleartext),
      broker_(std::move(channel)),
      server_(settings_from(hello, broker_), random_16),
      of_tunnels_(loop_,
                  [this](std::uint64_t id) {
                    const auto it = tunnels_.find(l2tp::TunnelId(static_cast<std::uint16_t>(id)));
                    if (it != tunnels_.end()) receive(it->second);
                  }),
      alive_interval_(hello.watchdog_us) {}

base::Result<std::unique_ptr<PacketProcess>> PacketProcess::start(os::Channel channel) {
  auto message = channel.receive();
  const auto hello = message ? decode_hello(message->bytes.view()) : std::nullopt;
  if (!hello || message->descriptors.size() != hello->listeners.size() + 1)
    return base::fail("the privileged process has gone, or is of another version");
  base::set_log_level(hello->log_level);
  std::unique_ptr<PacketProcess> process(new PacketProcess(*hello, std::move(channel)));
  auto& descriptors = message->descriptors;
  os::Channel pokes(std::move(descriptors.back()));
  descriptors.pop_back();
  process->listen(*hello, std::move(descriptors));
  process->watch(std::move(pokes));
  prepare_libraries();
  base::log(base::Severity::info,
            fmt::format("process {} reads the packets, and gives up every privilege", ::getpid()));
  if (auto confined = os::confine({.user = hello->user, .group = hello->group}); !confined)
    return tl::unexpected(confined.error());
  return process;
}

void PacketProcess::listen(const Hello& hello, std::vector<base::Fd> descriptors) {
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    auto& socket = *main_.emplace_back(std::make_unique<MainSocket>(
        MainSocket{os::UdpSocket::adopt(std::move(descriptors[i]), hello.listeners[i].port), {}}));
    socket.readable = loop_.on_readable(socket.udp.fd(), [this, &socket] { receive(socket.udp); });
  }
}

void PacketProcess::watch(os::Channel pokes) {
  pokes_ = std::move(pokes);
  pokes_readable_ = loop_.on_readable(pokes_.fd(), [this] {
    if (!pokes_.receive()) std::_Exit(1);
    take_orders();
  });
  timer_ = loop_.on_time([this] { server_.timeout(base::Clock::now()); });
  counts_timer_ = loop_.on_time([this] { tell_counts(); });
  alive_timer_ = loop_.on_time([this] { be_alive(); });
  before_sleep_ = loop_.before_sleep([this] { pump(); });
  // The privileged process hears them, too, and has goodbyes to be said first.
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) signals_.push_back(loop_.on_signal(signal, [] {}));
}

void PacketProcess::run() {
  broker_.tell(Ready{});
  if (alive_interval_.count() > 0) be_alive();
  loop_.run();
}

void PacketProcess::be_alive() {
  broker_.tell(Alive{});
  alive_timer_.set_time(base::Clock::now() + alive_interval_);
}

void PacketProcess::take(const os::Datagram& datagram) {
  const base::Mark mark(datagram.mark & mark_mask_);
  switch (door_.judge(mark, datagram.from.address)) {
    case Entry::clear_text: ++counts_.clear_text; return;
    case Entry::marked: ++counts_.marked; return;
    case Entry::astray: ++counts_.astray; return;
    case Entry::welcome: break;
  }
  server_.input({.from = datagram.from, .to = datagram.to, .mark = mark, .bytes = datagram.bytes},
                base::Clock::now());
}

void PacketProcess::take_orders() {
  while (true) {
    const auto orders = broker_.fetch_orders();
    if (orders.empty()) return;
    for (const auto& order : orders) obey(order);
  }
}

void PacketProcess::obey(const Order& order) {
  const auto now = base::Clock::now();
  if (const auto* failed = std::get_if<l2tp::TunnelFailed>(&order)) server_.completed(*failed, now);
  if (const auto* ended = std::get_if<l2tp::SessionEnded>(&order)) server_.completed(*ended, now);
  if (const auto* gone = std::get_if<PeerGone>(&order)) server_.peer_gone(gone->mark);
  if (const auto* asked = std::get_if<Solicitation>(&order))
    broker_.tell(Solicited{asked->ifindex, is_router_solicitation(asked->message, asked->hop_limit)});
  if (const auto* close = std::get_if<CloseTunnel>(&order)) server_.close(close->tunnel, close->ending, now);
  if (const auto* idle = std::get_if<CloseIdleTunnel>(&order))
    server_.close_idle(idle->tunnel, idle->ending, now);
  if (std::holds_alternative<CloseAll>(order)) server_.close_all(now);
  if (const auto* gone = std::get_if<PeersGone>(&order))
    server_.peers_gone(base::Time(std::chrono::nanoseconds(gone->before)));
  if (std::holds_alternative<AbandonAll>(order)) end();
}

void PacketProcess::end() {
  server_.abandon_all();
  pump();
  tell_counts();
  broker_.wait();
  // What libraries and sanitizers do at the end may need more than this process has left.
  std::_Exit(0);
}

void PacketProcess::pump() {
  tell_changes();  // first: what is asked for is about them
  while (const auto effect = server_.next_effect())
    std::visit([this](const auto& each) { perform(each); }, *effect);
  timer_.set_time(server_.next_timeout());
  counts_.dropped = server_.counters().all();
  if (counts_ == told_counts_ || counts_due_) return;
  counts_due_ = true;
  counts_timer_.set_time(base::Clock::now() + counts_interval);
}

void PacketProcess::perform(const l2tp::Send& send) {
  const auto own = tunnels_.find(send.tunnel.id);
  if (send.via == l2tp::Via::tunnel_socket && own != tunnels_.end()) {
    counts_.send_failures += !own->second.send_connected(send.bytes);
    return;
  }
  // With a mark of its own for each datagram only a privileged one can send.
  broker_.tell(l2tp::Send{send.tunnel, l2tp::Via::main_socket, send.bytes});
}

void PacketProcess::perform(const l2tp::OpenTunnelSocket& open) {
  auto descriptor = broker_.open(open);
  if (!descriptor) return;
  const auto [it, is_new] = tunnels_.try_emplace(
      open.tunnel.id, os::UdpSocket::adopt(std::move(*descriptor), open.tunnel.local.port));
  if (is_new) of_tunnels_.add(it->second.fd(), open.tunnel.id.value);
}

void PacketProcess::perform(const l2tp::CloseTunnelSocket& close) {
  if (const auto it = tunnels_.find(close.tunnel.id); it != tunnels_.end()) {
    // The privileged process has this socket, too: closing ours alone would leave it watched.
    of_tunnels_.remove(it->second.fd());
    tunnels_.erase(it);
  }
  broker_.tell(close);
}

void PacketProcess::perform(const l2tp::StartSession& start) {
  broker_.tell(start);
  // What is sent next acknowledges ICCN, on which Android begins PPP: the kernel's session is there by then.
  broker_.wait();
}

void PacketProcess::tell_changes() {
  Changed changed;
  for (const auto id : server_.touched()) {
    const auto tunnel = server_.tunnels().find(id);
    if (tunnel == server_.tunnels().end()) {
      if (told_.erase(id) > 0) changed.gone.push_back(id);
      continue;
    }
    auto row = row_of(tunnel->second);
    const auto hash = std::hash<std::string_view>()(base::as_text(encode(row).view()));
    if (const auto told = told_.find(id); told != told_.end() && told->second == hash) continue;
    told_[id] = hash;
    changed.rows.push_back(std::move(row));
    if (changed.rows.size() < rows_at_a_time) continue;
    broker_.tell(std::exchange(changed, {}));
  }
  if (!changed.rows.empty() || !changed.gone.empty()) broker_.tell(changed);
}

void PacketProcess::tell_counts() {
  counts_due_ = false;
  told_counts_ = counts_;
  broker_.tell(counts_);
}

}  // namespace l2tpd
