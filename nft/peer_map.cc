#include "nft/peer_map.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <libnftnl/common.h>
#include <libnftnl/object.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>

#include "base/fd.h"
#include "nft/table.h"

namespace nft {

namespace {

constexpr std::uint16_t l2tp_port = 1701;
constexpr std::uint16_t ip_and_tcp = 40, ipv6_and_tcp = 60;  // headers, without options (RFC 6691)
constexpr std::size_t one_message = 1024;                    // a message of ours has at most one element

using Set = std::unique_ptr<nftnl_set, base::FreeWith<nftnl_set_free>>;
using Object = std::unique_ptr<nftnl_obj, base::FreeWith<nftnl_obj_free>>;

base::Bytes mark_key(base::Mark mark) {
  base::Bytes out(sizeof mark.value);
  std::memcpy(out.data(), &mark.value, out.size());  // meta mark is in host order
  return out;
}

base::Bytes port_key(std::uint16_t port) {
  return {static_cast<std::uint8_t>(port >> 8), static_cast<std::uint8_t>(port)};
}

base::Bytes ifname_key(const std::string& ifname) {
  base::Bytes out(IFNAMSIZ);
  ifname.copy(reinterpret_cast<char*>(out.data()), out.size() - 1);
  return out;
}

base::Bytes far_end_key(const std::string& ifname, const base::Address& far_end) {
  auto out = ifname_key(ifname);
  base::append(out, far_end.bytes());
  return out;
}

/// mark . tunnel id: each part of a concatenation fills a register of 4 bytes.
base::Bytes tunnel_key(base::Mark mark, std::uint16_t tunnel) {
  auto out = mark_key(mark);
  base::append(out, port_key(tunnel));
  out.resize(8);
  return out;
}

nl::Request nfnl_request(std::uint16_t type, std::uint16_t flags, std::uint8_t family,
                         std::uint16_t subject) {
  nl::Request request(type, flags);
  request.header(nfgenmsg{.nfgen_family = family, .version = NFNETLINK_V0, .res_id = htons(subject)});
  return request;
}

std::uint16_t nft_type(int message) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message);
}

nl::Request batch_edge(std::uint16_t type) { return nfnl_request(type, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES); }

}  // namespace

/// One change of one set. Without a key, deleting empties the set.
struct PeerMap::Element {
  enum class Verb { add, remove };
  Verb verb;
  const char* set;
  base::Bytes key;
  base::Bytes data;

  static Element add(const char* set, base::Bytes key, base::ByteView data = {}) {
    return {.verb = Verb::add, .set = set, .key = std::move(key), .data = base::to_bytes(data)};
  }
  static Element remove(const char* set, base::Bytes key) {
    return {.verb = Verb::remove, .set = set, .key = std::move(key), .data = {}};
  }
  static Element empty(const char* set) { return remove(set, {}); }
  nl::Request to_request() const;
};

nl::Request PeerMap::Element::to_request() const {
  Set changed(nftnl_set_alloc());
  nftnl_set_set_str(changed.get(), NFTNL_SET_TABLE, table);
  nftnl_set_set_str(changed.get(), NFTNL_SET_NAME, set);
  if (!key.empty()) {
    auto* element = nftnl_set_elem_alloc();
    nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key.data(), static_cast<std::uint32_t>(key.size()));
    if (!data.empty()) {
      nftnl_set_elem_set(element, NFTNL_SET_ELEM_DATA, data.data(), static_cast<std::uint32_t>(data.size()));
    }
    nftnl_set_elem_add(changed.get(), element);  // which owns it now
  }
  alignas(nlmsghdr) char buffer[one_message] = {};
  const bool adding = verb == Verb::add;
  auto* header = nftnl_nlmsg_build_hdr(
      buffer, static_cast<std::uint16_t>(adding ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM), NFPROTO_INET,
      static_cast<std::uint16_t>(NLM_F_ACK | (adding ? NLM_F_CREATE : 0)), 0);
  nftnl_set_elems_nlmsg_build_payload(header, changed.get());
  return nl::Request::copy_of(*header);
}

