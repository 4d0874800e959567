#include "xfrmctl/kernel.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/xfrm.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <netlink/xfrm/lifetime.h>
#include <netlink/xfrm/sa.h>
#include <netlink/xfrm/selector.h>
#include <netlink/xfrm/sp.h>
#include <netlink/xfrm/template.h>

#include "base/address.h"
#include "base/fd.h"

namespace xfrmctl {
namespace {

// libnl loses the addresses that it parses (3.7): read in a process that ends soon.
using ParsedSa = std::unique_ptr<xfrmnl_sa, base::FreeWith<xfrmnl_sa_put>>;
using ParsedPolicy = std::unique_ptr<xfrmnl_sp, base::FreeWith<xfrmnl_sp_put>>;

std::string address_text(nl_addr* address) {
  if (address == nullptr) return {};
  const auto* bytes = static_cast<const std::uint8_t*>(nl_addr_get_binary_addr(address));
  const auto parsed = base::Address::from_bytes({bytes, nl_addr_get_len(address)});
  return parsed ? parsed->to_string() : std::string();
}

std::string protocol_text(int protocol) {
  switch (protocol) {
    case IPPROTO_ESP: return "esp";
    case IPPROTO_AH: return "ah";
    case IPPROTO_COMP: return "comp";
    default: return fmt::format("{}", protocol);
  }
}

std::string mode_text(int mode) {
  switch (mode) {
    case XFRM_MODE_TRANSPORT: return "transport";
    case XFRM_MODE_TUNNEL: return "tunnel";
    case XFRM_MODE_BEET: return "beet";
    default: return fmt::format("{}", mode);
  }
}

KernelSelector selector_from(xfrmnl_sel* in) {
  KernelSelector out;
  out.source = fmt::format("{}/{}", address_text(xfrmnl_sel_get_saddr(in)), xfrmnl_sel_get_prefixlen_s(in));
  out.destination =
      fmt::format("{}/{}", address_text(xfrmnl_sel_get_daddr(in)), xfrmnl_sel_get_prefixlen_d(in));
  out.protocol = static_cast<std::uint8_t>(std::max(0, xfrmnl_sel_get_proto(in)));
  if (xfrmnl_sel_get_sportmask(in) > 0) out.source_port = xfrmnl_sel_get_sport(in);
  if (xfrmnl_sel_get_dportmask(in) > 0) out.destination_port = xfrmnl_sel_get_dport(in);
  return out;
}

/// What libnl-xfrm has no accessor for, from the same message behind its structure `Fixed`.
template <class Fixed, class Value>
bool read_attribute(nlmsghdr& message, int type, Value& out) {
  const auto* found = nlmsg_find_attr(&message, sizeof(Fixed), type);
  if (found == nullptr || static_cast<std::size_t>(nla_len(found)) < sizeof(Value)) return false;
  std::memcpy(&out, nla_data(found), sizeof out);
  return true;
}

template <class Fixed, class Value>
std::optional<Value> attribute(nlmsghdr& message, int type) {
  Value value;
  return read_attribute<Fixed>(message, type, value) ? std::optional(value) : std::nullopt;
}

template <class Kernel>
void wipe_key(nlmsghdr& message, int type) {
  const auto* found = nlmsg_find_attr(&message, sizeof(xfrm_usersa_info), type);
  if (found == nullptr || static_cast<std::size_t>(nla_len(found)) <= sizeof(Kernel)) return;
  auto* data = static_cast<char*>(nla_data(found));
  ::explicit_bzero(data + sizeof(Kernel), static_cast<std::size_t>(nla_len(found)) - sizeof(Kernel));
}

void wipe_keys(nlmsghdr& message) {
  wipe_key<xfrm_algo>(message, XFRMA_ALG_AUTH);
  wipe_key<xfrm_algo>(message, XFRMA_ALG_CRYPT);
  wipe_key<xfrm_algo_auth>(message, XFRMA_ALG_AUTH_TRUNC);
  wipe_key<xfrm_algo_aead>(message, XFRMA_ALG_AEAD);
}

std::optional<std::uint64_t> limit(unsigned long long value, unsigned long long unlimited) {
  if (value == unlimited) return std::nullopt;
  return value;
}

void read_algorithms(xfrmnl_sa* in, KernelSa& out) {
  std::array<char, 64> name{};
  KernelAlgorithm found;
  if (xfrmnl_sa_get_aead_params(in, name.data(), &found.key_bits, &found.check_bits, nullptr) == 0) {
    found.name = name.data();
    out.aead = found;
  }
  if (xfrmnl_sa_get_crypto_params(in, name.data(), &found.key_bits, nullptr) == 0) {
    found.name = name.data();
    found.check_bits = 0;
    out.cipher = found;
  }
  if (xfrmnl_sa_get_auth_params(in, name.data(), &found.key_bits, &found.check_bits, nullptr) == 0) {
    found.name = name.data();
    out.digest = found;
  }
}

void read_counters(xfrmnl_sa* in, KernelSa& out) {
  unsigned long long bytes = 0, packets = 0, added = 0, used = 0, window = 0, replayed = 0, failed = 0;
  xfrmnl_sa_get_curlifetime(in, &bytes, &packets, &added, &used);
  out.bytes = bytes, out.packets = packets, out.added = added, out.used = used;
  xfrmnl_sa_get_stats(in, &window, &replayed, &failed);
  out.outside_window = window, out.replayed = replayed, out.integrity_failed = failed;
  auto* limits = xfrmnl_sa_get_lifetime_cfg(in);
  if (limits == nullptr) return;
  out.soft_seconds = limit(xfrmnl_ltime_cfg_get_soft_addexpires(limits), 0);
  out.hard_seconds = limit(xfrmnl_ltime_cfg_get_hard_addexpires(limits), 0);
  out.soft_bytes = limit(xfrmnl_ltime_cfg_get_soft_bytelimit(limits), XFRM_INF);
  out.hard_bytes = limit(xfrmnl_ltime_cfg_get_hard_bytelimit(limits), XFRM_INF);
}

/// Those of a socket's policies come behind the three.
void read_direction(unsigned direction, KernelPolicy& out) {
  constexpr std::array<const char*, XFRM_POLICY_MAX> names = {"in", "out", "forward"};
  out.socket = direction >= XFRM_POLICY_MAX;
  out.direction = names[direction % XFRM_POLICY_MAX];
}

KernelTemplate template_from(xfrmnl_user_tmpl* in) {
  return {.protocol = protocol_text(xfrmnl_user_tmpl_get_proto(in)),
          .mode = mode_text(xfrmnl_user_tmpl_get_mode(in)),
          .source = address_text(xfrmnl_user_tmpl_get_saddr(in)),
          .destination = address_text(xfrmnl_user_tmpl_get_daddr(in)),
          .spi = static_cast<std::uint32_t>(xfrmnl_user_tmpl_get_spi(in)),
          .reqid = static_cast<std::uint32_t>(xfrmnl_user_tmpl_get_reqid(in)),
          .optional = xfrmnl_user_tmpl_get_optional(in) > 0};
}

template <class Row>
struct Listing {
  std::optional<Row> (*row_from)(nlmsghdr&);
  std::vector<Row> rows;

