#pragma once
// What l2tpd tells about itself on its control socket: sameroof.L2tp.

#include "base/time.h"
#include "config/config.h"
#include "control/interface.h"

namespace control {
class Server;
}

namespace l2tpd {

class Links;
class Tunnels;
struct HookCounters;
struct DaemonCounters;
struct RouterCounters;

const control::Interface& control_interface();

/// Everything referred to outlives `control`.
void serve_status(control::Server& control, const Tunnels& tunnels, const Links& links,
                  const RouterCounters& router, const HookCounters& hooks, const DaemonCounters& counters,
                  config::Cleartext cleartext, base::Time started);

}  // namespace l2tpd
