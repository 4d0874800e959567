// A client that comes back while its old self still stands, from another port or address: it gets a peer of
// its own at once, and the old one goes by dead peer detection. Only where the authentication means one
// device (a certificate, a pre-shared key declared so) is the old one known to be it, and goes at once. An
// address or a name under a shared key never says that: half the world is 192.168.1.2.

#include <string>

#include "ike/engine.h"

namespace ike {

// Called when the new one says INITIAL-CONTACT (RFC 2407 §4.6.3.3), or has an IPsec SA: before that the old
// one may be the device itself, whose NAT has moved it and which is renewing its ISAKMP SA.
void Engine::only_self_of_device(PeerNumber number, base::Time now) {
  for (const auto older : peers_.others_of_device(number)) {
    report(EventKind::peer_replaced, *peers_.find(older),
           "the same device is peer " + std::to_string(number.value) + " now");
    bury(*peers_.find(older), now);
  }
}

}  // namespace ike
