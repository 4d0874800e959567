#pragma once
// The SA payload: what the initiator offers in either phase, and the one transform we answer with.

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "ike/authentication.h"
#include "ike/proposal.h"
#include "ike/v1/payload.h"

namespace ike::v1 {

/// A data attribute (RFC 2408 §3.3). Values beyond 8 bytes are kept as bytes only.
struct Attribute {
  std::uint16_t type = 0;
  bool basic = false;  ///< the AF bit: type/value of two bytes
  ByteView value;
  /// The value as a number, when it is of at most 8 bytes.
  std::optional<std::uint64_t> number() const;
};

struct Transform {
  std::uint8_t number = 0;
  std::uint8_t id = 0;
  std::vector<Attribute> attributes;
  ByteView raw_attributes;
};

struct Proposal {
  std::uint8_t number = 0;
  std::uint8_t protocol = 0;
  ByteView spi;
  std::vector<Transform> transforms;
};

struct SaPayload {
  std::uint32_t doi = 0;
  std::uint32_t situation = 0;
  std::vector<Proposal> proposals;
};

inline constexpr std::size_t most_transforms = 256;
Decoded<SaPayload> decode_sa(ByteView body);
Bytes encode_sa(const SaPayload& sa);

/// Attribute numbers of phase 1 (RFC 2409 Appendix A) and of the IPsec DOI (RFC 2407 §4.5).
namespace ike_attribute {
inline constexpr std::uint16_t encryption = 1, hash = 2, authentication = 3, group = 4, life_type = 11,
                               life_duration = 12, key_length = 14;
}
namespace esp_attribute {
inline constexpr std::uint16_t life_type = 1, life_duration = 2, group = 3, encapsulation = 4,
                               authentication = 5, key_length = 6, esn = 11;
}

/// Encapsulation Mode (RFC 2407 §4.5, RFC 3947 §5.1, draft-ietf-ipsec-nat-t-ike-03 §5.1).
enum class EncapsulationMode : std::uint16_t {
  tunnel = 1,
  transport = 2,
  udp_tunnel = 3,
  udp_transport = 4,
  udp_tunnel_draft = 61443,
  udp_transport_draft = 61444
};

/// A phase 1 transform that we accept, and what it asks for beside the algorithms.
struct IkeOffer {
  IkeTransform transform;
  AuthMethod authentication = AuthMethod::psk;
  std::optional<std::chrono::seconds> lifetime;
  Proposal proposal;  ///< of the one transform, ready to be echoed
};
/// The first of `acceptable` that the initiator offers with one of `methods`, and the first of these: our
/// order, not its.
std::optional<IkeOffer> choose(const SaPayload& offered, const std::vector<IkeTransform>& acceptable,
                               const std::vector<AuthMethod>& methods = {AuthMethod::psk});

struct EspOffer {
  EspSuite suite;
  xfrm::Spi spi;  ///< of the initiator's inbound SA
  std::optional<std::chrono::seconds> lifetime;
  std::optional<std::uint64_t> kilobytes;
  std::optional<crypto::Group> group;  ///< PFS
  EncapsulationMode mode;              ///< as it is offered
  Proposal proposal;                   ///< of the one transform
};
/// Only ESP in `mode`, where in UDP the drafts' number is as good as RFC 3947's; AH, IPCOMP beside it, DES,
/// NULL and 64-bit sequence numbers are passed over.
std::optional<EspOffer> choose(const SaPayload& offered, const std::vector<EspSuite>& acceptable,
                               EncapsulationMode mode);

/// A phase 1 or phase 2 transform as a proposal payload's contents, for those who initiate (tests) and
/// for the round trip. The bytes live in `attributes_out`.
Bytes encode_attributes(const IkeTransform& transform, std::chrono::seconds lifetime,
                        AuthMethod method = AuthMethod::psk);
Bytes encode_attributes(const EspSuite& suite, EncapsulationMode mode, std::chrono::seconds lifetime,
                        std::optional<crypto::Group> pfs,
                        std::optional<std::uint64_t> kilobytes = std::nullopt);
/// The data of a RESPONDER-LIFETIME (RFC 2407 §4.6.3.1): seconds, under the attribute numbers of its phase.
Bytes encode_lifetime(std::uint16_t type_attribute, std::uint16_t duration_attribute,
                      std::chrono::seconds lifetime);
/// The seconds of a RESPONDER-LIFETIME; none when it has none.
std::optional<std::chrono::seconds> decode_lifetime(std::uint16_t type_attribute,
                                                    std::uint16_t duration_attribute, ByteView data);
/// The transform identifier of an ESP suite (RFC 2407 §4.4.4).
std::uint8_t esp_transform_id(const EspSuite& suite);

/// What was offered, in words for the log: "aes256-sha1-modp1024, 3des-sha1-modp1024".
std::string describe(const SaPayload& offered);

}  // namespace ike::v1
