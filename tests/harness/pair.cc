#include "harness/pair.h"

#include "ike/v1/identification.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace harness {
namespace {

const auto client_address = base::Address::v4(0xc0a80102);   // 192.168.1.2
const auto gateway_address = base::Address::v4(0xcb007101);  // 203.0.113.1
const auto nat_address = base::Address::v4(0xc6336401);      // 198.51.100.1

base::Bytes end_of(const base::Address& address, const ike::Service& service) {
  auto id = ike::v1::identification_of(address);
  id.protocol = service.protocol;
  id.port = service.port;
  return ike::v1::encode_identification(id);
}

/// What the two ends of an SA share: whoever has other keys, or an SA of another service, cannot read the
/// packet.
base::Bytes packet_of(const xfrm::Sa& sa) {
  wire::Writer out;
  out.u32(sa.spi.value);
  out.u8(sa.selector.protocol);
  out.u16(sa.selector.source_port.value_or(sa.selector.destination_port.value_or(0)));
  out.bytes(sa.transform.encryption_key.view());
  out.bytes(sa.transform.integrity_key.view());
  return out.take();
}

}  // namespace

Pair::Pair(PairSettings settings)
    : settings_(std::move(settings)),
      client_{ike::Engine(settings_.client, seeded_random(settings_.seed + 1)),
              FakeKernel(settings_.client_kernel), client_address},
      gateway_{ike::Engine(settings_.gateway, seeded_random(settings_.seed + 2)),
               FakeKernel(settings_.gateway_kernel), gateway_address},
      network_(settings_.seed),
      esp_(settings_.seed),
      nat_(nat_address) {
  auto& c = settings_.connection;
  c.local = {client_address, ike::ike_port};
  c.remote = {gateway_address, ike::ike_port};
  if (c.ike.authentication == ike::AuthMethod::psk && c.psk.empty())
    c.psk = settings_.client_kernel.psks.front().name;
}

void Pair::connect(const ike::Service& service) {
  auto& esp = settings_.connection.esp;
  esp.service = service;
  esp.our_id = end_of(client_address, service);
  esp.their_id = end_of(gateway_address, service);
  services_.insert(service);
  client_.engine.connect(settings_.connection, now_);
}

void Pair::pump() {
  pump(client_);
  pump(gateway_);
}

void Pair::pump(Side& side) {
  while (auto effect = side.engine.next_effect()) {
    if (auto* send = std::get_if<ike::Send>(&*effect)) {
      const bool translated = settings_.nat && &side == &client_;
      network_.send({translated ? nat_.outward(send->from) : send->from, send->to, std::move(send->bytes)},
                    now_);
    } else {
      side.kernel.execute(std::move(*effect), now_);
    }
  }
}

void Pair::deliver(const Datagram& d) {
  if (d.to.address == gateway_address) return gateway_.engine.input(d.from, d.to, d.bytes, now_);
  const auto inside = settings_.nat ? nat_.inward(d.to) : std::optional(d.to);
  if (inside) client_.engine.input(d.from, *inside, d.bytes, now_);
}

void Pair::send_esp(Side& side, const ike::Service& service) {
  const auto* sa = side.kernel.newest_outbound(service);
  ++side.sent;
  const auto who = std::string(&side == &client_ ? "client" : "gateway");
  if (sa == nullptr) return lost_.push_back("the " + who + " has no SA to send with");
  esp_.send({{side.address, 0}, {other(side).address, 0}, packet_of(*sa)}, now_);
}

void Pair::deliver_esp(const Datagram& d) {
  auto& side = d.to.address == client_address ? client_ : gateway_;
  const xfrm::Spi spi(wire::Reader(d.bytes).u32());
  const auto* sa = side.kernel.inbound(spi);
  if (sa == nullptr || packet_of(*sa) != d.bytes)
    return lost_.push_back("the " + std::string(&side == &client_ ? "client" : "gateway") +
                           " has no SA for what came");
  side.kernel.traffic(spi, 1);
  ++side.received;
}

std::optional<base::Time> Pair::next_event() const {
  std::optional<base::Time> out;
  const auto consider = [&out](std::optional<base::Time> when) {
    if (when && (!out || *when < *out)) out = when;
  };
  consider(network_.next_arrival());
  consider(esp_.next_arrival());
  if (client_talks_ || gateway_talks_) consider(next_esp_);
  for (const auto* side : {&client_, &gateway_}) {
    consider(side->kernel.next_completion());
    consider(side->engine.next_timeout());
  }
  return out;
}

void Pair::run(base::Duration span) {
  const auto end = now_ + span;
  next_esp_ = std::max(next_esp_, now_);
  pump();
  for (auto next = next_event(); next && *next <= end; next = next_event()) {
    now_ = std::max(now_, *next);
    while (auto d = esp_.pop_arrival(now_)) deliver_esp(*d);
    if ((client_talks_ || gateway_talks_) && next_esp_ <= now_) {
      for (const auto& service : services_) {
        if (client_talks_) send_esp(client_, service);
        if (gateway_talks_) send_esp(gateway_, service);
      }
      next_esp_ = now_ + settings_.esp_interval;
    }
    if (auto d = network_.pop_arrival(now_)) deliver(*d);
    for (auto* side : {&client_, &gateway_}) {
      if (auto c = side->kernel.pop_completion(now_)) side->engine.completed(std::move(*c), now_);
      side->engine.timeout(now_);
    }
    pump();
  }
  now_ = end;
}

const ike::Peer* Pair::peer_of(const Side& side) {
  return side.engine.peers().size() == 1 ? &side.engine.peers().begin()->second : nullptr;
}

std::size_t Pair::count(const Side& side, ike::ChildState state) {
  const auto* peer = peer_of(side);
  return peer == nullptr
             ? 0
             : static_cast<std::size_t>(std::ranges::count(peer->children, state, &ike::ChildSa::state));
}

std::vector<std::string> Pair::complaints() const {
  auto out = client_.kernel.complaints();
  const auto& more = gateway_.kernel.complaints();
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

}  // namespace harness
