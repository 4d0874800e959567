#pragma once
// One or more of each message between the two processes of l2tpd, no field left as it is by itself.

#include <deque>
#include <vector>

#include "l2tpd/protocol.h"

namespace l2tpd::sample {

/// The tunnel of IPsec peer 7, as the default configuration knows it.
l2tp::TunnelName tunnel();
l2tp::SessionName session();
Hello hello();
std::deque<Request> requests();
std::deque<Answer> answers();
/// What a core asks for while the tunnel and its session come and go.
std::vector<Request> life();
/// One after the other, each after its length (16 bits): how the fuzzer reads many from its bytes.
base::Bytes in_a_row(const std::vector<Request>& requests);

}  // namespace l2tpd::sample
