#include "xfrm/decode.h"

#include <array>

#include "xfrm/kernel_format.h"

namespace xfrm {

namespace {

std::uint16_t host(std::uint16_t big_endian) { return ntohs(big_endian); }

/// The attributes behind the structure `Fixed`, which the kernel pads to 4.
template <class Fixed>
std::optional<nl::Attributes> attributes_after(base::ByteView payload) {
  return nl::Attributes::parse(
      payload.subspan(std::min<std::size_t>(MNL_ALIGN(sizeof(Fixed)), payload.size())));
}

std::optional<base::Prefix> prefix_of(const xfrm_address_t& address, std::uint8_t length,
                                      std::uint16_t family) {
  const auto whole = address_from_kernel(address, family);
  if (!whole || length > whole->bytes().size() * 8) return std::nullopt;
  auto bytes = base::to_bytes(whole->bytes());
  for (std::size_t bit = length; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] & ~(0x80U >> bit % 8));
  }
  return base::Prefix{.network = *base::Address::from_bytes(bytes), .length = length};
}

/// `family` where the selector does not say: an SA without a selector of its own.
std::optional<Selector> selector_of(const xfrm_selector& in, std::uint16_t family) {
  if (in.family != AF_UNSPEC) family = in.family;
  const auto source = prefix_of(in.saddr, in.prefixlen_s, family);
  const auto destination = prefix_of(in.daddr, in.prefixlen_d, family);
  if (!source || !destination) return std::nullopt;
  Selector out{.source = *source,
               .destination = *destination,
               .protocol = in.proto,
               .source_port = {},
               .destination_port = {}};
  if (in.sport_mask != 0) out.source_port = host(in.sport);
  if (in.dport_mask != 0) out.destination_port = host(in.dport);
  return out;
}

std::optional<std::uint64_t> limit_of(std::uint64_t value) {
  if (value == XFRM_INF) return std::nullopt;
  return value;
}

std::optional<std::chrono::seconds> time_limit_of(std::uint64_t value) {
  constexpr auto most = static_cast<std::uint64_t>(std::chrono::seconds::max().count());
  if (value == 0 || value > most) return std::nullopt;
  return std::chrono::seconds(value);
}

Lifetimes lifetimes_of(const xfrm_lifetime_cfg& in) {
  return {.soft = {.bytes = limit_of(in.soft_byte_limit),
                   .packets = limit_of(in.soft_packet_limit),
                   .time = time_limit_of(in.soft_add_expires_seconds)},
          .hard = {.bytes = limit_of(in.hard_byte_limit),
                   .packets = limit_of(in.hard_packet_limit),
                   .time = time_limit_of(in.hard_add_expires_seconds)}};
}

std::uint64_t newest_of(const nl::Attributes& attributes) {
  xfrm_replay_state_esn replay;
  if (nl::copy_head(attributes.get(XFRMA_REPLAY_ESN_VAL), replay))
    return std::uint64_t{replay.seq_hi} << 32 | replay.seq;
  return attributes.get_as<xfrm_replay_state>(XFRMA_REPLAY_VAL).value_or(xfrm_replay_state{}).seq;
}

std::uint32_t sent_of(const nl::Attributes& attributes) {
  xfrm_replay_state_esn replay;
  if (nl::copy_head(attributes.get(XFRMA_REPLAY_ESN_VAL), replay)) return replay.oseq;
  return attributes.get_as<xfrm_replay_state>(XFRMA_REPLAY_VAL).value_or(xfrm_replay_state{}).oseq;
}

SaStatistics statistics_of(const xfrm_usersa_info& info, const nl::Attributes& attributes) {
  SaStatistics out{.bytes = info.curlft.bytes,
                   .packets = info.curlft.packets,
                   .added = time_limit_of(info.curlft.add_time).value_or(std::chrono::seconds{0}),
                   .used = time_limit_of(info.curlft.use_time),
                   .outside_window = info.stats.replay_window,
                   .replayed = info.stats.replay,
                   .integrity_failed = info.stats.integrity_failed,
                   .newest = newest_of(attributes),
                   .sent = sent_of(attributes)};
  return out;
}

std::optional<MaskedMark> mark_of(const nl::Attributes& attributes) {
  const auto mark = attributes.get_as<xfrm_mark>(XFRMA_MARK);
  if (!mark || (mark->v == 0 && mark->m == 0)) return std::nullopt;
  return MaskedMark{.value = mark->v, .mask = mark->m};
}

struct KeyedAlgorithm {
  std::string_view name;
  unsigned check_bits = 0;
  base::ByteView key;
};

unsigned check_bits_of(const xfrm_algo&) { return 0; }
unsigned check_bits_of(const xfrm_algo_aead& aead) { return aead.alg_icv_len; }
unsigned check_bits_of(const xfrm_algo_auth& auth) { return auth.alg_trunc_len; }

