// Main Mode with signatures (RFC 2409 §5.1): certificates, and what is asked of them, in messages 4 to 6. No
// certificate is looked into here and no key is known: a worker verifies, the keys' side signs.

#include <utility>

#include "ike/engine.h"

namespace ike {
namespace {

using v1::Payload;
using v1::PayloadType;

constexpr std::size_t most_requests = 4;  // with more authorities message 4 would not fit a datagram

/// The body of a CERT or CERTREQ payload (RFC 2408 §3.9, §3.10).
Bytes with_encoding(ByteView bytes) {
  Bytes out(1 + bytes.size());
  out[0] = static_cast<std::uint8_t>(CertificateEncoding::x509_signature);
  std::ranges::copy(bytes, out.begin() + 1);
  return out;
}

std::vector<EncodedCertificate> certificates_in(const v1::Chain& chain) {
  std::vector<EncodedCertificate> out;
  for (const auto& p : chain.payloads) {
    if (p.type != PayloadType::certificate || p.body.empty()) continue;
    const CertificateEncoding encoding{p.body[0]};
    if (encoding == CertificateEncoding::x509_signature || encoding == CertificateEncoding::pkcs7)
      out.push_back({encoding, base::to_bytes(p.body.subspan(1))});
  }
  return out;
}

}  // namespace

void Engine::note_requests(IsakmpSa& sa, const v1::Chain& chain) const {
  for (const auto& p : chain.payloads) {
    if (p.type != PayloadType::certificate_request || p.body.empty()) continue;
    for (const auto& own : settings_.certificates) {
      const auto name = std::ranges::find_if(
          own.issuers, [&](const Bytes& issuer) { return base::equal(issuer, p.body.subspan(1)); });
      if (name != own.issuers.end()) sa.requested.insert(*name);
    }
  }
}

std::vector<Bytes> Engine::certificate_requests(const IsakmpSa& sa) const {
  if (sa.authentication == AuthMethod::psk) return {};
  const auto& names = settings_.trusted_names;
  if (names.empty() || names.size() > most_requests) return {with_encoding({})};
  std::vector<Bytes> out;
  for (const auto& name : names) out.push_back(with_encoding(name));
  return out;
}

std::vector<AuthMethod> Engine::acceptable_methods() const {
  std::vector<AuthMethod> out;
  for (const auto& own : settings_.certificates) {
    if (std::ranges::find(out, own.method) == out.end()) out.push_back(own.method);
  }
  if (settings_.accept_psks) out.push_back(AuthMethod::psk);
  return out;
}

/// One of an authority that the peer asks for, if there is one: both sides use the method that was agreed.
std::optional<std::size_t> Engine::own_certificate_for(const IsakmpSa& sa) const {
  std::optional<std::size_t> first;
  for (std::size_t i = 0; i < settings_.certificates.size(); ++i) {
    const auto& own = settings_.certificates[i];
    if (own.method != sa.authentication) continue;
    if (!first) first = i;
    const bool wanted =
        std::ranges::any_of(own.issuers, [&](const Bytes& issuer) { return sa.requested.contains(issuer); });
    if (wanted) return i;
  }
  return first;
}

void Engine::verify_signature(IsakmpSa& sa, const v1::Header& header, ByteView datagram,
                              const base::Endpoint& from, const base::Endpoint& to) {
  auto& state = sa.state.get<AwaitId>();
  if (sa.failures == most_failures) return drop(DropReason::undecryptable);
  if (answer_duplicate(sa, state.tried, datagram)) return;
  auto skeyid = v1::skeyid_of_signature(sa.transform.hash, state.ni, state.nr, state.g_xy);
  auto keys = v1::derive_session_keys(sa.transform, skeyid, state.g_xy, sa.initiator, sa.responder);
  auto clear = v1::decrypt(header, datagram, sa.transform, keys.encryption_key, state.iv);
  if (!clear) return drop(DropReason::undecryptable);
  const auto chain = v1::decode_chain(header.next, clear->body);
  if (!chain || !v1::legal(v1::Step::main_mode_5_signature, *chain)) {
    ++sa.failures;
    return drop(DropReason::undecryptable);
  }
  note_requests(sa, *chain);
  const auto id_body = chain->find(PayloadType::identification)->body;
  const auto hash = v1::phase1_hash(signed_hash(sa.authentication, sa.transform.hash), skeyid, state.g_xi,
                                    state.g_xr, sa.initiator, sa.responder, sa.sa_body, id_body);
  const auto ticket = verify_certificate(sa, *chain, hash.view());
  answer(sa, state.tried, datagram, {});
  sa.state = ProvingIdentity{.given = std::move(state),
                             .ticket = ticket,
                             .request = base::to_bytes(datagram),
                             .local = to,
                             .remote = from,
                             .id_body = base::to_bytes(id_body),
                             .skeyid = std::move(skeyid),
                             .keys = std::move(keys),
                             .next_iv = std::move(clear->next_iv),
                             .initial_contact = v1::says_initial_contact(*chain)};
}

Ticket Engine::verify_certificate(const IsakmpSa& sa, const v1::Chain& chain, ByteView hash) {
  const auto ticket = new_ticket({.sa = sa.number, .exchange = {}});
  effects_.emplace_back(
      VerifyCertificate{.ticket = ticket,
                        .method = sa.authentication,
                        .id_body = base::to_bytes(chain.find(PayloadType::identification)->body),
                        .certificates = certificates_in(chain),
                        .hash = base::to_bytes(hash),
                        .signature = base::to_bytes(chain.find(PayloadType::signature)->body)});
  return ticket;
}

void Engine::certificate_verified(IsakmpSa& sa, CertificateVerified done, base::Time now) {
  auto* state = sa.state.get_if<ProvingIdentity>();
  if (state == nullptr || state->ticket != done.ticket) return;
  if (!done.result) {
    sa.state = std::move(state->given);
    ++counters_.authentication_failures;
    const auto& why = done.result.error();
    if (++sa.failures == 1) report(EventKind::authentication_failed, sa, why.message, why.refusal);
    return;
  }
  state->proven = std::move(*done.result);
  const auto certificate = own_certificate_for(sa);
  if (!certificate) return forget_sa(sa.number, now);  // its method was agreed on because there is one
  state->certificate = *certificate;
  state->ticket = new_ticket({.sa = sa.number, .exchange = {}});
  const auto hash = v1::phase1_hash(signed_hash(sa.authentication, sa.transform.hash), state->skeyid,
                                    state->given.g_xr, state->given.g_xi, sa.responder, sa.initiator,
                                    sa.sa_body, settings_.certificates[state->certificate].id_body);
  effects_.emplace_back(
      Sign{.ticket = state->ticket, .certificate = state->certificate, .hash = base::to_bytes(hash.view())});
}

std::vector<Bytes> Engine::certificate_bodies(const OwnCertificate& own) {
  std::vector<Bytes> out;
  for (const auto& certificate : own.chain) out.push_back(with_encoding(certificate));
  return out;
}

std::vector<Payload> Engine::proof_of(const OwnCertificate& own, const std::vector<Bytes>& bodies,
                                      ByteView signature) {
  std::vector<Payload> out{{PayloadType::identification, own.id_body}};
  for (const auto& body : bodies) out.push_back({PayloadType::certificate, body});
  out.push_back({PayloadType::signature, signature});
  return out;
}

void Engine::signature_made(IsakmpSa& sa, Signed done, base::Time now) {
  auto* proving = sa.state.get_if<ProvingIdentity>();
  if (proving == nullptr || proving->ticket != done.ticket) return;
  if (!done.signature) {
    report(EventKind::authentication_failed, sa, "we cannot sign: " + done.signature.error().message,
           Refusal::own_key_unusable);
    return forget_sa(sa.number, now);
  }
  auto state = std::move(*proving);
  sa.local = state.local;
  sa.remote = state.remote;
  auto* peer = authenticated(sa, state.id_body, std::move(state.proven), now);
  if (peer == nullptr) return;
  const auto& own = settings_.certificates[state.certificate];
  const auto bodies = certificate_bodies(own);
  main_mode_6(sa, proof_of(own, bodies, *done.signature), state.keys, state.next_iv, state.request);
  const auto number = peer->number;
  phase1_done(sa, std::move(state.keys), std::move(state.next_iv), *peer, now);
  if (state.initial_contact) only_self_of_device(number, now);
}

}  // namespace ike
