#include "xfrm/kernel.h"

#include <cerrno>
#include <string>

#include <fmt/format.h>
#include <linux/xfrm.h>

#include "xfrm/encode.h"

namespace xfrm {

namespace {

std::string sentence(std::string_view verb, const SaId& id) {
  return fmt::format("{} the SA {:#010x} to {}", verb, id.spi.value, id.destination.to_string());
}

std::string sentence(std::string_view verb, const PolicyId& id) {
  return fmt::format("{} the policy {} to {}", verb, id.selector.source.to_string(),
                     id.selector.destination.to_string());
}

}  // namespace

base::Result<Kernel> Kernel::open() {
  auto socket = nl::Socket::open(NETLINK_XFRM);
  if (!socket) return tl::unexpected(socket.error());
  return Kernel(std::move(*socket));
}

nl::Result<void> Kernel::install(const Sa& sa, const SaStatistics& carried) {
  auto request = add_sa(sa, carried);
  return socket_.transact(request, sentence("installing", id_of(sa)));
}

nl::Result<void> Kernel::update(const Sa& sa) {
  auto request = update_sa(sa);
  return socket_.transact(request, sentence("updating", id_of(sa)));
}

nl::Result<void> Kernel::remove(const SaId& id) {
  auto request = delete_sa(id);
  return socket_.transact(request, sentence("removing", id));
}

nl::Result<void> Kernel::install(const Policy& policy) {
  auto request = add_policy(policy);
  return socket_.transact(request, sentence("installing", id_of(policy)));
}

nl::Result<void> Kernel::update(const Policy& policy) {
  auto request = update_policy(policy);
  return socket_.transact(request, sentence("updating", id_of(policy)));
}

nl::Result<void> Kernel::remove(const PolicyId& id) {
  auto request = delete_policy(id);
  return socket_.transact(request, sentence("removing", id));
}

nl::Result<InstalledSa> Kernel::get(const SaId& id) {
  auto request = get_sa(id);
  std::optional<InstalledSa> found;
  const auto what = sentence("reading", id);
  auto answered =
      socket_.query(request, what, [&](const nl::Message& message) { found = decode_sa(message); });
  if (!answered) return tl::unexpected(answered.error());
  if (!found) return nl::fail_errno(what, EBADMSG);
  return std::move(*found);
}

nl::Result<SaStatistics> Kernel::statistics(const SaId& id) {
  return get(id).map([](const InstalledSa& installed) { return installed.statistics; });
}

nl::Result<std::vector<InstalledSa>> Kernel::dump_sas() {
  auto request = xfrm::dump_sas();
  std::vector<InstalledSa> out;
  auto listed = socket_.query(request, "listing the SAs", [&](const nl::Message& message) {
    if (auto sa = decode_sa(message)) out.push_back(std::move(*sa));
  });
  if (!listed) return tl::unexpected(listed.error());
  return out;
}

nl::Result<std::vector<Policy>> Kernel::dump_policies() {
  auto request = xfrm::dump_policies();
  std::vector<Policy> out;
  auto listed = socket_.query(request, "listing the policies", [&](const nl::Message& message) {
    if (const auto policy = decode_policy(message)) out.push_back(*policy);
  });
  if (!listed) return tl::unexpected(listed.error());
  return out;
}

base::Result<EventSource> EventSource::open() {
  // Not ACQUIRE: while anybody listens for it, the kernel keeps a placeholder SA of SPI 0 for half a minute
  // for every packet that finds a policy and no SA. Nothing here installs SAs on demand.
  auto socket = nl::Socket::open_events(NETLINK_XFRM, {XFRMNLGRP_EXPIRE, XFRMNLGRP_MAPPING});
  if (!socket) return tl::unexpected(socket.error());
  return EventSource(std::move(*socket));
}

base::Result<EventSource> EventSource::adopt(base::Fd fd) {
  auto socket = nl::Socket::adopt_events(std::move(fd));
  if (!socket) return tl::unexpected(socket.error());
  return EventSource(std::move(*socket));
}

nl::Socket::Events EventSource::receive(const std::function<void(const Event&)>& handle) {
  return socket_.receive([&](const nl::Message& message) {
    if (const auto event = decode_event(message)) handle(*event);
  });
}

}  // namespace xfrm