/// `bytes` is the attribute: name, lengths, key. The result borrows from it.
template <class Kernel>
std::optional<KeyedAlgorithm> keyed_algorithm(base::ByteView bytes) {
  Kernel header;
  if (!nl::copy_head(bytes, header)) return std::nullopt;
  const std::size_t key_bytes = (std::size_t{header.alg_key_len} + 7) / 8;
  if (key_bytes > bytes.size() - sizeof(Kernel)) return std::nullopt;
  const auto name = base::as_text(bytes.first(sizeof header.alg_name));
  return KeyedAlgorithm{.name = name.substr(0, name.find('\0')),
                        .check_bits = check_bits_of(header),
                        .key = bytes.subspan(sizeof(Kernel), key_bytes)};
}

Encryption cipher_named(std::string_view name, unsigned check_bits) {
  for (const auto& cipher : ciphers) {
    if (cipher.name == name && cipher.check_bits == check_bits) return cipher.kind;
  }
  return Encryption::other;
}

Integrity digest_named(std::string_view name, unsigned check_bits) {
  for (const auto& digest : digests) {
    if (digest.name == name && digest.check_bits == check_bits) return digest.kind;
  }
  return Integrity::other;
}

std::optional<EspTransform> transform_of(const nl::Attributes& attributes) {
  EspTransform out{.encryption = Encryption::other,
                   .encryption_key = {},
                   .integrity = Integrity::none,
                   .integrity_key = {}};
  if (attributes.has(XFRMA_ALG_CRYPT)) {
    const auto cipher = keyed_algorithm<xfrm_algo>(attributes.get(XFRMA_ALG_CRYPT));
    if (!cipher) return std::nullopt;
    out.encryption = cipher_named(cipher->name, 0);
    out.encryption_key = base::Secret::copy_of(cipher->key);
  } else if (attributes.has(XFRMA_ALG_AEAD)) {
    const auto aead = keyed_algorithm<xfrm_algo_aead>(attributes.get(XFRMA_ALG_AEAD));
    if (!aead) return std::nullopt;
    out.encryption = cipher_named(aead->name, aead->check_bits);
    out.encryption_key = base::Secret::copy_of(aead->key);
  }
  if (attributes.has(XFRMA_ALG_AUTH_TRUNC)) {
    const auto auth = keyed_algorithm<xfrm_algo_auth>(attributes.get(XFRMA_ALG_AUTH_TRUNC));
    if (!auth) return std::nullopt;
    out.integrity = digest_named(auth->name, auth->check_bits);
    out.integrity_key = base::Secret::copy_of(auth->key);
  }
  return out;
}

Mode mode_of(std::uint8_t mode) {
  switch (mode) {
    case XFRM_MODE_TRANSPORT: return Mode::transport;
    case XFRM_MODE_TUNNEL: return Mode::tunnel;
    case XFRM_MODE_BEET: return Mode::beet;
    default: return Mode::other;
  }
}

void read_options(Sa& sa, const nl::Attributes& attributes) {
  sa.mark = mark_of(attributes);
  if (const auto encap = attributes.get_as<xfrm_encap_tmpl>(XFRMA_ENCAP)) {
    sa.encap = Encap{.source_port = host(encap->encap_sport), .destination_port = host(encap->encap_dport)};
  }
  if (const auto value = attributes.get_as<std::uint32_t>(XFRMA_SET_MARK)) {
    // Without a mask (iproute2 before 5.0) all bits are set.
    const auto mask = attributes.get_as<std::uint32_t>(XFRMA_SET_MARK_MASK).value_or(0xffffffff);
    sa.set_mark = MaskedMark{.value = *value, .mask = mask};
  }
  if (const auto interval = attributes.get_as<std::uint32_t>(XFRMA_MTIMER_THRESH)) {
    sa.mapping_interval = std::chrono::seconds(*interval);
  }
  xfrm_replay_state_esn replay;
  if (nl::copy_head(attributes.get(XFRMA_REPLAY_ESN_VAL), replay)) {
    sa.replay_window = std::min<std::uint32_t>(replay.replay_window, XFRMA_REPLAY_ESN_MAX);
  }
}

std::optional<Direction> direction_of(std::uint8_t direction) {
  switch (direction) {
    case XFRM_POLICY_IN: return Direction::in;
    case XFRM_POLICY_OUT: return Direction::out;
    case XFRM_POLICY_FWD: return Direction::forward;
    default: return std::nullopt;
  }
}

/// Where in BEET mode what it asks for leads; unset unless both are told.
std::optional<Ends> outer_of(const xfrm_user_tmpl& esp) {
  const auto source = address_from_kernel(esp.saddr, esp.family);
  const auto destination = address_from_kernel(esp.id.daddr, esp.family);
  if (!source || !destination) return std::nullopt;
  return Ends{.source = *source, .destination = *destination};
}

