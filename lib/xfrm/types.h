#pragma once
// Security associations and policies as values. All numbers are in host byte order; the encoder turns
// them into the kernel's mixture.

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>

#include "base/address.h"
#include "base/id.h"
#include "base/secret.h"

namespace xfrm {

/// A security parameter index (RFC 4303 §2.1); 1 to 255 are reserved, 0 is never on the wire.
using Spi = base::Id<struct SpiTag, std::uint32_t>;
/// Ties the SAs of one peer to its policy; 0 means "any" in a policy and "none" in an SA.
using Reqid = base::Id<struct ReqidTag, std::uint32_t>;

/// IPPROTO_ESP: the only IPsec protocol we speak.
inline constexpr std::uint8_t protocol_esp = 50;

/// As a lookup key it matches where `(skb mark & mask) == value`; as a set-mark it replaces the bits of
/// `mask` by `value` and leaves the others alone.
struct MaskedMark {
  std::uint32_t value = 0;
  std::uint32_t mask = 0;

  auto operator<=>(const MaskedMark&) const = default;
};

/// Which packets an SA admits or a policy concerns. Source and destination are those of the packet.
struct Selector {
  base::Prefix source;
  base::Prefix destination;
  /// IPPROTO_UDP, …; 0 is any.
  std::uint8_t protocol = 0;
  /// None is any; a port needs a protocol that has ports.
  std::optional<std::uint16_t> source_port;
  std::optional<std::uint16_t> destination_port;

  auto operator<=>(const Selector&) const = default;
};

/// ESP in UDP (RFC 3948): the ports of the packets of this SA, as this SA's direction sees them.
struct Encap {
  std::uint16_t source_port = 4500;
  std::uint16_t destination_port = 4500;

  auto operator<=>(const Encap&) const = default;
};

/// None is unlimited. Soft raises Expire{hard = false} once, hard deletes the SA. Seconds count from
/// installation, at least one. Zero bytes or packets are a limit too: it is reached at once.
struct Limits {
  std::optional<std::uint64_t> bytes;
  std::optional<std::uint64_t> packets;
  std::optional<std::chrono::seconds> time;

  auto operator<=>(const Limits&) const = default;
};

struct Lifetimes {
  Limits soft;
  Limits hard;

  auto operator<=>(const Lifetimes&) const = default;
};

/// `other` comes from the kernel only (an SA of somebody else) and is never installed.
enum class Encryption : std::uint8_t { null, des3_cbc, aes_cbc, aes_gcm_16, other };
enum class Integrity : std::uint8_t {
  none,
  hmac_md5_96,
  hmac_sha1_96,
  hmac_sha2_256_128,
  hmac_sha2_384_192,
  hmac_sha2_512_256,
  other
};

/// An ESP transform with its keys. Key lengths choose among AES-128, -192 and -256.
struct EspTransform {
  Encryption encryption = Encryption::null;
  /// For aes_gcm_16 the key followed by the 4-byte salt, as RFC 4106 §8.1 cuts it from KEYMAT.
  base::Secret encryption_key;
  /// `none` with aes_gcm_16 only (an AEAD).
  Integrity integrity = Integrity::none;
  base::Secret integrity_key;

  EspTransform clone() const {
    return {.encryption = encryption,
            .encryption_key = encryption_key.clone(),
            .integrity = integrity,
            .integrity_key = integrity_key.clone()};
  }
};

/// beet (bound end-to-end tunnel): packets leave as in transport mode, byte for byte, but with the SA's
/// addresses in place of their own, which are those of its selector.
enum class Mode : std::uint8_t { transport, tunnel, beet, other };

/// One direction of an IPsec connection. Move-only: it holds keys.
struct Sa {
  base::Address source;
  base::Address destination;
  Spi spi;
  Reqid reqid;
  Mode mode = Mode::transport;
  /// Inner packets outside it are dropped on input (XfrmInStateMismatch), policy or not.
  Selector selector;
  EspTransform transform;
  /// In packets, at most 4096; 0 switches replay protection off.
  std::uint32_t replay_window = 128;
  std::optional<Encap> encap;
  /// Lookup mark (XFRMA_MARK): part of the SA's name. None on our inbound SAs.
  std::optional<MaskedMark> mark;
  /// Stamped on every packet that left the SA (XFRMA_SET_MARK with its mask).
  std::optional<MaskedMark> set_mark;
  Lifetimes lifetimes;
  /// At most one Mapping event in this time (XFRMA_MTIMER_THRESH); whole seconds, inbound SAs with encap
  /// only. None: one for each packet.
  std::optional<std::chrono::seconds> mapping_interval;

