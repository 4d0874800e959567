#pragma once
// The kernel's SAs and policies, and the events it sends about them. All of it needs CAP_NET_ADMIN.

#include <functional>
#include <vector>

#include "netlink/socket.h"
#include "xfrm/decode.h"
#include "xfrm/types.h"

namespace xfrm {

/// Calls block for the microseconds the kernel takes. Refusals name what was tried; `number` tells
/// ESRCH (SA not there), ENOENT (policy not there) and EEXIST (already there) apart.
class Kernel {
 public:
  static base::Result<Kernel> open();

  /// See add_sa().
  nl::Result<void> install(const Sa& sa, const SaStatistics& carried = {});
  /// See update_sa(): lifetimes, encap ports, set-mark.
  nl::Result<void> update(const Sa& sa);
  nl::Result<void> remove(const SaId& id);

  nl::Result<void> install(const Policy& policy);
  /// Installs or replaces.
  nl::Result<void> update(const Policy& policy);
  nl::Result<void> remove(const PolicyId& id);

  nl::Result<InstalledSa> get(const SaId& id);
  nl::Result<SaStatistics> statistics(const SaId& id);
  /// Every ESP SA of the network namespace, also those of other daemons and the kernel's own
  /// placeholders after an Acquire (SPI 0).
  nl::Result<std::vector<InstalledSa>> dump_sas();
  /// Every policy that asks for ESP in transport or BEET mode.
  nl::Result<std::vector<Policy>> dump_policies();

 private:
  explicit Kernel(nl::Socket socket) : socket_(std::move(socket)) {}
  nl::Socket socket_;
};

/// Mapping and Expire events, for a loop: when fd() is readable, receive().
class EventSource {
 public:
  static base::Result<EventSource> open();
  /// One that another process opened: who has it needs no capability.
  static base::Result<EventSource> adopt(base::Fd fd);
  base::Fd duplicate() const { return socket_.duplicate(); }
  int fd() const { return socket_.fd(); }
  /// `lost`: compare dump_sas() with what is believed.
  nl::Socket::Events receive(const std::function<void(const Event&)>& handle);

 private:
  explicit EventSource(nl::Socket socket) : socket_(std::move(socket)) {}
  nl::Socket socket_;
};

}  // namespace xfrm