std::optional<Event> decode_mapping(const nl::Message& message) {
  const auto in = nl::pod<xfrm_user_mapping>(message.payload);
  if (!in) return std::nullopt;
  const auto destination = address_from_kernel(in->id.daddr, in->id.family);
  const auto old_source = address_from_kernel(in->old_saddr, in->id.family);
  const auto new_source = address_from_kernel(in->new_saddr, in->id.family);
  if (!destination || !old_source || !new_source) return std::nullopt;
  return Mapping{.sa = {.destination = *destination,
                        .spi = Spi(ntohl(in->id.spi)),
                        .protocol = in->id.proto,
                        .mark = {}},
                 .reqid = Reqid(in->reqid),
                 .old_source = {*old_source, host(in->old_sport)},
                 .new_source = {*new_source, host(in->new_sport)}};
}

std::optional<Event> decode_expire(const nl::Message& message) {
  const auto in = nl::pod<xfrm_user_expire>(message.payload);
  const auto attributes = attributes_after<xfrm_user_expire>(message.payload);
  if (!in || !attributes) return std::nullopt;
  const auto destination = address_from_kernel(in->state.id.daddr, in->state.family);
  if (!destination) return std::nullopt;
  return Expire{.sa = {.destination = *destination,
                       .spi = Spi(ntohl(in->state.id.spi)),
                       .protocol = in->state.id.proto,
                       .mark = mark_of(*attributes)},
                .reqid = Reqid(in->state.reqid),
                .hard = in->hard != 0};
}

std::optional<Event> decode_acquire(const nl::Message& message) {
  const auto in = nl::pod<xfrm_user_acquire>(message.payload);
  const auto attributes = attributes_after<xfrm_user_acquire>(message.payload);
  if (!in || !attributes) return std::nullopt;
  const auto selector = selector_of(in->sel, in->policy.sel.family);
  if (!selector) return std::nullopt;
  const auto family = static_cast<std::uint16_t>(selector->source.network.family());
  const auto source = address_from_kernel(in->saddr, family);
  const auto destination = address_from_kernel(in->id.daddr, family);
  const auto wanted = attributes->get_as<xfrm_user_tmpl>(XFRMA_TMPL);
  if (!source || !destination) return std::nullopt;
  return Acquire{.source = *source,
                 .destination = *destination,
                 .selector = *selector,
                 .reqid = Reqid(wanted ? wanted->reqid : 0),
                 .mark = mark_of(*attributes)};
}

}  // namespace

std::optional<InstalledSa> decode_sa(const nl::Message& message) {
  if (message.type != XFRM_MSG_NEWSA) return std::nullopt;
  const auto info = nl::pod<xfrm_usersa_info>(message.payload);
  const auto attributes = attributes_after<xfrm_usersa_info>(message.payload);
  if (!info || !attributes || info->id.proto != protocol_esp) return std::nullopt;
  const auto source = address_from_kernel(info->saddr, info->family);
  const auto destination = address_from_kernel(info->id.daddr, info->family);
  const auto selector = selector_of(info->sel, info->family);
  auto transform = transform_of(*attributes);
  if (!source || !destination || !selector || !transform) return std::nullopt;

  InstalledSa out;
  out.sa.source = *source;
  out.sa.destination = *destination;
  out.sa.spi = Spi(ntohl(info->id.spi));
  out.sa.reqid = Reqid(info->reqid);
  out.sa.mode = mode_of(info->mode);
  out.sa.selector = *selector;
  out.sa.transform = std::move(*transform);
  out.sa.replay_window = std::min<std::uint32_t>(info->replay_window, 32);
  out.sa.lifetimes = lifetimes_of(info->lft);
  read_options(out.sa, *attributes);
  out.statistics = statistics_of(*info, *attributes);
  return out;
}

std::optional<Policy> decode_policy(const nl::Message& message) {
  if (message.type != XFRM_MSG_NEWPOLICY) return std::nullopt;
  const auto info = nl::pod<xfrm_userpolicy_info>(message.payload);
  const auto attributes = attributes_after<xfrm_userpolicy_info>(message.payload);
  if (!info || !attributes) return std::nullopt;
  const auto selector = selector_of(info->sel, AF_UNSPEC);
  const auto direction = direction_of(info->dir);
  const auto esp = attributes->get_as<xfrm_user_tmpl>(XFRMA_TMPL);
  if (!selector || !direction || !esp || info->action != XFRM_POLICY_ALLOW) return std::nullopt;
  if (esp->id.proto != protocol_esp) return std::nullopt;
  const auto mode = mode_of(esp->mode);
  const auto outer = mode == Mode::beet ? outer_of(*esp) : std::nullopt;
  if (mode != Mode::transport && !outer) return std::nullopt;
  return Policy{.selector = *selector,
                .direction = *direction,
                .mark = mark_of(*attributes),
                .reqid = Reqid(esp->reqid),
                .priority = info->priority,
                .outer = outer};
}

std::optional<Event> decode_event(const nl::Message& message) {
  switch (message.type) {
    case XFRM_MSG_MAPPING: return decode_mapping(message);
    case XFRM_MSG_EXPIRE: return decode_expire(message);
    case XFRM_MSG_ACQUIRE: return decode_acquire(message);
    default: return std::nullopt;
  }
}

}  // namespace xfrm
