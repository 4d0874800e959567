#include "l2tpd/peers_watch.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/event_log.h"
#include "control/interfaces.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration retry_interval = 1s;

}  // namespace

PeersWatch::PeersWatch(os::Loop& loop, std::string socket_path, Calls calls)
    : loop_(loop), path_(std::move(socket_path)), calls_(std::move(calls)) {
  retry_ = loop_.on_time([this] { connect(); });
  connect();
}

const control::Peer* PeersWatch::peer(base::Mark mark) const {
  const auto it = peers_.find(mark);
  return it == peers_.end() ? nullptr : &it->second;
}

const control::Peer* PeersWatch::current(base::Mark mark) const {
  return connected() && (settled_ || present_.contains(mark)) ? peer(mark) : nullptr;
}

void PeersWatch::connect() {
  auto client = control::AsyncClient::connect(loop_, path_, [this] { lost(); });
  if (!client) {
    // Once, not each second: ikd may well start after us.
    if (!told_)
      base::log(base::Severity::notice, fmt::format("Waiting for ikd: {}.", client.error().message));
    told_ = true;
    retry_.set_time(base::Clock::now() + retry_interval);
    return;
  }
  client_ = std::move(*client);
  settled_ = false;
  present_.clear();
  const auto pid = client_->server_pid();
  if (served_by_ != 0 && pid != served_by_) calls_.replaced(lost_at_);
  served_by_ = pid;
  client_->call("sameroof.Ike.Monitor", control::Json::object(), control::AsyncClient::Want::more,
                [this](const control::Answer& answer) { take(answer); });
}

void PeersWatch::take(const control::Answer& answer) {
  const auto event = answer.parameters.find("event");
  if (!answer.error.empty() || !answer.continues || event == answer.parameters.end() || !event->is_string()) {
    lost();
    return;
  }
  const auto name = event->get<std::string>();
  if (name == control::event::settled) {
    settled_ = true;
    if (told_) base::log(base::Severity::notice, "ikd is there.");
    told_ = false;
    std::erase_if(peers_, [this](const auto& known) { return !present_.contains(known.first); });
    calls_.only(present_);
    return;
  }
  const auto row = answer.parameters.find("peer");
  if (row == answer.parameters.end()) return;
  auto peer = control::peer_from(*row);
  if (!peer) return;
  const base::Mark mark(peer->mark);
  if (name == control::event::down) {
    peers_.erase(mark);
    present_.erase(mark);
    if (settled_) calls_.gone(mark);
  } else {
    peers_.insert_or_assign(mark, std::move(*peer));
    if (!settled_) present_.insert(mark);
    calls_.changed(mark);
  }
}

void PeersWatch::lost() {
  // Tunnels live on meanwhile: their SAs are in the kernel, whatever becomes of ikd.
  if (!told_) base::log(base::Severity::warning, "ikd does not answer any more; tunnels go on.");
  told_ = true;
  lost_at_ = base::Clock::now();
  client_.reset();
  retry_.set_time(base::Clock::now() + retry_interval);
}

}  // namespace l2tpd
