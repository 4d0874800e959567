// Message 5 of Main Mode under one of many pre-shared keys. In Main Mode the key cannot be told from the
// identity, which it encrypts (RFC 2409 §5.4): so each that the peer's address may use is tried, a batch at
// a time: the broker derives SKEYIDs, a worker tries them.

#include <utility>

#include "ike/engine.h"
#include "ike/v1/identification.h"

namespace ike {

void Engine::try_psks(IsakmpSa& sa, ByteView datagram, const base::Endpoint& from, const base::Endpoint& to) {
  auto& state = sa.state.get<AwaitId>();
  if (sa.failures == most_failures) return drop(DropReason::undecryptable);
  // The same bytes would fail again; but where the budget ended their trial, it goes on.
  const bool goes_on = state.resume && same_request(state.tried, datagram);
  if (!goes_on && answer_duplicate(sa, state.tried, datagram)) return;
  auto names = last_hits_.of(state.source);
  TryingPsks next{.given = std::move(state),
                  .ticket = {},
                  .request = base::to_bytes(datagram),
                  .local = to,
                  .remote = from,
                  .at = {},
                  .next = {}};
  if (goes_on || names.empty()) next.next = next.given.resume.value_or(0);
  next.given.resume.reset();
  answer(sa, next.given.tried, datagram, {});
  sa.state = std::move(next);
  derive_skeyids(sa, std::move(names));
}

/// Of the next batch, or of `names` where there is none yet.
void Engine::derive_skeyids(IsakmpSa& sa, std::vector<std::string> names) {
  auto& state = sa.state.get<TryingPsks>();
  state.at = std::exchange(state.next, std::nullopt);
  if (state.at) names.clear();
  state.ticket = new_ticket({.sa = sa.number, .exchange = {}});
  effects_.emplace_back(DeriveSkeyids{.ticket = state.ticket,
                                      .hash = sa.transform.hash,
                                      .ni = state.given.ni,
                                      .nr = state.given.nr,
                                      .peer = state.given.source,
                                      .names = std::move(names),
                                      .from = state.at.value_or(0)});
}

void Engine::skeyids_done(IsakmpSa& sa, SkeyidsDone done, base::Time now) {
  if (sa.state.is<AnsweringAggressive>()) return aggressive_2(sa, std::move(done), now);
  auto* state = sa.state.get_if<TryingPsks>();
  if (state == nullptr || state->ticket != done.ticket) return;
  // After the keys that its source used last come all of them.
  state->next = state->at ? done.next : std::optional<std::size_t>(0);
  if (!trial_budget_.spend(state->given.source, done.candidates.size(), now)) {
    drop(DropReason::psk_trial_limit);
    state->given.resume = state->at.value_or(0);
    auto given = std::move(state->given);
    sa.state = std::move(given);
    return;
  }
  state->tried += done.candidates.size();
  state->ticket = new_ticket({.sa = sa.number, .exchange = {}});
  effects_.emplace_back(TryCandidates{.ticket = state->ticket,
                                      .trial = {.transform = sa.transform,
                                                .initiator = sa.initiator,
                                                .responder = sa.responder,
                                                .sa_body = sa.sa_body,
                                                .g_xi = state->given.g_xi,
                                                .g_xr = state->given.g_xr,
                                                .g_xy = state->given.g_xy.clone(),
                                                .iv = state->given.iv,
                                                .message = state->request,
                                                .candidates = std::move(done.candidates)}});
}

void Engine::candidates_tried(IsakmpSa& sa, CandidatesTried done, base::Time now) {
  auto* state = sa.state.get_if<TryingPsks>();
  if (state == nullptr || state->ticket != done.ticket) return;
  if (done.hit) return psk_found(sa, std::move(*done.hit), now);
  if (state->next) return derive_skeyids(sa, {});
  const bool none = state->tried == 0;
  auto given = std::move(state->given);
  sa.state = std::move(given);
  drop(DropReason::undecryptable);
  ++counters_.authentication_failures;
  if (++sa.failures > 1) return;
  report(EventKind::authentication_failed, sa,
         none ? "no pre-shared key is configured for its address" : "its pre-shared key is none of ours",
         none ? Refusal::no_psk_for_address : Refusal::wrong_psk);
}

void Engine::psk_found(IsakmpSa& sa, PskHit hit, base::Time now) {
  auto state = std::move(sa.state.get<TryingPsks>());
  trial_budget_.refund(state.given.source, state.tried);
  last_hits_.add(state.given.source, hit.key.name);
  sa.local = state.local;
  sa.remote = state.remote;
  // Both were seen to be there and well formed by first_fitting().
  const auto header = v1::decode_header(state.request);
  const auto chain = v1::decode_chain(header->next, hit.body);
  const auto id_body = chain->find(v1::PayloadType::identification)->body;
  auto* peer = authenticated(sa, id_body, psk_authentication(hit.key), now);
  if (peer == nullptr) return;
  const auto our_id = own_id(sa);
  const auto hash = v1::phase1_hash(sa.transform.hash, hit.key.skeyid, state.given.g_xr, state.given.g_xi,
                                    sa.responder, sa.initiator, sa.sa_body, our_id);
  main_mode_6(sa, {{v1::PayloadType::identification, our_id}, {v1::PayloadType::hash, hash.view()}}, hit.keys,
              hit.next_iv, state.request);
  const auto number = peer->number;
  phase1_done(sa, std::move(hit.keys), std::move(hit.next_iv), *peer, now);
  if (v1::says_initial_contact(*chain)) only_self_of_device(number, now);
}

Authentication Engine::psk_authentication(const NamedSkeyid& key) const {
  const auto policy = settings_.psks.find(key.name);
  const auto [device, bind_user] = policy == settings_.psks.end() ? PskPolicy{} : policy->second;
  return {.method = AuthMethod::psk,
          .name = key.name,
          .secret = key.secret,
          .secret_id = key.id,
          .certificate = {},
          .device = device,
          .bind_user = bind_user,
          .logins = {key.name}};
}

}  // namespace ike
