// Main Mode with signatures, as initiator (RFC 2409 §5.1): our certificate in message 5, the other's in
// message 6.

#include <utility>

#include "ike/engine.h"

namespace ike {

using v1::PayloadType;

void Engine::sign_main_mode_5(IsakmpSa& sa, DhDone done, base::Time now) {
  auto& state = sa.state.get<Deriving>();
  const auto certificate = own_certificate_for(sa);
  if (!certificate) return give_up(sa, "we have no certificate of the kind that it takes", now);
  Signing next{.ticket = new_ticket({.sa = sa.number, .exchange = {}}),
               .skeyid = v1::skeyid_of_signature(sa.transform.hash, state.ni, state.nr, done.result->shared),
               .g_xi = std::move(state.g_xi),
               .g_xr = std::move(state.g_xr),
               .g_xy = std::move(done.result->shared),
               .certificate = *certificate};
  const auto hash =
      v1::phase1_hash(signed_hash(sa.authentication, sa.transform.hash), next.skeyid, next.g_xi, next.g_xr,
                      sa.initiator, sa.responder, sa.sa_body, settings_.certificates[*certificate].id_body);
  effects_.emplace_back(
      Sign{.ticket = next.ticket, .certificate = *certificate, .hash = base::to_bytes(hash.view())});
  sa.state = std::move(next);
}

void Engine::send_signed_main_mode_5(IsakmpSa& sa, Signed done, base::Time now) {
  auto* state = sa.state.get_if<Signing>();
  if (state == nullptr || state->ticket != done.ticket) return;
  if (!done.signature) return give_up(sa, "we cannot sign: " + done.signature.error().message, now);
  auto keys = v1::derive_session_keys(sa.transform, state->skeyid, state->g_xy, sa.initiator, sa.responder);
  const auto& own = settings_.certificates[state->certificate];
  SentId next{.key = {.name = {}, .secret = 0, .id = 0, .skeyid = std::move(state->skeyid)},
              .keys = std::move(keys),
              .g_xi = std::move(state->g_xi),
              .g_xr = std::move(state->g_xr),
              .iv = {}};
  const auto bodies = certificate_bodies(own);
  send_main_mode_5(sa, std::move(next), proof_of(own, bodies, *done.signature), now);
}

void Engine::verify_main_mode_6(IsakmpSa& sa, const v1::Chain& chain, Bytes next_iv) {
  auto& sent = sa.state.get<SentId>();
  const auto id_body = chain.find(PayloadType::identification)->body;
  const auto hash = v1::phase1_hash(signed_hash(sa.authentication, sa.transform.hash), sent.key.skeyid,
                                    sent.g_xr, sent.g_xi, sa.responder, sa.initiator, sa.sa_body, id_body);
  timers_.cancel({TimerKind::main_resend, sa.number.value});
  note_lifetime(sa, chain);  // one that is not genuine goes with the SA
  const auto ticket = verify_certificate(sa, chain, hash.view());
  Verifying next{.sent = std::move(sent),
                 .ticket = ticket,
                 .id_body = base::to_bytes(id_body),
                 .next_iv = std::move(next_iv)};
  sa.state = std::move(next);
}

void Engine::responder_verified(IsakmpSa& sa, CertificateVerified done, base::Time now) {
  auto* state = sa.state.get_if<Verifying>();
  if (state == nullptr || state->ticket != done.ticket) return;
  if (!done.result) {
    ++counters_.authentication_failures;
    return give_up(sa, done.result.error().message, now);
  }
  auto proven = std::move(*state);
  main_mode_done(sa, proven.id_body, std::move(*done.result), std::move(proven.sent.keys),
                 std::move(proven.next_iv), now);
}

}  // namespace ike
