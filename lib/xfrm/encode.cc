#include "xfrm/encode.h"

#include <algorithm>

#include <linux/udp.h>

#include "xfrm/kernel_format.h"

namespace xfrm {

namespace {

using namespace std::chrono_literals;

xfrm_selector to_kernel(const Selector& selector) {
  xfrm_selector out{};
  out.saddr = address_to_kernel(selector.source.network);
  out.prefixlen_s = selector.source.length;
  out.daddr = address_to_kernel(selector.destination.network);
  out.prefixlen_d = selector.destination.length;
  out.family = static_cast<std::uint16_t>(selector.source.network.family());
  out.proto = selector.protocol;
  if (selector.source_port) {
    out.sport = htons(*selector.source_port);
    out.sport_mask = 0xffff;
  }
  if (selector.destination_port) {
    out.dport = htons(*selector.destination_port);
    out.dport_mask = 0xffff;
  }
  return out;
}

// "Unlimited" is all ones for bytes and packets but zero for seconds; zero bytes means "used up".
std::uint64_t seconds_to_kernel(std::optional<std::chrono::seconds> time) {
  if (!time) return 0;
  return static_cast<std::uint64_t>(std::max<std::chrono::seconds::rep>(time->count(), 1));
}

xfrm_lifetime_cfg to_kernel(const Lifetimes& lifetimes) {
  xfrm_lifetime_cfg out{};
  out.soft_byte_limit = lifetimes.soft.bytes.value_or(XFRM_INF);
  out.hard_byte_limit = lifetimes.hard.bytes.value_or(XFRM_INF);
  out.soft_packet_limit = lifetimes.soft.packets.value_or(XFRM_INF);
  out.hard_packet_limit = lifetimes.hard.packets.value_or(XFRM_INF);
  out.soft_add_expires_seconds = seconds_to_kernel(lifetimes.soft.time);
  out.hard_add_expires_seconds = seconds_to_kernel(lifetimes.hard.time);
  return out;
}

template <class Kernel>
Kernel algorithm_header(std::string_view name, std::size_t key_bytes) {
  Kernel out{};
  std::memcpy(out.alg_name, name.data(), std::min(name.size(), sizeof out.alg_name - 1));
  out.alg_key_len = static_cast<unsigned>(key_bytes * 8);
  return out;
}

void put_transform(nl::Request& request, const EspTransform& transform) {
  for (const auto& cipher : ciphers) {
    if (cipher.kind != transform.encryption) continue;
    const auto key = transform.encryption_key.view();
    if (cipher.check_bits == 0) {
      request.attr_with_tail(XFRMA_ALG_CRYPT, algorithm_header<xfrm_algo>(cipher.name, key.size()), key);
    } else {
      auto aead = algorithm_header<xfrm_algo_aead>(cipher.name, key.size());
      aead.alg_icv_len = cipher.check_bits;
      request.attr_with_tail(XFRMA_ALG_AEAD, aead, key);
    }
  }
  for (const auto& digest : digests) {
    if (digest.kind != transform.integrity) continue;
    const auto key = transform.integrity_key.view();
    auto auth = algorithm_header<xfrm_algo_auth>(digest.name, key.size());
    auth.alg_trunc_len = digest.check_bits;
    request.attr_with_tail(XFRMA_ALG_AUTH_TRUNC, auth, key);
  }
}

// The 32-bit window of struct xfrm_usersa_info ends at 32; the bitmap attribute carries larger ones, and
// without XFRM_STATE_ESN sequence numbers stay 32 bits wide, as IKEv1 negotiated them.
void put_replay_state(nl::Request& request, xfrm_usersa_info& info, std::uint32_t window,
                      std::uint32_t sent) {
  window = std::min<std::uint32_t>(window, XFRMA_REPLAY_ESN_MAX);
  if (window <= 32) {
    info.replay_window = static_cast<std::uint8_t>(window);
    request.header(info);
    if (sent != 0) request.attr(XFRMA_REPLAY_VAL, xfrm_replay_state{.oseq = sent, .seq = 0, .bitmap = 0});
    return;
  }
  request.header(info);
  xfrm_replay_state_esn state{};
  state.replay_window = window;
  state.oseq = sent;
  state.bmp_len = (window + 31) / 32;
  const base::Bytes bitmap(std::size_t{state.bmp_len} * 4);
  request.attr_with_tail(XFRMA_REPLAY_ESN_VAL, state, bitmap);
}

void put_mark(nl::Request& request, const std::optional<MaskedMark>& mark) {
  if (mark) request.attr(XFRMA_MARK, xfrm_mark{.v = mark->value, .m = mark->mask});
}

void put_options(nl::Request& request, const Sa& sa) {
  if (sa.encap) {
    xfrm_encap_tmpl encap{};
    encap.encap_type = UDP_ENCAP_ESPINUDP;
    encap.encap_sport = htons(sa.encap->source_port);
    encap.encap_dport = htons(sa.encap->destination_port);
    request.attr(XFRMA_ENCAP, encap);
  }
  put_mark(request, sa.mark);
  if (sa.set_mark) {
    request.attr(XFRMA_SET_MARK, sa.set_mark->value);
    request.attr(XFRMA_SET_MARK_MASK, sa.set_mark->mask);
  }
  if (sa.mapping_interval) {
    request.attr(XFRMA_MTIMER_THRESH, static_cast<std::uint32_t>(sa.mapping_interval->count()));
  }
}

void put_carried(nl::Request& request, const SaStatistics& carried) {
  const auto seconds = [](std::chrono::seconds time) { return static_cast<std::uint64_t>(time.count()); };
  if (carried.added.count() == 0) return;
  request.attr(XFRMA_LTIME_VAL, xfrm_lifetime_cur{.bytes = carried.bytes,
                                                  .packets = carried.packets,
                                                  .add_time = seconds(carried.added),
                                                  .use_time = seconds(carried.used.value_or(0s))});
}

std::uint8_t to_kernel(Mode mode) {
  switch (mode) {
    case Mode::tunnel: return XFRM_MODE_TUNNEL;
    case Mode::beet: return XFRM_MODE_BEET;
    case Mode::transport:
    case Mode::other: break;
  }
  return XFRM_MODE_TRANSPORT;
}

nl::Request sa_request(std::uint16_t type, std::uint16_t flags, const Sa& sa,
                       const SaStatistics& carried = {}) {
  xfrm_usersa_info info{};
  info.sel = to_kernel(sa.selector);
  info.id.daddr = address_to_kernel(sa.destination);
  info.id.spi = htonl(sa.spi.value);
  info.id.proto = protocol_esp;
  info.saddr = address_to_kernel(sa.source);
  info.lft = to_kernel(sa.lifetimes);
  info.reqid = sa.reqid.value;
  info.family = static_cast<std::uint16_t>(sa.destination.family());
  info.mode = to_kernel(sa.mode);
  nl::Request request(type, flags);
  put_replay_state(request, info, sa.replay_window, carried.sent);
  put_transform(request, sa.transform);
  put_options(request, sa);
  put_carried(request, carried);
  return request;
}

nl::Request id_request(std::uint16_t type, std::uint16_t flags, const SaId& id) {
  xfrm_usersa_id name{};
  name.daddr = address_to_kernel(id.destination);
  name.spi = htonl(id.spi.value);
  name.family = static_cast<std::uint16_t>(id.destination.family());
  name.proto = id.protocol;
  nl::Request request(type, flags);
  request.header(name);
  put_mark(request, id.mark);
  return request;
}

std::uint8_t to_kernel(Direction direction) {
  switch (direction) {
    case Direction::in: return XFRM_POLICY_IN;
    case Direction::forward: return XFRM_POLICY_FWD;
    case Direction::out: break;
  }
  return XFRM_POLICY_OUT;
}

nl::Request policy_request(std::uint16_t type, std::uint16_t flags, const Policy& policy) {
  xfrm_userpolicy_info info{};
  info.sel = to_kernel(policy.selector);
  info.lft = to_kernel(Lifetimes{});
  info.priority = policy.priority;
  info.dir = to_kernel(policy.direction);
  info.action = XFRM_POLICY_ALLOW;
  nl::Request request(type, flags);
  request.header(info);
  // In transport mode the template's addresses are the packet's own; zero leaves them open.
  xfrm_user_tmpl esp{};
  esp.id.proto = protocol_esp;
  esp.family = info.sel.family;
  esp.reqid = policy.reqid.value;
  esp.mode = to_kernel(policy.outer ? Mode::beet : Mode::transport);
  if (policy.outer) {
    esp.saddr = address_to_kernel(policy.outer->source);
    esp.id.daddr = address_to_kernel(policy.outer->destination);
  }
  esp.aalgos = esp.ealgos = esp.calgos = ~std::uint32_t{0};
  request.attr(XFRMA_TMPL, esp);
  put_mark(request, policy.mark);
  return request;
}

}  // namespace

nl::Request add_sa(const Sa& sa, const SaStatistics& carried) {
  return sa_request(XFRM_MSG_NEWSA, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, sa, carried);
}
nl::Request update_sa(const Sa& sa) { return sa_request(XFRM_MSG_UPDSA, NLM_F_ACK, sa); }
nl::Request delete_sa(const SaId& id) { return id_request(XFRM_MSG_DELSA, NLM_F_ACK, id); }
nl::Request get_sa(const SaId& id) { return id_request(XFRM_MSG_GETSA, 0, id); }
nl::Request dump_sas() { return nl::Request(XFRM_MSG_GETSA, NLM_F_DUMP); }

nl::Request add_policy(const Policy& policy) {
  return policy_request(XFRM_MSG_NEWPOLICY, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, policy);
}
nl::Request update_policy(const Policy& policy) {
  return policy_request(XFRM_MSG_UPDPOLICY, NLM_F_ACK, policy);
}
nl::Request delete_policy(const PolicyId& id) {
  xfrm_userpolicy_id name{};
  name.sel = to_kernel(id.selector);
  name.dir = to_kernel(id.direction);
  nl::Request request(XFRM_MSG_DELPOLICY, NLM_F_ACK);
  request.header(name);
  put_mark(request, id.mark);
  return request;
}
nl::Request dump_policies() { return nl::Request(XFRM_MSG_GETPOLICY, NLM_F_DUMP); }

}  // namespace xfrm
