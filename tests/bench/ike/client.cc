#include "gateway.h"

namespace bench {
namespace {

harness::InitiatorSettings settings(std::uint32_t number, const Scene& scene,
                                    const Credentials& credentials) {
  harness::InitiatorSettings s;
  s.local.address = Address::v4(0xc0a80000u + number % 65000);
  s.ike = {*ike::parse_ike_transform(scene.transform)};
  s.dh = scene.dh;
  s.seed = number;
  credentials.give(number, s);
  return s;
}

}  // namespace

Client::Client(std::uint32_t number, const Scene& scene, const Credentials& credentials)
    : initiator(settings(number, scene, credentials)),
      outside(Address::v4(0x64400000u + number / static_cast<std::uint32_t>(scene.sharing))),
      first_port(static_cast<std::uint16_t>(20000 + number % static_cast<std::uint32_t>(scene.sharing) * 2)) {
}

void Client::speak(std::vector<Datagram>& said) {
  while (auto d = initiator.next_send()) {
    const auto port = static_cast<std::uint16_t>(first_port + (d->from.port == 4500 ? 1 : 0));
    said.push_back({{outside, port}, d->to, std::move(d->bytes)});
  }
}

}  // namespace bench
