#include "harness/initiator.h"

#include "ike/v1/fragment.h"
#include "wire/writer.h"

namespace harness {
namespace {

using namespace std::chrono_literals;
using ike::v1::Exchange;
using ike::v1::PayloadType;

constexpr std::size_t non_esp_marker = 4;
constexpr std::uint16_t natt_port = 4500;

}  // namespace

Initiator::Initiator(InitiatorSettings settings)
    : settings_(std::move(settings)), random_(seeded_random(settings_.seed)) {}

Bytes Initiator::random_of(std::size_t size) {
  Bytes out(size);
  random_(out);
  return out;
}

Initiator::Phase1* Initiator::newest_up() {
  for (auto it = phases_.rbegin(); it != phases_.rend(); ++it) {
    if (it->second.stage == Stage::up) return &it->second;
  }
  return nullptr;
}

Initiator::Phase1* Initiator::find(const Cookie& initiator, std::uint64_t& serial) {
  for (auto& [number, p] : phases_) {
    serial = number;
    if (p.initiator == initiator) return &p;
  }
  return nullptr;
}

bool Initiator::ike_up() const {
  return std::ranges::any_of(phases_, [](const auto& p) { return p.second.stage == Stage::up; });
}

std::size_t Initiator::isakmp_sas() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(phases_, [](const auto& p) { return p.second.stage == Stage::up; }));
}

bool Initiator::floated() const { return !phases_.empty() && phases_.rbegin()->second.on_4500; }

ike::v1::NatFinding Initiator::nat_finding() const {
  return phases_.empty() ? ike::v1::NatFinding{} : phases_.rbegin()->second.finding;
}

std::pair<Cookie, Cookie> Initiator::cookies() const {
  if (phases_.empty()) return {};
  const auto& p = phases_.rbegin()->second;
  return {p.initiator, p.responder};
}

const InitiatorChild* Initiator::child_by_in(xfrm::Spi spi) const {
  const auto it = std::ranges::find(children_, spi, &InitiatorChild::in);
  return it == children_.end() ? nullptr : &*it;
}

bool Initiator::was_notified(std::uint16_t type) const {
  return std::ranges::any_of(notified_, [type](const Notified& n) { return n.type == type; });
}

std::optional<ike::Send> Initiator::next_send() {
  if (sends_.empty()) return std::nullopt;
  auto out = std::move(sends_.front());
  sends_.pop_front();
  return out;
}

ike::v1::Header Initiator::header(const Phase1& p, Exchange exchange, MessageId id) const {
  ike::v1::Header h;
  h.initiator = p.initiator;
  h.responder = p.responder;
  h.exchange = exchange;
  h.message_id = id;
  return h;
}

base::Endpoint Initiator::here(const Phase1& p) const {
  return {settings_.local.address, p.on_4500 ? natt_port : settings_.local.port};
}

base::Endpoint Initiator::there(const Phase1& p) const {
  return {settings_.gateway.address, p.on_4500 ? natt_port : settings_.gateway.port};
}

void Initiator::transmit(const Phase1& p, ByteView message) {
  // Message 1 comes before anybody has said that it understands fragments.
  if (settings_.fragment_above == 0 || message.size() <= settings_.fragment_above || p.responder == Cookie{})
    return transmit_datagram(p, message);
  for (auto& piece : ike::v1::split(message, settings_.fragment_above)) {
    if (settings_.fragments_look_encrypted) piece[19] |= ike::v1::flag_encryption;
    transmit_datagram(p, piece);
  }
}

// As racoon does it: by number alone, the id is everybody's 1.
Bytes Initiator::put_together(ByteView datagram) {
  Bytes out;
  const auto chain = ike::v1::decode_chain(PayloadType::fragment, datagram.subspan(ike::v1::header_size), 1);
  const auto piece = chain ? ike::v1::decode_fragment(chain->payloads.front().body)
                           : ike::v1::Decoded<ike::v1::Fragment>(tl::unexpected(chain.error()));
  if (!piece) {
    complain("a malformed fragment");
    return out;
  }
  pieces_[piece->number] = base::to_bytes(piece->data);
  if (piece->last) last_piece_ = piece->number;
  if (pieces_.size() != last_piece_) return out;
  for (const auto& [number, data] : pieces_) base::append(out, data);
  pieces_.clear();
  last_piece_ = 0;
  return out;
}

