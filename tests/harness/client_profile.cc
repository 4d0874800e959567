#include "harness/client_profile.h"

#include "ike/v1/identification.h"

namespace harness {
namespace {

namespace v1 = ike::v1;
namespace ike_attr = ike::v1::ike_attribute;
namespace esp_attr = ike::v1::esp_attribute;

constexpr std::uint16_t basic = 0x8000, psk = 1, seconds = 1, kilobytes = 2;

void put_basic(wire::Writer& out, std::uint16_t type, std::uint16_t value) {
  out.u16(type | basic);
  out.u16(value);
}

void put_life(wire::Writer& out, std::uint16_t type_attribute, std::uint16_t type, std::uint64_t amount,
              LifeForm form) {
  put_basic(out, type_attribute, type);
  const auto duration = static_cast<std::uint16_t>(type_attribute + 1);
  if (form == LifeForm::shortest && amount <= 0xffff)
    return put_basic(out, duration, static_cast<std::uint16_t>(amount));
  out.u16(duration);
  out.u16(4);
  out.u32(static_cast<std::uint32_t>(amount));
}

Bytes attributes(const ClientProfile& p, const IkeLine& line) {
  wire::Writer out;
  for (const auto type : p.ike_order) {
    switch (type) {
      case ike_attr::encryption: put_basic(out, type, line.cipher); break;
      case ike_attr::key_length:
        if (line.key_bits != 0) put_basic(out, type, line.key_bits);
        break;
      case ike_attr::hash: put_basic(out, type, line.hash); break;
      case ike_attr::group: put_basic(out, type, line.group); break;
      case ike_attr::authentication: put_basic(out, type, line.authentication); break;
      default:
        put_life(out, ike_attr::life_type, seconds, static_cast<std::uint64_t>(p.ike_life.count()),
                 p.ike_life_form);
    }
  }
  return out.take();
}

Bytes attributes(const ClientProfile& p, const EspLine& line, v1::EncapsulationMode mode) {
  wire::Writer out;
  for (const auto type : p.esp_order) {
    switch (type) {
      case esp_attr::group:
        if (p.pfs) put_basic(out, type, static_cast<std::uint16_t>(*p.pfs));
        break;
      case esp_attr::encapsulation: put_basic(out, type, static_cast<std::uint16_t>(mode)); break;
      case esp_attr::authentication:
        if (line.authentication != 0) put_basic(out, type, line.authentication);
        break;
      case esp_attr::key_length:
        if (line.key_bits != 0) put_basic(out, type, line.key_bits);
        break;
      default:
        put_life(out, esp_attr::life_type, seconds, static_cast<std::uint64_t>(p.esp_life.count()),
                 LifeForm::four_bytes);
        if (p.esp_kilobytes)
          put_life(out, esp_attr::life_type, kilobytes, *p.esp_kilobytes, LifeForm::four_bytes);
    }
  }
  return out.take();
}

Bytes ike_offer(const ClientProfile& p, const std::vector<IkeLine>& offered) {
  std::vector<Bytes> lines;
  for (const auto& line : offered) lines.push_back(attributes(p, line));
  v1::Proposal proposal{.number = 1, .protocol = v1::protocol_isakmp, .spi = {}, .transforms = {}};
  for (std::size_t i = 0; i < lines.size(); ++i)
    proposal.transforms.push_back(
        {.number = static_cast<std::uint8_t>(i + 1), .id = 1, .attributes = {}, .raw_attributes = lines[i]});
  return v1::encode_sa({.doi = 1, .situation = 1, .proposals = {proposal}});
}

Bytes esp_offer(const ClientProfile& p, xfrm::Spi spi, v1::EncapsulationMode mode) {
  wire::Writer spi_bytes;
  spi_bytes.u32(spi.value);
  std::vector<Bytes> lines;
  for (const auto& line : p.esp) lines.push_back(attributes(p, line, mode));
  std::vector<v1::Proposal> proposals;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i == 0 || p.esp_offer == Offer::proposal_each)
      proposals.push_back({.number = static_cast<std::uint8_t>(proposals.size() + 1),
                           .protocol = v1::protocol_ipsec_esp,
                           .spi = spi_bytes.view(),
                           .transforms = {}});
    auto& transforms = proposals.back().transforms;
    transforms.push_back({.number = static_cast<std::uint8_t>(transforms.size() + 1),
                          .id = p.esp[i].id,
                          .attributes = {},
                          .raw_attributes = lines[i]});
  }
  return v1::encode_sa({.doi = 1, .situation = 1, .proposals = proposals});
}

