#include "nft/set_members.h"

#include <cerrno>
#include <memory>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/fd.h"

namespace nft {
namespace {

using Set = std::unique_ptr<nftnl_set, base::FreeWith<nftnl_set_free>>;

std::string words_for(const NftSet& name) {
  return fmt::format("{} {} {}", name.family, name.table, name.name);
}

/// What nft(8) writes down as the type of a set's keys, which the kernel keeps for it.
constexpr std::uint32_t ipv4_addr = 7, ipv6_addr = 8;

Set named(const NftSet& name) {
  Set out(nftnl_set_alloc());
  nftnl_set_set_str(out.get(), NFTNL_SET_TABLE, name.table.c_str());
  nftnl_set_set_str(out.get(), NFTNL_SET_NAME, name.name.c_str());
  return out;
}

nl::Request batch_edge(std::uint16_t type) {
  nl::Request request(type, 0);
  request.header(
      nfgenmsg{.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)});
  return request;
}

void put(nftnl_set* set, const base::Address& key, std::uint32_t flags) {
  auto* element = nftnl_set_elem_alloc();
  nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key.bytes().data(),
                     static_cast<std::uint32_t>(key.bytes().size()));
  if (flags != 0) nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_FLAGS, flags);
  nftnl_set_elem_add(set, element);  // which owns it now
}

/// The address after the last one.
base::Address end_of(const base::Prefix& prefix) {
  std::vector<std::uint8_t> bytes(prefix.network.bytes().begin(), prefix.network.bytes().end());
  std::size_t at = (prefix.length - 1U) / 8;
  unsigned carry = 1U << (7 - (prefix.length - 1U) % 8);
  for (;; --at) {
    carry += bytes[at];
    bytes[at] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
    if (carry == 0 || at == 0) return *base::Address::from_bytes(bytes);
  }
}

}  // namespace

std::uint8_t family_of(const NftSet& name) {
  return name.family == "ip" ? NFPROTO_IPV4 : name.family == "ip6" ? NFPROTO_IPV6 : NFPROTO_INET;
}

base::Result<SetMembers> SetMembers::open() {
  auto socket = nl::Socket::open(NETLINK_NETFILTER);
  if (!socket) return tl::unexpected(socket.error());
  return SetMembers(std::move(*socket));
}

base::Result<SetMembers::Kind> SetMembers::kind_of(const NftSet& name) {
  alignas(nlmsghdr) char buffer[1024] = {};
  auto* header = nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETSET, family_of(name), 0, 0);
  nftnl_set_nlmsg_build_payload(header, named(name).get());
  auto request = nl::Request::copy_of(*header);
  Set found;
  const auto read = [&](const nl::Message& message) {
    Set set(nftnl_set_alloc());
    if (nftnl_set_nlmsg_parse(message.header, set.get()) == 0) found = std::move(set);
  };
  const auto answered = socket_.query(request, fmt::format("looking for the set {}", words_for(name)), read);
  if (!answered && answered.error().number == ENOENT)
    return base::fail(fmt::format("there is no set {}", words_for(name)));
  if (!answered) return nl::as_base(answered.error());
  const auto flags = found ? nftnl_set_get_u32(found.get(), NFTNL_SET_FLAGS) : 0;
  const auto type = found ? nftnl_set_get_u32(found.get(), NFTNL_SET_KEY_TYPE) : 0;
  if ((flags & NFT_SET_MAP) != 0 || (type != ipv4_addr && type != ipv6_addr))
    return base::fail(fmt::format("{} is no set of ipv4_addr or ipv6_addr", words_for(name)));
  return Kind{type == ipv4_addr ? AF_INET : AF_INET6, (flags & NFT_SET_INTERVAL) != 0};
}

base::Result<std::optional<SetMembers::Kind>> SetMembers::kind_for(const NftSet& name,
                                                                   const base::Prefix& prefix) {
  const auto kind = kind_of(name);
  if (!kind) return tl::unexpected(kind.error());
  if (kind->family != prefix.network.family()) return std::nullopt;
  if (!kind->intervals && prefix != base::host(prefix.network))
    return base::fail(fmt::format("{} holds single addresses and not {}: it wants flags interval",
                                  words_for(name), prefix.to_string()));
  return *kind;
}

nl::Result<void> SetMembers::change(std::uint16_t message, const NftSet& name, Kind kind,
                                    const base::Prefix& prefix) {
  const auto set = named(name);
  put(set.get(), prefix.network, 0);
  // An interval is where it begins, and where it no longer is.
  if (kind.intervals) put(set.get(), end_of(prefix), NFT_SET_ELEM_INTERVAL_END);
  alignas(nlmsghdr) char buffer[1024] = {};
  auto* header = nftnl_nlmsg_build_hdr(
      buffer, message, family_of(name),
      static_cast<std::uint16_t>(NLM_F_ACK | (message == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0)), 0);
  nftnl_set_elems_nlmsg_build_payload(header, set.get());
  std::vector<nl::Request> requests;
  requests.push_back(batch_edge(NFNL_MSG_BATCH_BEGIN));
  requests.push_back(nl::Request::copy_of(*header));
  requests.push_back(batch_edge(NFNL_MSG_BATCH_END));
  for (auto& result : socket_.batch(requests, fmt::format("changing the set {}", words_for(name)))) {
    if (!result) return result;
  }
  return {};
}

base::Result<void> SetMembers::add(const NftSet& name, const base::Prefix& prefix) {
  const auto kind = kind_for(name, prefix);
  if (!kind) return tl::unexpected(kind.error());
  if (!*kind) return {};
  const auto done = change(NFT_MSG_NEWSETELEM, name, **kind, prefix);
  if (!done && done.error().number != EEXIST) return nl::as_base(done.error());
  return {};
}

base::Result<Change> SetMembers::remove(const NftSet& name, const base::Prefix& prefix) {
  const auto kind = kind_for(name, prefix);
  if (!kind) return tl::unexpected(kind.error());
  if (!*kind) return Change::absent;
  const auto done = change(NFT_MSG_DELSETELEM, name, **kind, prefix);
  if (!done && done.error().number == ENOENT) return Change::absent;
  if (!done) return nl::as_base(done.error());
  return Change::made;
}

}  // namespace nft
