#include "ikd/range.h"

#include <algorithm>
#include <utility>

namespace ikd {
namespace {

/// As long as a key of ESP ever is: what no netlink attribute holds could be read as further attributes.
constexpr std::size_t longest_key = 64;

/// The kernel is told one family for both.
bool alike(const base::Address& a, const base::Address& b) { return a.family() == b.family(); }

/// Tunnel mode would let a peer send from any address.
bool plain(const xfrm::Sa& sa) {
  return sa.mode == xfrm::Mode::transport && sa.spi.value >= 256 && alike(sa.source, sa.destination) &&
         sa.transform.encryption_key.size() <= longest_key &&
         sa.transform.integrity_key.size() <= longest_key;
}

/// An alias is nobody else's. What is sent to an IPv6 address finds a peer's policy by the mark alone, and by
/// that the SA.
bool found_by(const std::optional<xfrm::MaskedMark>& mark, const base::Address& destination) {
  return mark || destination.is_v4();
}

}  // namespace

Range::Range(ike::Numbering numbering, std::vector<ike::Service> services)
    : numbering_(std::move(numbering)), services_(std::move(services)) {
  services_.emplace_back();  // L2TP
}

std::optional<ike::PeerNumber> Range::number_of(xfrm::Reqid reqid) const {
  return numbering_.number_of(base::Mark(reqid.value));
}

std::optional<xfrm::Reqid> Range::peer_at(const base::Address& alias) const {
  const auto number = numbering_.number_at(alias);
  if (!number) return std::nullopt;
  return xfrm::Reqid(numbering_.mark_of(*number).value);
}

bool Range::reqid_and_mark(xfrm::Reqid reqid, const std::optional<xfrm::MaskedMark>& mark) const {
  if (reqid.value == 0 || (reqid.value & ~numbering_.mask) != 0) return false;
  return !mark || *mark == xfrm::MaskedMark{reqid.value, numbering_.mask};
}

const ike::Service* Range::served(std::uint8_t protocol, const std::optional<std::uint16_t>& port) const {
  const auto it = std::ranges::find_if(
      services_, [&](const ike::Service& s) { return s.protocol == protocol && port && s.port == *port; });
  return it == services_.end() ? nullptr : &*it;
}

bool Range::is_our_end(const xfrm::Selector& selector) const {
  const auto* service = served(selector.protocol, selector.source_port);
  const auto& ours = selector.source.network;
  return service != nullptr && selector.source == base::host(ours) &&
         ours == numbering_.our_end(*service, selector.destination.network, ours);
}

bool Range::may_be_alias(const base::Address& address) const {
  return !address.is_v4() || numbering_.alias.contains(address);
}

bool Range::holds(const xfrm::Sa& sa) const {
  if (sa.set_mark) return reqid_and_mark(sa.reqid, sa.set_mark) && may_be_alias(sa.selector.source.network);
  // The SA itself leads to where the peer is.
  const auto& alias = sa.selector.destination.network;
  if (!reqid_and_mark(sa.reqid, sa.mark) || !may_be_alias(alias)) return false;
  // Without a mark an SA to an IPv6 address may be another daemon's that counts its reqids.
  return found_by(sa.mark, alias) ||
         (!sa.encap && sa.selector.destination == base::host(sa.destination) && is_our_end(sa.selector));
}

bool Range::holds(const xfrm::Policy& policy) const {
  const auto& destination = policy.selector.destination.network;
  return reqid_and_mark(policy.reqid, policy.mark) && policy.direction == xfrm::Direction::out &&
         may_be_alias(destination) && found_by(policy.mark, destination);
}

bool Range::admits(const ike::PeerEntry& entry) const {
  const auto number = numbering_.number_of(entry.mark);
  return number && entry.alias == numbering_.alias_of(*number, entry.home) &&
         alike(entry.home, entry.dialled);
}

bool Range::admits(const ike::InstallInbound& request) const {
  const auto& sa = request.sa;
  const auto number = number_of(sa.reqid);
  if (!number || !plain(sa) || sa.mark) return false;
  if (sa.set_mark != xfrm::MaskedMark{sa.reqid.value, numbering_.mask}) return false;
  const auto* service = served(sa.selector.protocol, sa.selector.destination_port);
  if (service == nullptr || sa.selector.source != base::host(numbering_.alias_of(*number, sa.source)) ||
      sa.selector.destination != numbering_.our_ends(*service, sa.destination))
    return false;
  const auto& entry = request.new_entry;
  return !entry || (entry->mark.value == sa.reqid.value && entry->home == sa.source &&
                    entry->dialled == sa.destination && admits(*entry));
}

bool Range::admits(const ike::InstallOutbound& request) const {
  const auto& sa = request.sa;
  const auto number = number_of(sa.reqid);
  if (!number || !plain(sa) || sa.set_mark) return false;
  if (sa.destination != numbering_.alias_of(*number, sa.destination) ||
      sa.mark != numbering_.lookup_mark_of(*number, sa) ||
      !found_by(numbering_.lookup_mark_of(*number), sa.destination))
    return false;
  if (sa.selector.source != base::host(sa.source) || sa.selector.destination != base::host(sa.destination) ||
      !is_our_end(sa.selector))
    return false;
  return !request.new_policy ||
         (request.new_policy->reqid == sa.reqid && policy_of(*number, *request.new_policy));
}

bool Range::policy_of(ike::PeerNumber number, const xfrm::Policy& policy) const {
  const auto& destination = policy.selector.destination.network;
  return policy.direction == xfrm::Direction::out && policy.mark == numbering_.lookup_mark_of(number) &&
         found_by(policy.mark, destination) && alike(policy.selector.source.network, destination) &&
         !policy.selector.destination_port &&
         policy.selector.destination == base::host(numbering_.alias_of(number, destination)) &&
         is_our_end(policy.selector);
}

bool Range::admits(const ike::MovePeer& request) const {
  const auto number = numbering_.number_of(request.mark);
  // An IPv6 peer stays at its address.
  return number && request.alias == numbering_.alias_of(*number, request.alias) &&
         (!request.new_home || alike(*request.new_home, request.alias));
}

}  // namespace ikd
