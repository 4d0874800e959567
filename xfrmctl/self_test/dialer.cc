#include "self_test/dialer.h"

#include <variant>

#include <netinet/in.h>

#include "crypto/prf.h"
#include "ike/v1/identification.h"
#include "ike/v1/keymat.h"

namespace self_test {
namespace {

constexpr std::size_t at_once = 16;
constexpr const char* psk_name = "self-test";

/// UDP 1701 of a host, as clients name it in Quick Mode.
base::Bytes l2tp_of(const base::Address& address) {
  auto id = ike::v1::identification_of(address);
  id.protocol = ike::l2tp_service.protocol;
  id.port = ike::l2tp_service.port;
  return ike::v1::encode_identification(id);
}

ike::DhDone shared_secret(ike::ComputeDh& request) {
  if (!request.own) return {request.ticket, crypto::respond(request.group, request.peer_public_value)};
  auto shared = request.own->key.derive(request.peer_public_value);
  if (!shared) return {request.ticket, tl::unexpected(shared.error())};
  return {request.ticket, crypto::DhResult{std::move(request.own->public_value), std::move(*shared)}};
}

}  // namespace

Dialer::Dialer(const base::Address& own, const base::Address& gateway, std::string psk, os::UdpSocket ike,
               os::UdpSocket natt, xfrm::Kernel kernel)
    : own_(own),
      gateway_(gateway),
      psk_(std::move(psk)),
      engine_(std::make_unique<ike::Engine>(ike::Settings{}, crypto::random_bytes)),
      ike_(std::move(ike)),
      natt_(std::move(natt)),
      kernel_(std::move(kernel)) {}

base::Result<Dialer> Dialer::open(const base::Address& own, const base::Address& gateway, std::string psk) {
  auto ike = os::UdpSocket::open({.local = {own, ike::ike_port}, .ipsec_bypass = true});
  if (!ike) return tl::unexpected(ike.error());
  auto natt = os::UdpSocket::open(
      {.local = {own, ike::natt_port}, .encapsulation = os::Encapsulation::esp_in_udp, .ipsec_bypass = true});
  if (!natt) return tl::unexpected(natt.error());
  auto kernel = xfrm::Kernel::open();
  if (!kernel) return tl::unexpected(kernel.error());
  return Dialer(own, gateway, std::move(psk), std::move(*ike), std::move(*natt), std::move(*kernel));
}

void Dialer::dial(base::Time now) {
  engine_->connect({.local = {own_, ike::ike_port},
                    .remote = {gateway_, ike::ike_port},
                    .psk = psk_name,
                    .ike = {.transform = *ike::parse_ike_transform("aes256-sha256-ecp256")},
                    .esp = {.suite = *ike::parse_esp_suite("aes256-sha256"),
                            .our_id = l2tp_of(own_),
                            .their_id = l2tp_of(gateway_),
                            .nat_oas = 2}},
                   now);
  drain(now);
}

void Dialer::go_on(base::Time now) {
  for (auto* socket : {&ike_, &natt_})
    socket->receive(at_once, [&](const os::Datagram& d) { engine_->input(d.from, d.to, d.bytes, now); });
  engine_->timeout(now);
  drain(now);
}

std::vector<int> Dialer::descriptors() const { return {ike_.fd(), natt_.fd()}; }

void Dialer::drain(base::Time now) {
  while (auto effect = engine_->next_effect())
    if (auto done = perform(*effect)) engine_->completed(std::move(*done), now);
}

ike::DoneOrRefused Dialer::install(xfrm::Sa& sa, xfrm::Direction direction) {
  const bool in = direction == xfrm::Direction::in;
  xfrm::Policy policy;
  policy.direction = direction;
  policy.reqid = sa.reqid;
  policy.selector = {.source = base::host(in ? gateway_ : own_),
                     .destination = base::host(in ? own_ : gateway_),
                     .protocol = IPPROTO_UDP,
                     .source_port = ike::l2tp_service.port,
                     .destination_port = ike::l2tp_service.port};
  (in ? sa.source : sa.destination) = gateway_;
  sa.selector = policy.selector;
  sa.mark = sa.set_mark = std::nullopt;
  const auto refused = [](const nl::Error& why) {
    return refused_as(ike::Refusal::kernel_refused, nl::as_base(why));
  };
  if (auto done = kernel_.install(sa); !done) return refused(done.error());
  if (auto done = kernel_.update(policy); !done) return refused(done.error());
  return {};
}

std::optional<ike::Completion> Dialer::perform(ike::Effect& effect) {
  if (auto* send = std::get_if<ike::Send>(&effect)) {
    auto& socket = send->from.port == ike::natt_port ? natt_ : ike_;
    socket.send(send->bytes, send->from.address, send->to, std::nullopt);
  } else if (auto* make = std::get_if<ike::MakeKeyPair>(&effect)) {
    return ike::KeyPairMade{make->ticket, crypto::make_key_pair(make->group)};
  } else if (auto* compute = std::get_if<ike::ComputeDh>(&effect)) {
    return shared_secret(*compute);
  } else if (auto* derive = std::get_if<ike::DeriveSkeyids>(&effect)) {
    ike::SkeyidsDone done{.ticket = derive->ticket, .candidates = {}};
    done.candidates.push_back(
        {psk_name, 0, 0, ike::v1::skeyid_of_psk(derive->hash, base::as_bytes(psk_), derive->ni, derive->nr)});
    return done;
  } else if (auto* inbound = std::get_if<ike::InstallInbound>(&effect)) {
    return ike::Installed{inbound->ticket, install(inbound->sa, xfrm::Direction::in)};
  } else if (auto* outbound = std::get_if<ike::InstallOutbound>(&effect)) {
    return ike::Installed{outbound->ticket, install(outbound->sa, xfrm::Direction::out)};
  } else if (auto* event = std::get_if<ike::Event>(&effect)) {
    using enum ike::EventKind;
    if (event->kind == peer_up) up_ = true;
    if (event->kind == authentication_failed || event->kind == quick_mode_refused ||
        event->kind == kernel_refused || event->kind == rekey_failed || event->kind == proposal_refused)
      failure_ = event->detail;
  }
  return std::nullopt;
}

}  // namespace self_test
