// Aggressive Mode with a pre-shared key, as initiator (RFC 2409 §5.4, RFC 3947 §3).

#include "harness/initiator.h"
#include "ike/v1/identification.h"
#include "ike/v1/keymat.h"
#include "ike/v1/nat.h"

namespace harness {
namespace {

namespace v1 = ike::v1;
using v1::Exchange;
using v1::Payload;
using v1::PayloadType;

}  // namespace

void Initiator::aggressive_mode(std::uint64_t serial, Phase1& p, base::Time now) {
  p.transform = settings_.ike.front();
  p.ni = random_of(settings_.nonce);
  p.g_xi = key_pair(p.transform.group, p.dh);
  const auto id = identity();
  std::vector<Payload> payloads{{PayloadType::sa, p.sa_body},
                                {PayloadType::key_exchange, p.g_xi},
                                {PayloadType::nonce, p.ni},
                                {PayloadType::identification, id}};
  const bool named = !settings_.vendor_ids.empty();
  for (const auto& body : settings_.vendor_ids) payloads.push_back({PayloadType::vendor_id, body});
  if (!named && settings_.nat_traversal)
    payloads.push_back({PayloadType::vendor_id, v1::vendor_of(settings_.nat_flavour)});
  if (!named && settings_.dpd) payloads.push_back({PayloadType::vendor_id, v1::vendor_dpd});
  p.request = v1::encode_clear(header(p, Exchange::aggressive, MessageId(0)), payloads);
  request(p, {serial, MessageId(0)}, p.request, now);
}

void Initiator::aggressive_2(std::uint64_t serial, Phase1& p, const v1::Header& h, ByteView datagram,
                             base::Time now) {
  if (p.stage == Stage::up) return transmit(p, p.request);  // it has not got message 3
  const auto chain = v1::decode_chain(h.next, datagram.subspan(v1::header_size));
  if (!chain || h.encrypted()) return complain("message 2 is malformed");
  for (const auto type : {PayloadType::sa, PayloadType::key_exchange, PayloadType::nonce,
                          PayloadType::identification, PayloadType::hash}) {
    if (chain->count(type) != 1) return complain("message 2 lacks a payload");
  }
  const auto sa = v1::decode_sa(chain->find(PayloadType::sa)->body);
  const auto chosen = sa ? v1::choose(*sa, settings_.ike) : std::nullopt;
  if (!chosen || chosen->transform.group != p.transform.group)
    return complain("message 2 chooses what was not offered");
  p.transform = chosen->transform;
  p.responder = h.responder;
  p.g_xr = base::to_bytes(chain->find(PayloadType::key_exchange)->body);
  p.nr = base::to_bytes(chain->find(PayloadType::nonce)->body);
  const auto g_xy = shared(p.transform.group, p.dh, p.g_xi, p.g_xr);
  if (!g_xy) return;
  const auto hash = p.transform.hash;
  p.skeyid = v1::skeyid_of_psk(hash, base::as_bytes(settings_.psk), p.ni, p.nr);
  p.keys = v1::derive_session_keys(p.transform, p.skeyid, *g_xy, p.initiator, p.responder);
  p.iv = v1::phase1_iv(p.transform, p.g_xi, p.g_xr);
  const auto hash_r = v1::phase1_hash(hash, p.skeyid, p.g_xr, p.g_xi, p.responder, p.initiator, p.sa_body,
                                      chain->find(PayloadType::identification)->body);
  if (!settings_.trusts_anybody &&
      !base::same_in_constant_time(chain->find(PayloadType::hash)->body, hash_r.view()))
    return complain("HASH_R does not fit");
  gateway_id_ = base::to_bytes(chain->find(PayloadType::identification)->body);
  if (settings_.nat_traversal)
    p.finding =
        v1::find_nat(*chain, settings_.nat_flavour, hash, p.initiator, p.responder, here(p), there(p));
  // As it was before it floats, for some; RFC 3947 §4 does not say.
  const auto about = nat_d(p);
  p.nat = p.finding.any();
  p.on_4500 = p.on_4500 || p.nat;
  const auto hash_i =
      v1::phase1_hash(hash, p.skeyid, p.g_xi, p.g_xr, p.initiator, p.responder, p.sa_body, identity());
  std::vector<Payload> payloads{{PayloadType::hash, hash_i.view()}};
  for (const auto& body : about) payloads.push_back({v1::nat_d_of(settings_.nat_flavour), body});
  Bytes spi(p.initiator.begin(), p.initiator.end());
  base::append(spi, p.responder);
  const auto contact = v1::encode_notification(
      {.protocol = v1::protocol_isakmp, .spi = spi, .type = v1::notify::initial_contact, .data = {}});
  if (settings_.contact == Contact::in_message_5) payloads.push_back({PayloadType::notification, contact});
  const auto h3 = header(p, Exchange::aggressive, MessageId(0));
  p.request = settings_.aggressive_3_in_clear
                  ? v1::encode_clear(h3, payloads)
                  : v1::encode_encrypted(h3, payloads, p.transform, p.keys.encryption_key, p.iv);
  p.last_block = p.iv;
  p.stage = Stage::up;
  timers_.cancel({serial, MessageId(0)});
  transmit(p, p.request);
  went_up(serial, now);
}

}  // namespace harness
