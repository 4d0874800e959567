// Quick Mode and Informational exchanges, as initiator (RFC 2409 §5.5, §5.7; RFC 3947 §5).

#include "crypto/prf.h"
#include "harness/initiator.h"
#include "ike/v1/identification.h"
#include "ike/v1/keymat.h"
#include "ike/v1/nat.h"
#include "wire/reader.h"

namespace harness {
namespace {

namespace v1 = ike::v1;
using v1::Exchange;
using v1::Payload;
using v1::PayloadType;

Bytes udp_1701(const base::Address& address) {
  auto id = v1::identification_of(address);
  id.protocol = 17;
  id.port = 1701;
  return v1::encode_identification(id);
}

std::uint32_t number(ByteView four) { return wire::Reader(four).u32(); }

}  // namespace

Bytes Initiator::idci() const {
  return settings_.idci.empty() ? udp_1701(settings_.local.address) : settings_.idci;
}
Bytes Initiator::idcr() const {
  return settings_.idcr.empty() ? udp_1701(settings_.gateway.address) : settings_.idcr;
}

Bytes Initiator::esp_offer(xfrm::Spi spi, v1::EncapsulationMode mode) const {
  wire::Writer spi_bytes;
  spi_bytes.u32(spi.value);
  std::vector<Bytes> attributes;
  for (const auto& s : settings_.esp)
    attributes.push_back(v1::encode_attributes(s, mode, settings_.esp_lifetime, settings_.pfs));
  std::vector<v1::Proposal> proposals;
  for (std::size_t i = 0; i < attributes.size(); ++i) {
    if (i == 0 || settings_.offer == Offer::proposal_each) {
      const auto number = static_cast<std::uint8_t>(proposals.size() + 1);
      proposals.push_back(
          {.number = number, .protocol = v1::protocol_ipsec_esp, .spi = spi_bytes.view(), .transforms = {}});
    }
    auto& transforms = proposals.back().transforms;
    transforms.push_back({.number = static_cast<std::uint8_t>(transforms.size() + 1),
                          .id = v1::esp_transform_id(settings_.esp[i]),
                          .attributes = {},
                          .raw_attributes = attributes[i]});
  }
  return v1::encode_sa({.doi = 1, .situation = 1, .proposals = proposals});
}

bool Initiator::quick_mode(base::Time now) {
  return quick_mode_with(MessageId(number(random_of(4)) | 1), now);
}

bool Initiator::quick_mode_with(MessageId id, base::Time now) {
  auto* p = newest_up();
  if (p == nullptr) return false;
  auto& q = p->quicks[id] = {};
  q.in = xfrm::Spi(number(random_of(4)) | 0x1000);
  if (settings_.spi && !std::exchange(spi_used_, true)) q.in = *settings_.spi;
  q.ni = random_of(settings_.nonce);
  const auto mode = p->nat ? v1::udp_transport_of(settings_.nat_flavour) : v1::EncapsulationMode::transport;
  const auto sa = settings_.esp_sa ? settings_.esp_sa(q.in, mode) : esp_offer(q.in, mode);
  std::vector<Payload> payloads{{PayloadType::sa, sa}, {PayloadType::nonce, q.ni}};
  if (settings_.pfs) {
    q.g_xi = key_pair(*settings_.pfs, q.dh);
    payloads.push_back({PayloadType::key_exchange, q.g_xi});
  }
  const auto ci = idci(), cr = idcr();
  payloads.push_back({PayloadType::identification, ci});
  payloads.push_back({PayloadType::identification, cr});
  const std::array addresses{v1::nat_oa(settings_.local.address), v1::nat_oa(settings_.gateway.address)};
  for (std::size_t i = 0; p->nat && i < settings_.nat_oa; ++i)
    payloads.push_back({v1::nat_oa_of(settings_.nat_flavour), addresses.at(i)});
  q.iv = v1::phase2_iv(p->transform, p->last_block, id);
  q.request =
      v1::encode_phase2(header(*p, Exchange::quick_mode, id), payloads, p->transform, p->keys, {}, q.iv);
  std::uint64_t serial = 0;
  find(p->initiator, serial);
  request(*p, {serial, id}, q.request, now);
  return true;
}

// Its own rekey: this client looks at it, and answers none.
void Initiator::quick_mode_1_of_the_responder(Phase1& p, const v1::Header& h, ByteView datagram) {
  const auto clear = v1::decrypt(h, datagram, p.transform, p.keys.encryption_key,
                                 v1::phase2_iv(p.transform, p.last_block, h.message_id));
  const auto chain =
      clear ? v1::authenticated_chain(h, clear->body, p.transform.hash, p.keys, {}) : std::nullopt;
  if (chain) take_nat_oas(*chain);
}

void Initiator::take_nat_oas(const v1::Chain& chain) {
  nat_oas_.clear();
  for (const auto& payload : chain.payloads) {
    if (payload.type == v1::nat_oa_of(settings_.nat_flavour))
      nat_oas_.push_back(base::to_bytes(payload.body));
  }
}

void Initiator::quick_mode_2(std::uint64_t serial, Phase1& p, const v1::Header& h, ByteView datagram) {
  const auto known = p.quicks.find(h.message_id);
  if (known == p.quicks.end()) return quick_mode_1_of_the_responder(p, h, datagram);
  auto& q = known->second;
  const auto digest = crypto::digest(crypto::Hash::sha2_256, {datagram});
  if (q.done) {
    // Message 3 was lost, or message 2 was doubled; a repetition has the same bytes.
    if (q.digest_of_2 != digest) complain("message 2 was repeated with other bytes");
    return transmit(p, q.request);
  }
  const auto clear = v1::decrypt(h, datagram, p.transform, p.keys.encryption_key, q.iv);
  if (!clear) return complain("message 2 of Quick Mode is no whole number of blocks");
  const auto chain = v1::authenticated_chain(h, clear->body, p.transform.hash, p.keys, q.ni);
  if (!chain) return complain("HASH(2) does not fit");
  accept_quick_mode_2(p, h, q, *chain);
  if (!q.done) return;
  q.digest_of_2 = digest;
  const auto hash3 = v1::phase2_hash3(p.transform.hash, p.keys.skeyid_a, h.message_id, q.ni,
                                      chain->find(PayloadType::nonce)->body);
  q.iv = clear->next_iv;
  q.request =
      v1::encode_encrypted(header(p, Exchange::quick_mode, h.message_id), {{PayloadType::hash, hash3.view()}},
                           p.transform, p.keys.encryption_key, q.iv);
  timers_.cancel({serial, h.message_id});
  transmit(p, q.request);
  if (settings_.deletes == Deletes::old_pair_too) delete_pairs_before(q.in);
}

void Initiator::delete_pairs_before(xfrm::Spi in) {
  while (children_.front().in != in) delete_esp(children_.front().in);
}

void Initiator::accept_quick_mode_2(Phase1& p, const v1::Header&, Quick& q, const v1::Chain& chain) {
  const auto* sa_payload = chain.find(PayloadType::sa);
  const auto* nr = chain.find(PayloadType::nonce);
  const auto* ke = chain.find(PayloadType::key_exchange);
  if (sa_payload == nullptr || nr == nullptr) return complain("message 2 lacks SA or nonce");
  if ((ke != nullptr) != settings_.pfs.has_value()) return complain("KE does not answer KE");
  std::vector<Bytes> ids;
  take_nat_oas(chain);
  for (const auto& payload : chain.payloads) {
    if (payload.type == PayloadType::identification) ids.push_back(base::to_bytes(payload.body));
  }
  if (!settings_.takes_any_ids && ids != std::vector{idci(), idcr()})
    return complain("the IDs did not come back byte for byte");
  if (chain.count(v1::nat_oa_of(settings_.nat_flavour)) != (p.nat ? settings_.nat_oa : 0))
    complain("NAT-OA does not answer NAT-OA");
  const auto sa = v1::decode_sa(sa_payload->body);
  if (!sa || sa->proposals.size() != 1 || sa->proposals[0].transforms.size() != 1)
    return complain("message 2 does not choose one transform");
  const auto mode = p.nat ? v1::udp_transport_of(settings_.nat_flavour) : v1::EncapsulationMode::transport;
  const auto chosen = v1::choose(*sa, settings_.esp, mode);
  if (!chosen || chosen->group != settings_.pfs) return complain("message 2 chooses what was not offered");
  base::Secret g_xy;
  if (ke != nullptr) {
    auto secret = shared(*settings_.pfs, q.dh, q.g_xi, ke->body);
    if (!secret) return;
    g_xy = std::move(*secret);
  }
  for (const auto& payload : chain.payloads) {
    if (payload.type != PayloadType::notification) continue;
    if (const auto n = v1::decode_notification(payload.body))
      notified_.push_back({true, n->type, base::to_bytes(n->spi), base::to_bytes(n->data)});
  }
  const auto keys = [&](xfrm::Spi spi) {
    return v1::derive_keymat(p.transform.hash, p.keys.skeyid_d, g_xy.view(), spi, q.ni, nr->body,
                             chosen->suite);
  };
  children_.push_back({.in = q.in,
                       .out = chosen->spi,
                       .suite = chosen->suite,
                       .in_keys = keys(q.in),
                       .out_keys = keys(chosen->spi),
                       .mode = mode});
  q.done = true;
}

void Initiator::informational(PayloadType type, ByteView body) {
  auto* p = newest_up();
  if (p == nullptr) return;
  const MessageId id(number(random_of(4)) | 1);
  auto iv = v1::phase2_iv(p->transform, p->last_block, id);
  transmit(*p, v1::encode_phase2(header(*p, Exchange::informational, id), {{type, body}}, p->transform,
                                 p->keys, {}, iv));
}

void Initiator::delete_esp(xfrm::Spi own_inbound) {
  wire::Writer spi;
  spi.u32(own_inbound.value);
  informational(PayloadType::delete_,
                v1::encode_delete({.protocol = v1::protocol_ipsec_esp, .spi_size = 4, .spis = spi.view()}));
  std::erase_if(children_, [own_inbound](const InitiatorChild& c) { return c.in == own_inbound; });
}

void Initiator::delete_isakmp() {
  auto* p = newest_up();
  if (p == nullptr) return;
  Bytes spi(p->initiator.begin(), p->initiator.end());
  base::append(spi, p->responder);
  informational(PayloadType::delete_,
                v1::encode_delete({.protocol = v1::protocol_isakmp, .spi_size = 16, .spis = spi}));
  std::uint64_t serial = 0;
  find(p->initiator, serial);
  phases_.erase(serial);
}

void Initiator::hang_up() {
  if (settings_.deletes != Deletes::none) {
    while (!children_.empty()) delete_esp(children_.front().in);
    while (ike_up()) delete_isakmp();
  }
  children_.clear();
  phases_.clear();
}

void Initiator::notify(std::uint16_t type) {
  informational(
      PayloadType::notification,
      v1::encode_notification({.protocol = v1::protocol_isakmp, .spi = {}, .type = type, .data = {}}));
}

void Initiator::r_u_there(std::uint32_t sequence) {
  const auto [i, r] = cookies();
  Bytes spi(i.begin(), i.end());
  base::append(spi, r);
  wire::Writer data;
  data.u32(sequence);
  informational(
      PayloadType::notification,
      v1::encode_notification(
          {.protocol = v1::protocol_isakmp, .spi = spi, .type = v1::notify::r_u_there, .data = data.view()}));
}

void Initiator::encrypted_informational(Phase1& p, const v1::Header& h, ByteView datagram) {
  const auto clear = v1::decrypt(h, datagram, p.transform, p.keys.encryption_key,
                                 v1::phase2_iv(p.transform, p.last_block, h.message_id));
  if (!clear) return complain("an Informational is no whole number of blocks");
  const auto chain = v1::authenticated_chain(h, clear->body, p.transform.hash, p.keys, {});
  if (!chain) return complain("HASH of an Informational does not fit");
  take_informational(true, *chain);
}

void Initiator::clear_informational(std::uint64_t serial, const v1::Header& h, ByteView datagram,
                                    base::Time now) {
  const auto chain = v1::decode_chain(h.next, datagram.subspan(v1::header_size));
  if (!chain) return complain("a malformed Informational");
  take_informational(false, *chain);
  const auto refused = phases_.find(serial);
  if (refused->second.stage == Stage::sent_1 && offer_once_more(now)) phases_.erase(refused);
}

void Initiator::take_informational(bool encrypted, const v1::Chain& chain) {
  for (const auto& payload : chain.payloads) {
    if (payload.type == PayloadType::notification) {
      const auto n = v1::decode_notification(payload.body);
      if (!n) return complain("a malformed notification");
      notified_.push_back({encrypted, n->type, base::to_bytes(n->spi), base::to_bytes(n->data)});
      if (encrypted && n->type == v1::notify::r_u_there && settings_.answers_dpd) {
        auto ack = *n;
        ack.type = v1::notify::r_u_there_ack;
        informational(PayloadType::notification, v1::encode_notification(ack));
      }
    } else if (payload.type == PayloadType::delete_) {
      const auto d = v1::decode_delete(payload.body);
      if (!d) return complain("a malformed Delete");
      if (d->protocol == v1::protocol_isakmp) ++deleted_isakmp_;
      if (d->protocol != v1::protocol_ipsec_esp) continue;
      for (wire::Reader in(d->spis); in.left() > 0;) deleted_spis_.emplace_back(in.u32());
    }
  }
}

}  // namespace harness