base::Result<PeerMap> PeerMap::open() {
  auto socket = nl::Socket::open(NETLINK_NETFILTER);
  if (!socket) return tl::unexpected(socket.error());
  PeerMap map(std::move(*socket));
  const auto loaded = map.loaded();
  if (!loaded) return nl::as_base(loaded.error());
  if (!*loaded)
    return base::fail("table inet sameroof is not loaded: load the ruleset first (ikd --ruleset | nft -f -)");
  return map;
}

nl::Result<bool> PeerMap::loaded() {
  auto request = nfnl_request(nft_type(NFT_MSG_GETTABLE), 0, NFPROTO_INET, 0);
  request.attr_text(NFTA_TABLE_NAME, table);
  const auto found = socket_.query(request, "looking for table inet sameroof", [](const nl::Message&) {});
  if (found) return true;
  if (found.error().number == ENOENT) return false;
  return tl::unexpected(found.error());
}

std::vector<nl::Result<void>> PeerMap::commit(const std::vector<Element>& elements, std::string_view what) {
  std::vector<nl::Request> requests;
  requests.push_back(batch_edge(NFNL_MSG_BATCH_BEGIN));
  for (const auto& element : elements) requests.push_back(element.to_request());
  requests.push_back(batch_edge(NFNL_MSG_BATCH_END));
  auto results = socket_.batch(requests, what);
  results.pop_back();
  results.erase(results.begin());
  for (auto& result : results) {
    // Which the kernel calls "too many open files".
    if (!result && result.error().number == ENFILE)
      result.error().message = fmt::format("{}: the set is full", what);
  }
  return results;
}

nl::Result<void> PeerMap::apply(const std::vector<Element>& elements, std::string_view what) {
  for (auto& result : commit(elements, what)) {
    if (!result) return result;
  }
  return {};
}

// A batch with one missing element changes nothing, so what is missing is left out and the rest tried
// again. Another process may remove elements meanwhile; each round has fewer of them, so this ends.
nl::Result<Change> PeerMap::change(std::vector<Element> elements, std::string_view what) {
  auto change = Change::made;
  while (!elements.empty()) {
    const auto results = commit(elements, what);
    std::vector<Element> there;
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (results[i]) {
        there.push_back(std::move(elements[i]));
      } else if (elements[i].verb == Element::Verb::add || results[i].error().number != ENOENT) {
        return tl::unexpected(results[i].error());
      }
    }
    if (there.size() == elements.size()) return change;
    change = Change::absent;
    elements = std::move(there);
  }
  return change;
}

nl::Result<void> PeerMap::add_peer(base::Mark mark, const base::Address& alias,
                                   const base::Address& dialled) {
  return apply({Element::add("alias", mark_key(mark), alias.bytes()),
                Element::add("dialled", base::to_bytes(alias.bytes()), dialled.bytes())},
               fmt::format("adding the peer at {}", alias.to_string()));
}

nl::Result<Change> PeerMap::remove_peer(base::Mark mark, const base::Address& alias) {
  return change(
      {Element::remove("alias", mark_key(mark)), Element::remove("dialled", base::to_bytes(alias.bytes()))},
      fmt::format("removing the peer at {}", alias.to_string()));
}

nl::Result<void> PeerMap::flush_peers() {
  return apply({Element::empty("alias"), Element::empty("dialled")}, "removing all peers");
}

nl::Result<void> PeerMap::add_tunnel(base::Mark mark, std::uint16_t tunnel) {
  const auto key = tunnel_key(mark, tunnel);
  return apply({Element::add("tids", key), Element::add("tidsl", key)},
               fmt::format("adding tunnel {}", tunnel));
}

nl::Result<Change> PeerMap::remove_tunnel(base::Mark mark, std::uint16_t tunnel) {
  const auto key = tunnel_key(mark, tunnel);
  return change({Element::remove("tids", key), Element::remove("tidsl", key)},
                fmt::format("removing tunnel {}", tunnel));
}

