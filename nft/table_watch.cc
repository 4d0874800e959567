#include "nft/table_watch.h"

#include <algorithm>
#include <utility>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "nft/table.h"

namespace nft {
namespace {

/// Names in these messages are NUL-terminated, and the table's comes first in all of them.
std::string_view text_of(const nl::Attributes& attributes, std::uint16_t type) {
  const auto text = base::as_text(attributes.get(type));
  return text.substr(0, text.find('\0'));
}
static_assert(NFTA_TABLE_NAME == 1 && NFTA_SET_TABLE == 1 && NFTA_SET_ELEM_LIST_TABLE == 1);
static_assert(NFTA_SET_NAME == 2 && NFTA_SET_ELEM_LIST_SET == 2);

}  // namespace

base::Result<TableWatch> TableWatch::open(std::set<std::string> sets, std::set<std::uint32_t> authors) {
  auto socket = nl::Socket::open_events(NETLINK_NETFILTER, {NFNLGRP_NFTABLES});
  if (!socket) return tl::unexpected(socket.error());
  return TableWatch(std::move(*socket), std::move(sets), std::move(authors));
}

bool TableWatch::concerns_us(const nl::Message& message) const {
  const auto family = nl::pod<nfgenmsg>(message.payload)->nfgen_family;
  const auto attributes = nl::Attributes::parse(message.payload.subspan(sizeof(nfgenmsg)));
  if (!attributes) return false;
  const auto its_table = text_of(*attributes, NFTA_TABLE_NAME);
  const bool ours = family == NFPROTO_INET && its_table == table;
  switch (const auto type = message.type & 0xff) {
    case NFT_MSG_NEWTABLE:
    case NFT_MSG_DELTABLE: return ours;
    case NFT_MSG_NEWSET:
    case NFT_MSG_DELSET:
    case NFT_MSG_DELSETELEM: {
      const auto set = text_of(*attributes, NFTA_SET_NAME);
      if (ours) return sets_.contains(std::string(set));
      // One that goes is nobody's to fill.
      return type != NFT_MSG_DELSET && std::ranges::any_of(others_, [&](const NftSet& other) {
               return family_of(other) == family && other.table == its_table && other.name == set;
             });
    }
    default: return false;
  }
}

bool TableWatch::disturbed() {
  bool out = false;
  const auto take = [&](const nl::Message& message) {
    if (message.type >> 8 != NFNL_SUBSYS_NFTABLES || message.payload.size() < sizeof(nfgenmsg)) return;
    if (!authors_.contains(message.header->nlmsg_pid)) pending_ = pending_ || concerns_us(message);
    if ((message.type & 0xff) == NFT_MSG_NEWGEN) out = std::exchange(pending_, false) || out;
  };
  if (socket_.receive(take) == nl::Socket::Events::complete) return out;
  pending_ = false;
  return true;
}

}  // namespace nft
