#include "l2tpd/admission.h"

#include <algorithm>
#include <utility>

namespace l2tpd {
namespace {

constexpr std::uint16_t l2tp_port = 1701;
constexpr std::size_t most_tunnels = 0x8000;  // the core's
constexpr std::size_t most_sessions = 16;     // of a tunnel; a core's limit is lower
constexpr std::size_t longest_name = 64;
constexpr std::size_t longest_sentence = 512;

/// RFC 2661 §3.1: version 2, with T bit, length and sequence numbers.
bool is_control_message(base::ByteView bytes) {
  return bytes.size() >= 12 && (bytes[0] & 0xc8) == 0xc8 && (bytes[1] & 0x0f) == 2;
}

}  // namespace

bool Admission::admits(const Request& request) {
  return std::visit([this](const auto& each) { return may(each); }, request);
}

void Admission::ended(l2tp::TunnelId tunnel, l2tp::SessionId session) {
  if (const auto it = open_.find(tunnel); it != open_.end()) it->second.sessions.erase(session);
}

bool Admission::is_of_somebody(const l2tp::TunnelName& name) const {
  return name.local.port == l2tp_port && name.local.address.family() == name.remote.address.family() &&
         door_.judge(name.mark, name.remote.address) == Entry::welcome;
}

Admission::Open* Admission::open(const l2tp::TunnelName& name) {
  const auto it = open_.find(name.id);
  return it == open_.end() || it->second.name != name ? nullptr : &it->second;
}

bool Admission::may(const l2tp::Send& request) const {
  return is_of_somebody(request.tunnel) && is_control_message(request.bytes);
}

bool Admission::may(const l2tp::OpenTunnelSocket& request) {
  const auto& name = request.tunnel;
  if (name.id.value == 0 || name.peer.value == 0 || !is_of_somebody(name)) return false;
  if (open_.size() >= most_tunnels) return false;
  return open_.try_emplace(name.id, Open{.name = name, .in_kernel = false, .sessions = {}}).second;
}

bool Admission::may(const l2tp::CloseTunnelSocket& request) {
  if (open(request.tunnel) == nullptr) return false;
  open_.erase(request.tunnel.id);
  return true;
}

bool Admission::may(const l2tp::AddLatch& request) {
  const auto& name = request.tunnel;
  return open(name) != nullptr && latched_.emplace(name.id, name.mark).second;
}

bool Admission::may(const l2tp::RemoveLatch& request) {
  const auto it = latched_.find(request.tunnel.id);
  if (it == latched_.end() || it->second != request.tunnel.mark) return false;
  latched_.erase(it);
  return true;
}

bool Admission::may(const l2tp::KernelTunnelUp& request) {
  auto* tunnel = open(request.tunnel);
  return tunnel != nullptr && request.host_name.size() <= longest_name &&
         !std::exchange(tunnel->in_kernel, true);
}

bool Admission::may(const l2tp::StartSession& request) {
  auto* tunnel = open(request.tunnel);
  return tunnel != nullptr && tunnel->in_kernel && request.session.id.value != 0 &&
         tunnel->sessions.size() < most_sessions && tunnel->sessions.insert(request.session.id).second;
}

bool Admission::may(const l2tp::StopSession& request) {
  if (auto* tunnel = open(request.tunnel)) tunnel->sessions.erase(request.session.id);
  return request.why.size() <= longest_sentence;
}

bool Admission::may(const l2tp::TunnelDown& request) const {
  return is_of_somebody(request.tunnel) && request.why.size() <= longest_sentence &&
         (!request.stop || request.stop->message.size() <= longest_sentence);
}

bool Admission::may(const l2tp::CallRefused& request) const {
  return is_of_somebody(request.tunnel) && request.why.size() <= longest_sentence;
}

bool Admission::may(const DigestWithSecret& request) const {
  return std::ranges::all_of(request.around, [](const l2tp::AroundSecret& around) {
    return around.before.size() <= l2tp::longest_before_secret;
  });
}

bool Admission::may(const Changed& request) const {
  return std::ranges::all_of(request.rows, [this](const TunnelRow& row) {
    return is_of_somebody(row.name) && row.host_name.size() <= longest_name &&
           row.sessions.size() <= most_sessions;
  });
}

}  // namespace l2tpd