Bytes address_id(const base::Address& address, std::uint8_t protocol, std::uint16_t port) {
  auto id = v1::identification_of(address);
  id.protocol = protocol;
  id.port = port;
  return v1::encode_identification(id);
}

/// Those it can go on with; the choice of any other is a choice of what was not offered.
std::vector<ike::IkeTransform> known_transforms(const std::vector<IkeLine>& offered) {
  std::vector<ike::IkeTransform> out;
  for (const auto& line : offered) {
    if (line.authentication == psk)
      out.push_back(
          {crypto::Cipher{line.cipher}, line.key_bits, crypto::Hash{line.hash}, crypto::Group{line.group}});
  }
  return out;
}

/// Those that we have a word for.
std::vector<ike::EspSuite> known_suites(const ClientProfile& p) {
  using xfrm::Encryption;
  using xfrm::Integrity;
  std::vector<ike::EspSuite> out;
  for (const auto& line : p.esp) {
    ike::EspSuite suite{.encryption = {}, .key_bits = line.key_bits, .integrity = Integrity::none};
    switch (line.id) {
      case 3: suite.encryption = Encryption::des3_cbc; break;
      case 12: suite.encryption = Encryption::aes_cbc; break;
      case 20: suite.encryption = Encryption::aes_gcm_16; break;
      default: continue;  // DES, NULL
    }
    switch (line.authentication) {
      case 1: suite.integrity = Integrity::hmac_md5_96; break;
      case 2: suite.integrity = Integrity::hmac_sha1_96; break;
      case 5: suite.integrity = Integrity::hmac_sha2_256_128; break;
      case 6: suite.integrity = Integrity::hmac_sha2_384_192; break;
      case 7: suite.integrity = Integrity::hmac_sha2_512_256; break;
      default: break;
    }
    out.push_back(suite);
  }
  return out;
}

}  // namespace

InitiatorSettings speaking_like(const ClientProfile& p, InitiatorSettings s) {
  s.vendor_ids = p.vendor_ids;
  s.ike = known_transforms(p.ike);
  s.ike_once_more = known_transforms(p.ike_once_more);
  s.esp = known_suites(p);
  s.ike_lifetime = p.ike_life;
  s.esp_lifetime = p.esp_life;
  s.pfs = p.pfs;
  s.ike_sa = ike_offer(p, p.ike);
  if (!p.ike_once_more.empty()) s.ike_sa_once_more = ike_offer(p, p.ike_once_more);
  s.esp_sa = [p](xfrm::Spi spi, v1::EncapsulationMode mode) { return esp_offer(p, spi, mode); };
  s.identity = address_id(s.local.address, p.id_protocol, p.id_port);
  if (p.group_name)
    s.identity = v1::encode_identification(
        {.type = p.group_name->type, .protocol = 0, .port = 0, .data = base::as_bytes(p.group_name->name)});
  s.aggressive = p.group_name.has_value();
  s.aggressive_3_in_clear = p.message_3_in_clear;
  s.idci = address_id(s.local.address, 17, p.client_port);
  s.idcr = address_id(s.gateway.address, 17, p.server_port);
  s.fragment_above = p.fragment_above;
  s.fragments_look_encrypted = p.fragments_look_encrypted;
  s.nonce = p.nonce;
  s.nat_d = p.nat_d;
  s.nat_oa = p.nat_oa;
  s.rekeys_on_4500 = p.rekeys_on_4500;
  s.floats_in_message_3 = p.floats_in_message_3;
  s.contact = p.initial_contact;
  s.answers_dpd = p.dpd;
  s.deletes = p.deletes;
  s.quick_mode_after = p.quick_mode_after;
  s.resend_after = p.resend_after;
  return s;
}

std::vector<ClientProfile> every_client(std::uint64_t seed) {
  return {windows_10(seed),
          apple(seed),
          android_7(seed),
          android_6(seed),
          chromeos(seed),
          network_manager_strongswan(seed),
          network_manager_libreswan(seed),
          mikrotik(seed),
          cisco(seed),
          racoon(seed)};
}

}  // namespace harness
