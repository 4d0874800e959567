#include "ike/v1/sa_payload.h"

#include <array>

#include "wire/reader.h"

namespace ike::v1 {
namespace {

using crypto::Cipher;
using crypto::Group;
using crypto::Hash;
using xfrm::Encryption;
using xfrm::Integrity;

constexpr std::uint16_t attribute_format = 0x8000;
constexpr std::uint16_t life_seconds = 1;
constexpr std::uint16_t life_kilobytes = 2;
constexpr std::uint8_t key_ike = 1;  // the only ISAKMP transform (RFC 2407 §4.4.2)

constexpr std::uint8_t esp_3des = 3, esp_aes_cbc = 12, esp_aes_gcm_16 = 20;
constexpr std::uint16_t auth_hmac_md5 = 1, auth_hmac_sha1 = 2, auth_sha2_256 = 5, auth_sha2_384 = 6,
                        auth_sha2_512 = 7;

Decoded<std::vector<Attribute>> decode_attributes(ByteView bytes) {
  std::vector<Attribute> out;
  for (wire::Reader in(bytes); in.left() > 0;) {
    const auto type = in.u16();
    Attribute a{.type = static_cast<std::uint16_t>(type & ~attribute_format),
                .basic = (type & attribute_format) != 0,
                .value = {}};
    const std::size_t length = a.basic ? 2 : in.u16();
    a.value = in.bytes(length);
    if (!in.ok()) return tl::unexpected(Malformed::bad_attribute);
    out.push_back(a);
  }
  return out;
}

Decoded<Transform> decode_transform(ByteView body) {
  wire::Reader in(body);
  Transform t;
  t.number = in.u8();
  t.id = in.u8();
  in.u16();  // RESERVED2
  if (!in.ok()) return tl::unexpected(Malformed::bad_sa);
  t.raw_attributes = in.rest();
  auto attributes = decode_attributes(t.raw_attributes);
  if (!attributes) return tl::unexpected(attributes.error());
  t.attributes = std::move(*attributes);
  return t;
}

Decoded<Proposal> decode_proposal(ByteView body) {
  wire::Reader in(body);
  Proposal p;
  p.number = in.u8();
  p.protocol = in.u8();
  const std::size_t spi_size = in.u8();
  const std::size_t count = in.u8();
  p.spi = in.bytes(spi_size);
  if (!in.ok()) return tl::unexpected(Malformed::bad_sa);
  const auto rest = in.rest();
  const auto chain =
      decode_chain(rest.empty() ? PayloadType::none : PayloadType::transform, rest, most_transforms);
  if (!chain || chain->size != rest.size() || chain->payloads.size() != count)
    return tl::unexpected(Malformed::bad_sa);
  for (const auto& payload : chain->payloads) {
    if (payload.type != PayloadType::transform) return tl::unexpected(Malformed::bad_sa);
    auto transform = decode_transform(payload.body);
    if (!transform) return tl::unexpected(transform.error());
    p.transforms.push_back(std::move(*transform));
  }
  return p;
}

void put_proposal(wire::Writer& out, const Proposal& p) {
  out.u8(p.number);
  out.u8(p.protocol);
  out.u8(static_cast<std::uint8_t>(p.spi.size()));
  out.u8(static_cast<std::uint8_t>(p.transforms.size()));
  out.bytes(p.spi);
  std::vector<Bytes> bodies;
  std::vector<Payload> payloads;
  for (const auto& t : p.transforms) {
    wire::Writer body;
    body.u8(t.number);
    body.u8(t.id);
    body.u16(0);
    body.bytes(t.raw_attributes);
    bodies.push_back(body.take());
  }
  for (const auto& body : bodies) payloads.push_back({PayloadType::transform, body});
  put_chain(out, payloads);
}

void put_attribute(wire::Writer& out, std::uint16_t type, std::uint64_t value) {
  if (value <= 0xffff) {
    out.u16(type | attribute_format);
    out.u16(static_cast<std::uint16_t>(value));
  } else {
    out.u16(type);
    out.u16(4);
    out.u32(static_cast<std::uint32_t>(value));
  }
}

/// Types and durations come in pairs, the type first (RFC 2407 §4.5).
struct Lifetimes {
  std::optional<std::chrono::seconds> time;
  std::optional<std::uint64_t> kilobytes;
};
Lifetimes lifetimes(const Transform& t, std::uint16_t type_attribute, std::uint16_t duration_attribute) {
  Lifetimes out;
  std::uint64_t type = 0;
  for (const auto& a : t.attributes) {
    if (a.type == type_attribute) type = a.number().value_or(0);
    if (a.type != duration_attribute) continue;
    const auto amount = a.number();
    if (!amount || *amount == 0) continue;  // no life at all is no limit that anybody means
    if (type == life_seconds) out.time = std::chrono::seconds(std::min<std::uint64_t>(*amount, 0xffffffff));
    if (type == life_kilobytes) out.kilobytes = *amount;
  }
  return out;
}

std::optional<std::uint64_t> number_of(const Transform& t, std::uint16_t type) {
  for (const auto& a : t.attributes) {
    if (a.type == type) return a.number();
  }
  return std::nullopt;
}

/// None when the transform names something we have no word for.
std::optional<IkeTransform> as_ike_transform(const Transform& t) {
  namespace attr = ike_attribute;
  if (t.id != key_ike) return std::nullopt;
  const auto value = [&](std::uint16_t type) {
    return static_cast<std::uint16_t>(std::min<std::uint64_t>(number_of(t, type).value_or(0), 0xffff));
  };
  const auto cipher = Cipher{value(attr::encryption)};
  const auto key_bits = value(attr::key_length);
  return IkeTransform{cipher, cipher == Cipher::aes_cbc && key_bits == 0 ? std::uint16_t{128} : key_bits,
                      Hash{value(attr::hash)}, Group{value(attr::group)}};
}

std::optional<AuthMethod> auth_method(const Transform& t) {
  static constexpr AuthMethod known[] = {AuthMethod::psk, AuthMethod::rsa_signature, AuthMethod::ecdsa_256,
                                         AuthMethod::ecdsa_384, AuthMethod::ecdsa_521};
  const auto number = number_of(t, ike_attribute::authentication);
  for (const auto method : known) {
    if (number == static_cast<std::uint16_t>(method)) return method;
  }
  return std::nullopt;
}

/// draft-ietf-ipsec-isakmp-xauth-06 §7.2, draft-ietf-ipsec-isakmp-hybrid-auth-05 §3.2.1.
std::string_view name_of_unknown_method(const Transform& t) {
  const auto number = number_of(t, ike_attribute::authentication).value_or(0);
  if (number >= 65001 && number <= 65010) return "XAUTH";
  if (number >= 64221 && number <= 64224) return "hybrid authentication (XAUTH)";
  return "an authentication method we do not know";
}

std::optional<EspSuite> as_esp_suite(const Transform& t) {
  namespace attr = esp_attribute;
  EspSuite out{Encryption::other, static_cast<std::uint16_t>(number_of(t, attr::key_length).value_or(0)),
               Integrity::none};
  switch (t.id) {
    case esp_3des: out.encryption = Encryption::des3_cbc; break;
    case esp_aes_cbc:
      out.encryption = Encryption::aes_cbc;
      if (out.key_bits == 0) out.key_bits = 128;  // RFC 3602 §5.3: the default
      break;
    case esp_aes_gcm_16: out.encryption = Encryption::aes_gcm_16; break;
    default: return std::nullopt;
  }
  switch (number_of(t, attr::authentication).value_or(0)) {
    case 0: break;
    case auth_hmac_md5: out.integrity = Integrity::hmac_md5_96; break;
    case auth_hmac_sha1: out.integrity = Integrity::hmac_sha1_96; break;
    case auth_sha2_256: out.integrity = Integrity::hmac_sha2_256_128; break;
    case auth_sha2_384: out.integrity = Integrity::hmac_sha2_384_192; break;
    case auth_sha2_512: out.integrity = Integrity::hmac_sha2_512_256; break;
    default: return std::nullopt;
  }
  return out;
}

/// RFC 4304 §2. Its integrity check covers the upper half of a number that an SA of ours does not have.
bool counts_in_64_bits(const Transform& t) { return number_of(t, esp_attribute::esn).has_value(); }

Proposal only(const Proposal& proposal, const Transform& transform) {
  return {.number = proposal.number,
          .protocol = proposal.protocol,
          .spi = proposal.spi,
          .transforms = {transform}};
}

/// RFC 2408 §4.2: proposals of one number must all be taken together; we take lone ESP proposals only.
bool stands_alone(const SaPayload& sa, const Proposal& proposal) {
  return std::ranges::count_if(sa.proposals,
                               [&](const Proposal& p) { return p.number == proposal.number; }) == 1;
}

}  // namespace

std::optional<std::uint64_t> Attribute::number() const {
  if (value.size() > 8) return std::nullopt;
  std::uint64_t out = 0;
  for (const auto b : value) out = out << 8 | b;
  return out;
}

Decoded<SaPayload> decode_sa(ByteView body) {
  wire::Reader in(body);
  SaPayload sa;
  sa.doi = in.u32();
  sa.situation = in.u32();
  if (!in.ok()) return tl::unexpected(Malformed::bad_sa);
  const auto rest = in.rest();
  const auto chain =
      decode_chain(rest.empty() ? PayloadType::none : PayloadType::proposal, rest, most_transforms);
  if (!chain || chain->size != rest.size()) return tl::unexpected(Malformed::bad_sa);
  std::size_t transforms = 0;
  for (const auto& payload : chain->payloads) {
    if (payload.type != PayloadType::proposal) return tl::unexpected(Malformed::bad_sa);
    auto proposal = decode_proposal(payload.body);
    if (!proposal) return tl::unexpected(proposal.error());
    transforms += proposal->transforms.size();
    if (transforms > most_transforms) return tl::unexpected(Malformed::bad_sa);
    sa.proposals.push_back(std::move(*proposal));
  }
  return sa;
}

Bytes encode_sa(const SaPayload& sa) {
  wire::Writer out;
  out.u32(sa.doi);
  out.u32(sa.situation);
  std::vector<Bytes> bodies;
  std::vector<Payload> payloads;
  for (const auto& p : sa.proposals) {
    wire::Writer body;
    put_proposal(body, p);
    bodies.push_back(body.take());
  }
  for (const auto& body : bodies) payloads.push_back({PayloadType::proposal, body});
  put_chain(out, payloads);
  return out.take();
}

namespace {

/// Some clients mix RFC 3947 and the numbers of its drafts (clients.md §1).
bool means(EncapsulationMode wanted, std::uint64_t offered) {
  const auto is = [offered](EncapsulationMode m) { return offered == static_cast<std::uint16_t>(m); };
  if (wanted == EncapsulationMode::udp_transport || wanted == EncapsulationMode::udp_transport_draft)
    return is(EncapsulationMode::udp_transport) || is(EncapsulationMode::udp_transport_draft);
  return is(wanted);
}

std::optional<IkeOffer> find_offer(const SaPayload& offered, const IkeTransform& wanted, AuthMethod method) {
  for (const auto& proposal : offered.proposals) {
    if (proposal.protocol != protocol_isakmp) continue;
    for (const auto& t : proposal.transforms) {
      if (as_ike_transform(t) != wanted || auth_method(t) != method) continue;
      const auto life = lifetimes(t, ike_attribute::life_type, ike_attribute::life_duration);
      return IkeOffer{wanted, method, life.time, only(proposal, t)};
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<IkeOffer> choose(const SaPayload& offered, const std::vector<IkeTransform>& acceptable,
                               const std::vector<AuthMethod>& methods) {
  for (const auto& wanted : acceptable) {
    for (const auto method : methods) {
      if (auto offer = find_offer(offered, wanted, method)) return offer;
    }
  }
  return std::nullopt;
}

std::optional<EspOffer> choose(const SaPayload& offered, const std::vector<EspSuite>& acceptable,
                               EncapsulationMode mode) {
  namespace attr = esp_attribute;
  for (const auto& wanted : acceptable) {
    for (const auto& proposal : offered.proposals) {
      if (proposal.protocol != protocol_ipsec_esp || proposal.spi.size() != 4 ||
          !stands_alone(offered, proposal))
        continue;
      for (const auto& t : proposal.transforms) {
        const auto offered_mode = number_of(t, attr::encapsulation);
        if (as_esp_suite(t) != wanted || counts_in_64_bits(t) || !offered_mode || !means(mode, *offered_mode))
          continue;
        const auto spi = wire::Reader(proposal.spi).u32();
        if (spi < 256) continue;
        const auto life = lifetimes(t, attr::life_type, attr::life_duration);
        const auto group = number_of(t, attr::group);
        return EspOffer{
            .suite = wanted,
            .spi = xfrm::Spi(spi),
            .lifetime = life.time,
            .kilobytes = life.kilobytes,
            .group = group ? std::optional(Group{static_cast<std::uint16_t>(*group)}) : std::nullopt,
            .mode = EncapsulationMode{static_cast<std::uint16_t>(*offered_mode)},
            .proposal = only(proposal, t)};
      }
    }
  }
  return std::nullopt;
}

Bytes encode_attributes(const IkeTransform& t, std::chrono::seconds lifetime, AuthMethod method) {
  namespace attr = ike_attribute;
  wire::Writer out;
  put_attribute(out, attr::encryption, static_cast<std::uint16_t>(t.cipher));
  if (t.key_bits != 0) put_attribute(out, attr::key_length, t.key_bits);
  put_attribute(out, attr::hash, static_cast<std::uint16_t>(t.hash));
  put_attribute(out, attr::group, static_cast<std::uint16_t>(t.group));
  put_attribute(out, attr::authentication, static_cast<std::uint16_t>(method));
  put_attribute(out, attr::life_type, life_seconds);
  put_attribute(out, attr::life_duration, static_cast<std::uint64_t>(lifetime.count()));
  return out.take();
}

Bytes encode_attributes(const EspSuite& s, EncapsulationMode mode, std::chrono::seconds lifetime,
                        std::optional<Group> pfs, std::optional<std::uint64_t> kilobytes) {
  namespace attr = esp_attribute;
  wire::Writer out;
  if (pfs) put_attribute(out, attr::group, static_cast<std::uint16_t>(*pfs));
  put_attribute(out, attr::encapsulation, static_cast<std::uint16_t>(mode));
  static constexpr std::array<std::pair<Integrity, std::uint16_t>, 5> numbers{
      {{Integrity::hmac_md5_96, auth_hmac_md5},
       {Integrity::hmac_sha1_96, auth_hmac_sha1},
       {Integrity::hmac_sha2_256_128, auth_sha2_256},
       {Integrity::hmac_sha2_384_192, auth_sha2_384},
       {Integrity::hmac_sha2_512_256, auth_sha2_512}}};
  for (const auto& row : numbers) {
    if (row.first == s.integrity) put_attribute(out, attr::authentication, row.second);
  }
  if (s.key_bits != 0) put_attribute(out, attr::key_length, s.key_bits);
  put_attribute(out, attr::life_type, life_seconds);
  put_attribute(out, attr::life_duration, static_cast<std::uint64_t>(lifetime.count()));
  if (kilobytes) {
    put_attribute(out, attr::life_type, life_kilobytes);
    put_attribute(out, attr::life_duration, std::min<std::uint64_t>(*kilobytes, 0xffffffff));
  }
  return out.take();
}

Bytes encode_lifetime(std::uint16_t type_attribute, std::uint16_t duration_attribute,
                      std::chrono::seconds lifetime) {
  wire::Writer out;
  put_attribute(out, type_attribute, life_seconds);
  out.u16(duration_attribute);
  out.u16(4);
  out.u32(static_cast<std::uint32_t>(lifetime.count()));
  return out.take();
}

std::optional<std::chrono::seconds> decode_lifetime(std::uint16_t type_attribute,
                                                    std::uint16_t duration_attribute, ByteView data) {
  auto attributes = decode_attributes(data);
  if (!attributes) return std::nullopt;
  const Transform carrier{.attributes = std::move(*attributes), .raw_attributes = data};
  return lifetimes(carrier, type_attribute, duration_attribute).time;
}

std::uint8_t esp_transform_id(const EspSuite& suite) {
  switch (suite.encryption) {
    case Encryption::des3_cbc: return esp_3des;
    case Encryption::aes_gcm_16: return esp_aes_gcm_16;
    default: return esp_aes_cbc;
  }
}

std::string describe(const SaPayload& offered) {
  std::string out;
  for (const auto& proposal : offered.proposals) {
    for (const auto& t : proposal.transforms) {
      if (out.size() > 300) return out + ", …";
      if (!out.empty()) out += ", ";
      if (proposal.protocol == protocol_isakmp) {
        const auto transform = as_ike_transform(t);
        const auto method = auth_method(t);
        out += transform ? to_string(*transform) : "unknown algorithms";
        if (!method) out.append(" with ").append(name_of_unknown_method(t));
        if (method && *method != AuthMethod::psk) out.append("-").append(name_of(*method));
      } else {
        const auto suite = as_esp_suite(t);
        out += suite ? to_string(*suite) : "ESP transform " + std::to_string(t.id);
        if (counts_in_64_bits(t)) out += " with 64-bit sequence numbers";
      }
    }
  }
  return out.empty() ? "nothing" : out;
}

}  // namespace ike::v1
