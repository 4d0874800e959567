#include "ikd/peer_row.h"

#include <fmt/format.h>

#include "base/bytes.h"

namespace ikd {
namespace {

std::uint64_t seconds(base::Time from, base::Time to) {
  const auto passed = std::chrono::duration_cast<std::chrono::seconds>(to - from).count();
  return passed < 0 ? 0 : static_cast<std::uint64_t>(passed);
}

}  // namespace

std::vector<xfrm::SaId> counted_sas_of(const ike::Peer& peer) {
  std::vector<xfrm::SaId> out;
  for (const auto& child : peer.children) {
    out.push_back(peer.inbound_id(child.in));
    out.push_back(peer.outbound_id(child));
  }
  return out;
}

control::Peer row_of(const ike::Peer& peer, const ike::IsakmpSa* newest,
                     const std::vector<xfrm::SaStatistics>& counted, base::Time now) {
  control::Peer row{.peer = peer.number.value,
                    .mark = peer.mark.value,
                    .alias = peer.alias.to_string(),
                    .identity = peer.identity,
                    .client = std::string(name_of(peer.client)),
                    .psk = peer.key.psk,
                    .authentication = to_string(peer.authentication),
                    .certificate = peer.authentication.certificate,
                    .connection = peer.authentication.name,
                    .bound_to = {},
                    .nat = peer.peer_behind_nat,
                    .address = peer.remote.address.to_string(),
                    .port = peer.nat ? peer.remote.port : std::uint16_t{0},
                    .local_address = peer.local.address.to_string(),
                    .established_seconds = seconds(peer.authenticated, now),
                    .ike = {},
                    .sas = {}};
  if (peer.authentication.bind_user) row.bound_to = peer.authentication.logins;
  if (newest != nullptr)
    row.ike = control::IkeSa{.proposal = to_string(newest->transform),
                             .cookie_i = base::hex(newest->initiator),
                             .cookie_r = base::hex(newest->responder)};
  for (std::size_t at = peer.children.size(); at-- > 0;) {
    const auto& child = peer.children[at];
    if (child.state == ike::ChildState::answering || child.state == ike::ChildState::installing) continue;
    const bool active = child.state == ike::ChildState::active;
    const auto& in = counted[2 * at];
    const auto out = active ? counted[2 * at + 1] : xfrm::SaStatistics{};
    row.sas.push_back({.spi_in = fmt::format("{:#010x}", child.in.value),
                       .spi_out = fmt::format("{:#010x}", child.out.value),
                       .transform = to_string(child.suite),
                       .service = to_string(child.service),
                       .state = active ? "active" : "superseded",
                       .bytes_in = in.bytes,
                       .bytes_out = out.bytes,
                       .packets_in = in.packets,
                       .packets_out = out.packets,
                       .packets_lost = in.lost(),
                       .age_seconds = seconds(child.installed, now)});
  }
  return row;
}

control::Peer row_of_gone(const ike::Event& event, const base::Address& alias) {
  return {.peer = event.peer.value,
          .mark = event.mark.value,
          .alias = alias.to_string(),
          .identity = event.identity,
          .client = {},
          .psk = {},
          .nat = false,
          .address = event.remote.address.to_string(),
          .port = event.remote.port,
          .local_address = {},
          .established_seconds = 0,
          .ike = {},
          .sas = {}};
}

}  // namespace ikd