nl::Result<void> PeerMap::flush_tunnels() {
  return apply({Element::empty("tids"), Element::empty("tidsl")}, "removing all tunnels");
}

nl::Result<void> PeerMap::put_link(const std::string& ifname, const std::optional<base::Address>& far_end,
                                   std::uint16_t mtu, const std::optional<base::Address>& former) {
  const auto key = ifname_key(ifname);
  const auto segment = [mtu](std::uint16_t headers) {
    return port_key(static_cast<std::uint16_t>(mtu - headers));
  };
  std::vector<Element> elements{Element::add("links", key), Element::add("mss", key, segment(ip_and_tcp)),
                                Element::add("mss6", key, segment(ipv6_and_tcp))};
  if (former && former != far_end)
    elements.push_back(Element::remove("far_ends", far_end_key(ifname, *former)));
  if (far_end) elements.push_back(Element::add("far_ends", far_end_key(ifname, *far_end)));
  const auto what = fmt::format("adding {}", ifname);
  auto done = change(elements, what);
  // It has other segments; which of the two depends on the kernel.
  if (!done && (done.error().number == EEXIST || done.error().number == EBUSY)) {
    const std::array stale{Element::remove("mss", key), Element::remove("mss6", key)};
    elements.insert(elements.begin(), stale.begin(), stale.end());
    done = change(std::move(elements), what);
  }
  if (!done) return tl::unexpected(done.error());
  return {};
}

nl::Result<Change> PeerMap::remove_link(const std::string& ifname,
                                        const std::optional<base::Address>& far_end) {
  const auto key = ifname_key(ifname);
  std::vector<Element> elements{Element::remove("links", key), Element::remove("mss", key),
                                Element::remove("mss6", key)};
  if (far_end) elements.push_back(Element::remove("far_ends", far_end_key(ifname, *far_end)));
  return change(std::move(elements), fmt::format("removing {}", ifname));
}

nl::Result<void> PeerMap::flush_links() {
  return apply(
      {Element::empty("links"), Element::empty("far_ends"), Element::empty("mss"), Element::empty("mss6")},
      "removing all links");
}

nl::Result<void> PeerMap::set_port(const char* set, bool present, std::string_view what) {
  if (present) return apply({Element::add(set, port_key(l2tp_port))}, what);
  const auto removed = change({Element::remove(set, port_key(l2tp_port))}, what);
  if (!removed) return tl::unexpected(removed.error());
  return {};
}

nl::Result<void> PeerMap::set_cleartext(Cleartext cleartext) {
  return set_port("cleartext", cleartext == Cleartext::allowed, "setting whether clear text is allowed");
}

nl::Result<void> PeerMap::set_latch(Latch latch) {
  return set_port("latched", latch == Latch::on, "setting the latch");
}

nl::Result<std::vector<Counter>> PeerMap::counters() {
  auto request = nfnl_request(nft_type(NFT_MSG_GETOBJ), NLM_F_DUMP, NFPROTO_INET, 0);
  request.attr_text(NFTA_OBJ_TABLE, table);
  request.attr(NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
  std::vector<Counter> out;
  const auto read = [&](const nl::Message& message) {
    Object object(nftnl_obj_alloc());
    if (nftnl_obj_nlmsg_parse(message.header, object.get()) < 0) return;
    const auto* name = nftnl_obj_get_str(object.get(), NFTNL_OBJ_NAME);
    if (name == nullptr) return;
    out.push_back({.name = name,
                   .packets = nftnl_obj_get_u64(object.get(), NFTNL_OBJ_CTR_PKTS),
                   .bytes = nftnl_obj_get_u64(object.get(), NFTNL_OBJ_CTR_BYTES)});
  };
  if (auto listed = socket_.query(request, "reading the counters of inet sameroof", read); !listed) {
    return tl::unexpected(listed.error());
  }
  return out;
}

}  // namespace nft