  Sa clone() const {
    return {.source = source,
            .destination = destination,
            .spi = spi,
            .reqid = reqid,
            .mode = mode,
            .selector = selector,
            .transform = transform.clone(),
            .replay_window = replay_window,
            .encap = encap,
            .mark = mark,
            .set_mark = set_mark,
            .lifetimes = lifetimes,
            .mapping_interval = mapping_interval};
  }
};

/// What names an SA to the kernel.
struct SaId {
  base::Address destination;
  Spi spi;
  std::uint8_t protocol = protocol_esp;
  std::optional<MaskedMark> mark;

  auto operator<=>(const SaId&) const = default;
};

inline SaId id_of(const Sa& sa) {
  return {.destination = sa.destination, .spi = sa.spi, .protocol = protocol_esp, .mark = sa.mark};
}

enum class Direction : std::uint8_t { in, out, forward };

/// The addresses on the outside of an SA.
struct Ends {
  base::Address source;
  base::Address destination;

  auto operator<=>(const Ends&) const = default;
};

/// "Packets of this selector and mark need ESP by an SA of this reqid."
struct Policy {
  Selector selector;
  Direction direction = Direction::out;
  std::optional<MaskedMark> mark;
  /// Of the template.
  Reqid reqid;
  /// Lower numbers win.
  std::uint32_t priority = 0;
  /// In BEET mode, by an SA with these addresses; none: in transport mode, by one with the packet's own.
  std::optional<Ends> outer = {};

  auto operator<=>(const Policy&) const = default;
};

/// What names a policy to the kernel.
struct PolicyId {
  Selector selector;
  Direction direction = Direction::out;
  std::optional<MaskedMark> mark;

  auto operator<=>(const PolicyId&) const = default;
};

inline PolicyId id_of(const Policy& policy) {
  return {.selector = policy.selector, .direction = policy.direction, .mark = policy.mark};
}

/// Counters of an SA since its installation.
struct SaStatistics {
  std::uint64_t bytes = 0;
  std::uint64_t packets = 0;
  /// Seconds of the wall clock (Unix time); `used` is none before the first packet.
  std::chrono::seconds added{0};
  std::optional<std::chrono::seconds> used;
  /// Packets outside the replay window, repeated packets, packets that failed their integrity check.
  std::uint32_t outside_window = 0;
  std::uint32_t replayed = 0;
  std::uint32_t integrity_failed = 0;
  /// The greatest sequence number of what came in; 0 where nothing has, and of outbound SAs.
  std::uint64_t newest = 0;
  /// The last sequence number of what went out; 0 where nothing has, and of inbound SAs.
  std::uint32_t sent = 0;

  /// Who sends counts from 1 without a gap (RFC 4303 §3.3.3), so this is what did not arrive, or not within
  /// the replay window. What is only late is among it until it comes.
  std::uint64_t lost() const { return newest > packets ? newest - packets : 0; }

  auto operator<=>(const SaStatistics&) const = default;
};

/// An SA as the kernel lists it, keys included.
struct InstalledSa {
  Sa sa;
  SaStatistics statistics;
};

// Events ------------------------------------------------------------------------------------------

/// An authentic packet of this inbound SA came from somewhere else: the peer's NAT gave it a new port or
/// address (kernel.md §5).
struct Mapping {
  SaId sa;
  Reqid reqid;
  base::Endpoint old_source;
  base::Endpoint new_source;

  auto operator<=>(const Mapping&) const = default;
};

/// A soft limit was reached (rekey), or a hard one and the SA is gone.
struct Expire {
  SaId sa;
  Reqid reqid;
  bool hard = false;

  auto operator<=>(const Expire&) const = default;
};

/// A packet wants an SA that a policy asks for and that is not there.
struct Acquire {
  base::Address source;
  base::Address destination;
  /// Of the packet.
  Selector selector;
  Reqid reqid;
  std::optional<MaskedMark> mark;

  auto operator<=>(const Acquire&) const = default;
};

}  // namespace xfrm
