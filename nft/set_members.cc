#include "nft/set_members.h"

#include <cerrno>
#include <memory>

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

std::string words_for(const SetName& name) {
  return fmt::format("{} {} {}", name.family, name.table, name.set);
}

std::uint8_t family_of(const SetName& name) { return name.family == "ip" ? NFPROTO_IPV4 : NFPROTO_INET; }

Set named(const SetName& name) {
  Set out(nftnl_set_alloc());
  nftnl_set_set_str(out.get(), NFTNL_SET_TABLE, name.table.c_str());
  nftnl_set_set_str(out.get(), NFTNL_SET_NAME, name.set.c_str());
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

}  // namespace

base::Result<SetMembers> SetMembers::open() {
  auto socket = nl::Socket::open(NETLINK_NETFILTER);
  if (!socket) return tl::unexpected(socket.error());
  return SetMembers(std::move(*socket));
}

base::Result<SetMembers::Kind> SetMembers::kind_of(const SetName& name) {
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
  if (!found || (flags & NFT_SET_MAP) != 0 || nftnl_set_get_u32(found.get(), NFTNL_SET_KEY_LEN) != 4)
    return base::fail(fmt::format("{} is no set of ipv4_addr", words_for(name)));
  return (flags & NFT_SET_INTERVAL) != 0 ? Kind::interval : Kind::single;
}

nl::Result<void> SetMembers::change(std::uint16_t message, const SetName& name, Kind kind,
                                    const base::Address& address) {
  const auto set = named(name);
  put(set.get(), address, 0);
  // An interval is where it begins, and where it no longer is.
  if (kind == Kind::interval)
    put(set.get(), base::Address::v4(address.v4_value() + 1), NFT_SET_ELEM_INTERVAL_END);
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

base::Result<void> SetMembers::add(const SetName& name, const base::Address& address) {
  const auto kind = kind_of(name);
  if (!kind) return tl::unexpected(kind.error());
  const auto done = change(NFT_MSG_NEWSETELEM, name, *kind, address);
  if (!done && done.error().number != EEXIST) return nl::as_base(done.error());
  return {};
}

base::Result<Change> SetMembers::remove(const SetName& name, const base::Address& address) {
  const auto kind = kind_of(name);
  if (!kind) return tl::unexpected(kind.error());
  const auto done = change(NFT_MSG_DELSETELEM, name, *kind, address);
  if (!done && done.error().number == ENOENT) return Change::absent;
  if (!done) return nl::as_base(done.error());
  return Change::made;
}

}  // namespace nft