void Initiator::transmit_datagram(const Phase1& p, ByteView message) {
  Bytes out(p.on_4500 ? non_esp_marker : 0);
  base::append(out, message);
  sends_.push_back({here(p), there(p), std::move(out)});
}

base::Duration Initiator::patience(int sent) const {
  const auto& waits = settings_.resend_after;
  return waits[std::min(static_cast<std::size_t>(sent), waits.size()) - 1];
}

void Initiator::request(const Phase1& p, TimerKey key, ByteView message, base::Time now) {
  sent_[key] = 1;
  timers_.set(key, now + patience(1));
  transmit(p, message);
}

void Initiator::timeout(base::Time now) {
  while (const auto key = timers_.pop_due(now)) {
    const auto p = phases_.find(key->first);
    if (p == phases_.end()) continue;
    auto& phase = p->second;
    if (key->second.value == 0 && phase.stage == Stage::up) {
      quick_mode(now);
      continue;
    }
    if (++sent_[*key] > settings_.sends_at_most) {
      failed_ = true;
      if (key->second.value != 0) continue;
      phases_.erase(p);
      offer_once_more(now);
      continue;
    }
    if (key->second.value == 0) {
      transmit(phase, phase.request);
    } else if (const auto q = phase.quicks.find(key->second); q != phase.quicks.end()) {
      transmit(phase, q->second.request);
    }
    timers_.set(*key, now + patience(sent_[*key]));
  }
}

Bytes Initiator::key_pair(crypto::Group group, std::optional<crypto::DhKey>& key) {
  if (settings_.dh == Dh::pretended) return random_of(crypto::public_value_size(group));
  auto made = crypto::DhKey::generate(group);
  if (!made) {
    complain(made.error().message);
    return {};
  }
  key = std::move(*made);
  return key->public_value().value();
}

std::optional<base::Secret> Initiator::shared(crypto::Group group, const std::optional<crypto::DhKey>& key,
                                              ByteView mine, ByteView theirs) {
  if (settings_.dh == Dh::pretended) return pretend_shared(group, mine, theirs);
  auto secret = key->derive(theirs);
  if (!secret) {
    complain(secret.error().message);
    return std::nullopt;
  }
  return std::move(*secret);
}

void Initiator::input(const base::Endpoint& from, const base::Endpoint& to, ByteView bytes, base::Time now) {
  if (from.address != settings_.gateway.address) return complain("an answer from a strange address");
  if (to.port == natt_port) {
    if (bytes.size() == 1 && bytes[0] == 0xff) return;  // RFC 3948 §2.3
    if (bytes.size() < non_esp_marker || std::ranges::any_of(bytes.first(4), [](auto b) { return b != 0; }))
      return complain("no non-ESP marker on 4500");
    bytes = bytes.subspan(non_esp_marker);
  }
  auto h = ike::v1::decode_header(bytes);
  if (!h || h->length != bytes.size()) return complain("a bad ISAKMP header");
  Bytes whole;
  if (h->next == PayloadType::fragment) {
    if (settings_.fragment_above == 0) return complain("a fragment, which it does not understand");
    whole = put_together(bytes);
    if (whole.empty()) return;
    bytes = whole;
    h = ike::v1::decode_header(bytes);
    if (!h || h->length != bytes.size()) return complain("a bad ISAKMP header in fragments");
  }
  std::uint64_t serial = 0;
  auto* p = find(h->initiator, serial);
  if (p == nullptr) return;
  if (h->exchange == Exchange::informational && !h->encrypted())
    return clear_informational(serial, *h, bytes, now);
  if (p->stage != Stage::sent_1 && h->responder != p->responder) return;
  if (h->exchange == Exchange::main_mode) {
    if (p->stage == Stage::sent_1) return message_2(serial, *p, *h, bytes, now);
    if (p->stage == Stage::sent_3) return message_4(serial, *p, *h, bytes, now);
    if (p->stage == Stage::sent_5) return message_6(serial, *p, *h, bytes, now);
    return;
  }
  if (h->exchange == Exchange::aggressive) return aggressive_2(serial, *p, *h, bytes, now);
  if (p->stage != Stage::up) return;
  if (!h->encrypted()) return complain("phase 2 in clear");
  if (h->exchange == Exchange::quick_mode) return quick_mode_2(serial, *p, *h, bytes);
  if (h->exchange == Exchange::informational) return encrypted_informational(*p, *h, bytes);
  complain("an unknown exchange");
}

}  // namespace harness
