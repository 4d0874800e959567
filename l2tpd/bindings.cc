#include "l2tpd/bindings.h"

#include <algorithm>
#include <chrono>

namespace l2tpd {
namespace {

constexpr base::Duration patience = std::chrono::seconds(3);  // a client's own is ten and more

}  // namespace

Bindings::Bindings(os::Loop& loop, const config::Config& config, PeerOf peer_of)
    : loop_(loop), config_(config), peer_of_(std::move(peer_of)) {}

bool Bindings::any_bound() const {
  return std::ranges::any_of(config_.ike.psks, &config::Psk::bind_user) ||
         std::ranges::any_of(config_.ike.certificates, &config::CertificateClass::bind_user);
}

void Bindings::ask(base::Mark mark, OnAnswer on_answer) {
  if (mark.value == 0) return on_answer(Logins());
  // Also where this configuration binds nobody: ikd may have read a newer one.
  if (const auto* peer = peer_of_(mark)) return on_answer(peer->bound_to);
  if (!any_bound()) return on_answer(Logins());
  const auto it = questions_.insert(questions_.end(), {mark, std::move(on_answer), {}});
  it->too_late =
      loop_.on_time([this, it] { finish(it, base::fail("ikd does not say whose connection it is")); });
  it->too_late.set_time(base::Clock::now() + patience);
}

void Bindings::heard(base::Mark mark) {
  const auto* peer = peer_of_(mark);
  if (peer == nullptr) return;
  const Logins logins = peer->bound_to;
  for (auto it = questions_.begin(); it != questions_.end();) {
    const auto question = it++;
    if (question->mark == mark) finish(question, logins);
  }
}

void Bindings::finish(std::list<Question>::iterator question, base::Result<Logins> answer) {
  const auto on_answer = std::move(question->on_answer);
  questions_.erase(question);
  on_answer(std::move(answer));
}

}  // namespace l2tpd
