// Main Mode with a pre-shared key, as initiator (RFC 2409 §5.4, RFC 3947 §3).

#include "harness/initiator.h"
#include "harness/pretend_signature.h"
#include "ike/v1/exchange_table.h"
#include "ike/v1/identification.h"
#include "ike/v1/keymat.h"
#include "ike/v1/nat.h"

namespace harness {
namespace {

namespace v1 = ike::v1;
using v1::Exchange;
using v1::Payload;
using v1::PayloadType;

constexpr std::uint8_t key_ike = 1;

ike::AuthMethod method_of(const InitiatorSettings& s) {
  return s.certificates ? s.certificates->method : ike::AuthMethod::psk;
}

Bytes ike_offer(const InitiatorSettings& s) {
  std::vector<Bytes> attributes;
  for (const auto& t : s.ike) attributes.push_back(v1::encode_attributes(t, s.ike_lifetime, method_of(s)));
  v1::Proposal proposal{.number = 1, .protocol = v1::protocol_isakmp, .spi = {}, .transforms = {}};
  for (const auto& a : attributes) {
    const auto number = static_cast<std::uint8_t>(proposal.transforms.size() + 1);
    proposal.transforms.push_back({.number = number, .id = key_ike, .attributes = {}, .raw_attributes = a});
  }
  return v1::encode_sa({.doi = 1, .situation = 1, .proposals = {proposal}});
}

}  // namespace

Bytes Initiator::identity() const {
  if (!settings_.identity.empty()) return settings_.identity;
  return v1::encode_identification(v1::identification_of(settings_.local.address));
}

void Initiator::connect(base::Time now) {
  quick_when_up_ = true;
  main_mode(now);
}

bool Initiator::offer_once_more(base::Time now) {
  if (settings_.ike_once_more.empty()) return false;
  settings_.ike = std::exchange(settings_.ike_once_more, {});
  settings_.ike_sa = std::exchange(settings_.ike_sa_once_more, {});
  connect(now);
  return true;
}

void Initiator::main_mode(base::Time now) {
  const auto serial = ++last_serial_;
  const bool on_4500 = settings_.rekeys_on_4500 && floated();
  auto& p = phases_[serial];
  p.on_4500 = on_4500;
  random_(p.initiator);
  p.initiator[0] |= 1;
  p.sa_body = settings_.ike_sa.empty() ? ike_offer(settings_) : settings_.ike_sa;
  if (settings_.aggressive) return aggressive_mode(serial, p, now);
  std::vector<Payload> payloads{{PayloadType::sa, p.sa_body}};
  const bool named = !settings_.vendor_ids.empty();
  for (const auto& id : settings_.vendor_ids) payloads.push_back({PayloadType::vendor_id, id});
  if (!named && settings_.nat_traversal)
    payloads.push_back({PayloadType::vendor_id, v1::vendor_of(settings_.nat_flavour)});
  if (!named && settings_.dpd) payloads.push_back({PayloadType::vendor_id, v1::vendor_dpd});
  p.request = v1::encode_clear(header(p, Exchange::main_mode, MessageId(0)), payloads);
  request(p, {serial, MessageId(0)}, p.request, now);
}

std::vector<Bytes> Initiator::nat_d(const Phase1& p) const {
  std::vector<Bytes> out;
  if (!settings_.nat_traversal) return out;
  const auto another = base::Address::v4(0xac100001);  // 172.16.0.1
  for (const auto about : settings_.nat_d) {
    auto where = about == NatD::gateway ? there(p) : here(p);
    if (about == NatD::another_of_its_addresses) where.address = another;
    out.push_back(v1::nat_d(p.transform.hash, p.initiator, p.responder, where));
  }
  return out;
}

void Initiator::message_2(std::uint64_t serial, Phase1& p, const v1::Header& h, ByteView datagram,
                          base::Time now) {
  const auto chain = v1::decode_chain(h.next, datagram.subspan(v1::header_size));
  if (!chain || chain->count(PayloadType::sa) != 1) return complain("message 2 has no SA payload");
  const auto sa = v1::decode_sa(chain->find(PayloadType::sa)->body);
  if (!sa || sa->proposals.size() != 1 || sa->proposals[0].transforms.size() != 1)
    return complain("message 2 does not choose one transform");
  const auto chosen = v1::choose(*sa, settings_.ike, {method_of(settings_)});
  if (!chosen) return complain("message 2 chooses what was not offered");
  if (chosen->lifetime != settings_.ike_lifetime) complain("message 2 changes the lifetime");
  if (settings_.nat_traversal && v1::choose_nat_flavour(*chain) != settings_.nat_flavour)
    complain("message 2 agrees to another NAT traversal");
  p.responder = h.responder;
  p.on_4500 = p.on_4500 || settings_.floats_in_message_3;
  p.transform = chosen->transform;
  p.ni = random_of(settings_.nonce);
  p.g_xi = key_pair(p.transform.group, p.dh);
  std::vector<Payload> payloads{{PayloadType::key_exchange, p.g_xi}, {PayloadType::nonce, p.ni}};
  const auto about = nat_d(p);
  for (const auto& body : about) payloads.push_back({v1::nat_d_of(settings_.nat_flavour), body});
  if (settings_.certificates) {
    for (const auto& body : settings_.certificates->requests)
      payloads.push_back({PayloadType::certificate_request, body});
  }
  p.stage = Stage::sent_3;
  p.request = v1::encode_clear(header(p, Exchange::main_mode, MessageId(0)), payloads);
  request(p, {serial, MessageId(0)}, p.request, now);
}

void Initiator::message_4(std::uint64_t serial, Phase1& p, const v1::Header& h, ByteView datagram,
                          base::Time now) {
  if (h.encrypted()) return complain("message 4 is encrypted");
  const auto chain = v1::decode_chain(h.next, datagram.subspan(v1::header_size));
  if (!chain) return complain("message 4 is malformed");
  const auto* ke = chain->find(PayloadType::key_exchange);
  const auto* nr = chain->find(PayloadType::nonce);
  if (nr == nullptr || ke == nullptr) return;  // message 2 once more, late
  if (ke->body.size() != crypto::public_value_size(p.transform.group))
    return complain("a KE of a wrong size");
  p.g_xr = base::to_bytes(ke->body);
  p.nr = base::to_bytes(nr->body);
  const auto g_xy = shared(p.transform.group, p.dh, p.g_xi, p.g_xr);
  if (!g_xy) return;
  p.skeyid = settings_.certificates
                 ? v1::skeyid_of_signature(p.transform.hash, p.ni, p.nr, *g_xy)
                 : v1::skeyid_of_psk(p.transform.hash, base::as_bytes(settings_.psk), p.ni, p.nr);
  certificate_requests_.clear();
  for (const auto& payload : chain->payloads) {
    if (payload.type == PayloadType::certificate_request)
      certificate_requests_.push_back(base::to_bytes(payload.body));
  }
  p.keys = v1::derive_session_keys(p.transform, p.skeyid, *g_xy, p.initiator, p.responder);
  p.iv = v1::phase1_iv(p.transform, p.g_xi, p.g_xr);
  if (settings_.nat_traversal) {
    const auto flavour = settings_.nat_flavour;
    if (chain->count(v1::nat_d_of(flavour)) < 2) complain("message 4 has no NAT-D");
    p.finding = v1::find_nat(*chain, flavour, p.transform.hash, p.initiator, p.responder, here(p), there(p));
    p.nat = p.finding.any();
    p.on_4500 = p.on_4500 || p.nat;
  }
  send_message_5(serial, p, now);
}

crypto::Hash Initiator::hash_of_proof(const Phase1& p) const {
  const auto method = settings_.certificates ? settings_.certificates->method : ike::AuthMethod::psk;
  return ike::signed_hash(method, p.transform.hash);
}

void Initiator::send_message_5(std::uint64_t serial, Phase1& p, base::Time now) {
  const auto id = identity();
  const auto hash =
      v1::phase1_hash(hash_of_proof(p), p.skeyid, p.g_xi, p.g_xr, p.initiator, p.responder, p.sa_body, id);
  std::vector<Payload> payloads{{PayloadType::identification, id}};
  std::vector<Bytes> bodies;
  if (settings_.certificates) {
    for (const auto& c : settings_.certificates->sent) {
      bodies.push_back({static_cast<std::uint8_t>(c.encoding)});
      base::append(bodies.back(), c.bytes);
    }
    for (const auto& body : bodies) payloads.push_back({PayloadType::certificate, body});
    const auto& own = *settings_.certificates;
    bodies.push_back(own.key == nullptr ? pretend_sign(own.sent.front().bytes, hash.view())
                                        : own.key->sign(own.method, hash.view()).value());
    if (settings_.certificates->damage_signature) bodies.back()[9] ^= 1;
    payloads.push_back({PayloadType::signature, bodies.back()});
  } else {
    payloads.push_back({PayloadType::hash, hash.view()});
  }
  Bytes spi(p.initiator.begin(), p.initiator.end());
  base::append(spi, p.responder);
  const auto contact = v1::encode_notification(
      {.protocol = v1::protocol_isakmp, .spi = spi, .type = v1::notify::initial_contact, .data = {}});
  if (settings_.contact == Contact::in_message_5) payloads.push_back({PayloadType::notification, contact});
  p.stage = Stage::sent_5;
  p.request = v1::encode_encrypted(header(p, Exchange::main_mode, MessageId(0)), payloads, p.transform,
                                   p.keys.encryption_key, p.iv);
  request(p, {serial, MessageId(0)}, p.request, now);
}

bool Initiator::proves_itself(const v1::Chain& chain, ByteView hash_r) {
  if (!settings_.certificates) {
    const auto* hash = chain.find(PayloadType::hash);
    return hash != nullptr && base::same_in_constant_time(hash->body, hash_r);
  }
  received_certificates_.clear();
  for (const auto& payload : chain.payloads) {
    if (payload.type == PayloadType::certificate)
      received_certificates_.push_back(base::to_bytes(payload.body));
  }
  const auto* signature = chain.find(PayloadType::signature);
  if (signature == nullptr || received_certificates_.empty()) return false;
  const auto& expected = settings_.certificates->expected_certificate;
  const auto sent = ByteView(received_certificates_.front()).subspan(1);
  if (!expected.empty() && !base::equal(expected, sent)) return false;
  if (settings_.certificates->key == nullptr) return base::equal(pretend_sign(sent, hash_r), signature->body);
  const auto certificate = pki::Certificate::from_der(sent);
  return certificate && pki::verify(*certificate, settings_.certificates->method, hash_r, signature->body);
}

void Initiator::message_6(std::uint64_t serial, Phase1& p, const v1::Header& h, ByteView datagram,
                          base::Time now) {
  if (!h.encrypted()) return;  // message 4 once more, late
  const auto clear = v1::decrypt(h, datagram, p.transform, p.keys.encryption_key, p.iv);
  const auto chain = clear ? v1::decode_chain(h.next, clear->body)
                           : v1::Decoded<v1::Chain>(tl::unexpected(v1::Malformed::bad_length));
  if (!chain) return complain("message 6 does not decrypt");
  const auto* id = chain->find(PayloadType::identification);
  if (id == nullptr) return complain("message 6 has no ID");
  const auto expected = v1::phase1_hash(hash_of_proof(p), p.skeyid, p.g_xr, p.g_xi, p.responder, p.initiator,
                                        p.sa_body, id->body);
  if (!proves_itself(*chain, expected.view())) return complain("the responder does not prove itself");
  gateway_id_ = base::to_bytes(id->body);
  for (const auto& payload : chain->payloads) {
    if (payload.type != PayloadType::notification) continue;
    const auto n = v1::decode_notification(payload.body);
    if (!n) return complain("message 6 has a malformed notification");
    notified_.push_back({true, n->type, base::to_bytes(n->spi), base::to_bytes(n->data)});
  }
  p.stage = Stage::up;
  p.last_block = clear->next_iv;
  timers_.cancel({serial, MessageId(0)});
  went_up(serial, now);
}

void Initiator::went_up(std::uint64_t serial, base::Time now) {
  if (settings_.contact == Contact::informational) notify(v1::notify::initial_contact);
  if (!std::exchange(quick_when_up_, false)) return;
  if (settings_.quick_mode_after > base::Duration(0)) {
    timers_.set({serial, MessageId(0)}, now + settings_.quick_mode_after);
  } else {
    quick_mode(now);
  }
}

}  // namespace harness
