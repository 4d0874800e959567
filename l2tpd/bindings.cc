#include "l2tpd/bindings.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "control/rows.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration patience = 3s;  // a client's own is ten and more
constexpr base::Duration between_knocks = 100ms;

}  // namespace

Bindings::Bindings(os::Loop& loop, const config::Config& config, std::string socket_path)
    : loop_(loop), config_(config), path_(std::move(socket_path)) {}

bool Bindings::any_bound() const {
  return std::ranges::any_of(config_.ike.psks, &config::Psk::bind_user) ||
         std::ranges::any_of(config_.ike.certificates, &config::CertificateClass::bind_user);
}

void Bindings::ask(base::Mark mark, OnAnswer on_answer) {
  if (!any_bound() || mark.value == 0) return on_answer(Logins());
  const auto it = questions_.emplace(questions_.end());
  it->on_answer = std::move(on_answer);
  it->too_late = loop_.on_time([this, it] {
    finish(it, base::fail(it->client ? "ikd does not say whose connection it is"
                                     : "ikd cannot say whose connection it is: " + it->why));
  });
  it->too_late.set_time(base::Clock::now() + patience);
  it->again = loop_.on_time([this, it, mark] { ask(it, mark); });
  ask(it, mark);
}

void Bindings::ask(Iterator it, base::Mark mark) {
  auto client = control::AsyncClient::connect(
      loop_, path_, [this, it] { finish(it, base::fail("ikd cannot say whose connection it is")); });
  if (!client) {  // it may have many others to answer, or be starting
    it->why = client.error().message;
    return it->again.set_time(base::Clock::now() + between_knocks);
  }
  it->client = std::move(*client);
  it->client->call("sameroof.Ike.PeerByMark", {{"mark", mark.value}}, control::AsyncClient::Want::one,
                   [this, it](const control::Answer& answer) {
                     const auto row = answer.parameters.find("peer");
                     if (!answer.error.empty() || row == answer.parameters.end())
                       return finish(it, base::fail("ikd does not know its connection"));
                     const auto peer = control::peer_from(*row);
                     if (!peer) return finish(it, tl::unexpected(peer.error()));
                     finish(it, peer->bound_to);
                   });
}

void Bindings::finish(Iterator question, base::Result<Logins> answer) {
  const auto on_answer = std::move(question->on_answer);
  questions_.erase(question);
  on_answer(std::move(answer));
}

}  // namespace l2tpd