  static int take(nl_msg* message, void* listing) {
    auto& self = *static_cast<Listing*>(listing);
    if (auto row = self.row_from(*nlmsg_hdr(message))) self.rows.push_back(std::move(*row));
    return NL_OK;
  }
};

template <class Row>
FromKernel<Row> list(int type, std::optional<Row> (*row_from)(nlmsghdr&), std::string_view what) {
  using Socket = std::unique_ptr<nl_sock, base::FreeWith<nl_socket_free>>;
  const auto refuse = [what](int error) {
    const bool forbidden = error == -NLE_PERM;
    return tl::unexpected(KernelRefusal{
        forbidden ? fmt::format("the kernel lists its {} to root (CAP_NET_ADMIN) only", what)
                  : fmt::format("the kernel does not list its {}: {}", what, nl_geterror(error)),
        forbidden});
  };
  const Socket socket(nl_socket_alloc());
  if (!socket) return refuse(-NLE_NOMEM);
  if (const int error = nl_connect(socket.get(), NETLINK_XFRM); error < 0) return refuse(error);
  Listing<Row> listing{row_from, {}};
  nl_socket_modify_cb(socket.get(), NL_CB_VALID, NL_CB_CUSTOM, Listing<Row>::take, &listing);
  if (const int error = nl_send_simple(socket.get(), type, NLM_F_DUMP, nullptr, 0); error < 0)
    return refuse(error);
  if (const int error = nl_recvmsgs_default(socket.get()); error < 0) return refuse(error);
  return std::move(listing.rows);
}

}  // namespace

std::optional<KernelSa> sa_from(nlmsghdr& message) {
  if (message.nlmsg_type != XFRM_MSG_NEWSA || nlmsg_datalen(&message) < int{sizeof(xfrm_usersa_info)})
    return std::nullopt;
  wipe_keys(message);
  xfrmnl_sa* parsed = nullptr;
  if (xfrmnl_sa_parse(&message, &parsed) < 0) return std::nullopt;
  const ParsedSa owner(parsed);
  KernelSa out;
  out.source = address_text(xfrmnl_sa_get_saddr(parsed));
  out.destination = address_text(xfrmnl_sa_get_daddr(parsed));
  out.protocol = protocol_text(xfrmnl_sa_get_proto(parsed));
  out.spi = static_cast<std::uint32_t>(xfrmnl_sa_get_spi(parsed));
  out.reqid = static_cast<std::uint32_t>(xfrmnl_sa_get_reqid(parsed));
  out.mode = mode_text(xfrmnl_sa_get_mode(parsed));
  if (const auto encap = attribute<xfrm_usersa_info, xfrm_encap_tmpl>(message, XFRMA_ENCAP)) {
    out.encap_source_port = ntohs(encap->encap_sport);
    out.encap_destination_port = ntohs(encap->encap_dport);
  }
  if (KernelMark mark; xfrmnl_sa_get_mark(parsed, &mark.mask, &mark.value) == 0 && mark != KernelMark{})
    out.mark = mark;
  if (const auto value = attribute<xfrm_usersa_info, std::uint32_t>(message, XFRMA_SET_MARK)) {
    const auto mask = attribute<xfrm_usersa_info, std::uint32_t>(message, XFRMA_SET_MARK_MASK);
    out.output_mark = KernelMark{*value, mask.value_or(0xffffffff)};
  }
  out.if_id = attribute<xfrm_usersa_info, std::uint32_t>(message, XFRMA_IF_ID);
  out.selector = selector_from(xfrmnl_sa_get_sel(parsed));
  read_algorithms(parsed, out);
  out.replay_window = static_cast<std::uint32_t>(std::max(0, xfrmnl_sa_get_replay_window(parsed)));
  if (xfrm_replay_state_esn esn; read_attribute<xfrm_usersa_info>(message, XFRMA_REPLAY_ESN_VAL, esn)) {
    out.replay_window = esn.replay_window;
    out.newest = std::uint64_t{esn.seq_hi} << 32 | esn.seq;
  } else if (const auto old = attribute<xfrm_usersa_info, xfrm_replay_state>(message, XFRMA_REPLAY_VAL)) {
    out.newest = old->seq;
  }
  read_counters(parsed, out);
  return out;
}

std::optional<KernelPolicy> policy_from(nlmsghdr& message) {
  if (message.nlmsg_type != XFRM_MSG_NEWPOLICY || nlmsg_datalen(&message) < int{sizeof(xfrm_userpolicy_info)})
    return std::nullopt;
  xfrmnl_sp* parsed = nullptr;
  if (xfrmnl_sp_parse(&message, &parsed) < 0) return std::nullopt;
  const ParsedPolicy owner(parsed);
  KernelPolicy out;
  out.index = static_cast<std::uint32_t>(xfrmnl_sp_get_index(parsed));
  read_direction(static_cast<unsigned>(xfrmnl_sp_get_dir(parsed)), out);
  out.action = xfrmnl_sp_get_action(parsed) == XFRM_POLICY_BLOCK ? "block" : "allow";
  out.priority = static_cast<std::uint32_t>(xfrmnl_sp_get_priority(parsed));
  if (KernelMark mark; xfrmnl_sp_get_mark(parsed, &mark.mask, &mark.value) == 0 && mark != KernelMark{})
    out.mark = mark;
  out.if_id = attribute<xfrm_userpolicy_info, std::uint32_t>(message, XFRMA_IF_ID);
  out.selector = selector_from(xfrmnl_sp_get_sel(parsed));
  for (int i = 0; i < xfrmnl_sp_get_nusertemplates(parsed); ++i)
    out.templates.push_back(template_from(xfrmnl_sp_usertemplate_n(parsed, i)));
  return out;
}

FromKernel<KernelSa> read_sas() { return list(XFRM_MSG_GETSA, sa_from, "SAs"); }
FromKernel<KernelPolicy> read_policies() { return list(XFRM_MSG_GETPOLICY, policy_from, "policies"); }

}  // namespace xfrmctl
