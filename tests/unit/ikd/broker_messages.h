#pragma once
// One or more of each message between the broker and the process that parses packets, no field left as it is
// by itself.

#include <deque>

#include "ikd/protocol.h"

namespace ikd::sample {

ike::InstallInbound inbound();
ike::InstallOutbound outbound();
ike::MovePeer move();
ike::DeriveSkeyids derive();
Hello hello();
Provision provision();
std::deque<Request> requests();
std::deque<Answer> answers();

}  // namespace ikd::sample
