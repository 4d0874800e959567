#include "ike/proposal.h"

#include <array>
#include <utility>

namespace ike {
namespace {

using crypto::Cipher;
using crypto::Group;
using crypto::Hash;
using xfrm::Encryption;
using xfrm::Integrity;

template <class T>
struct Named {
  std::string_view name;
  T value;
};

struct CipherChoice {
  Cipher cipher;
  std::uint16_t key_bits;
  bool operator==(const CipherChoice&) const = default;
};

constexpr Named<CipherChoice> ciphers[] = {{"aes256", {Cipher::aes_cbc, 256}},
                                           {"aes192", {Cipher::aes_cbc, 192}},
                                           {"aes128", {Cipher::aes_cbc, 128}},
                                           {"3des", {Cipher::des3_cbc, 0}}};
constexpr Named<Hash> hashes[] = {{"sha256", Hash::sha2_256},
                                  {"sha384", Hash::sha2_384},
                                  {"sha512", Hash::sha2_512},
                                  {"sha1", Hash::sha1},
                                  {"md5", Hash::md5}};
constexpr Named<Group> groups[] = {
    {"curve25519", Group::curve25519}, {"ecp256", Group::ecp256},     {"modp2048", Group::modp2048},
    {"ecp384", Group::ecp384},         {"modp3072", Group::modp3072}, {"modp4096", Group::modp4096},
    {"ecp521", Group::ecp521},         {"modp1536", Group::modp1536}, {"modp1024", Group::modp1024}};

struct EspCipher {
  Encryption encryption;
  std::uint16_t key_bits;
  bool operator==(const EspCipher&) const = default;
};
constexpr Named<EspCipher> esp_ciphers[] = {
    {"aes128gcm16", {Encryption::aes_gcm_16, 128}}, {"aes256gcm16", {Encryption::aes_gcm_16, 256}},
    {"aes256", {Encryption::aes_cbc, 256}},         {"aes192", {Encryption::aes_cbc, 192}},
    {"aes128", {Encryption::aes_cbc, 128}},         {"3des", {Encryption::des3_cbc, 0}}};
constexpr Named<Integrity> integrities[] = {{"sha256", Integrity::hmac_sha2_256_128},
                                            {"sha384", Integrity::hmac_sha2_384_192},
                                            {"sha512", Integrity::hmac_sha2_512_256},
                                            {"sha1", Integrity::hmac_sha1_96},
                                            {"md5", Integrity::hmac_md5_96}};

template <class T, std::size_t n>
const T* find(const Named<T> (&table)[n], std::string_view name) {
  for (const auto& row : table) {
    if (row.name == name) return &row.value;
  }
  return nullptr;
}

template <class T, std::size_t n>
std::string_view name_of(const Named<T> (&table)[n], const T& value) {
  for (const auto& row : table) {
    if (row.value == value) return row.name;
  }
  return "?";
}

/// The words between hyphens; more than `most` of them is none.
template <std::size_t most>
std::optional<std::pair<std::array<std::string_view, most>, std::size_t>> words(std::string_view text) {
  std::array<std::string_view, most> out;
  std::size_t count = 0;
  while (true) {
    if (count == most) return std::nullopt;
    const auto hyphen = text.find('-');
    out[count++] = text.substr(0, hyphen);
    if (hyphen == std::string_view::npos) return std::pair(out, count);
    text.remove_prefix(hyphen + 1);
  }
}

}  // namespace

std::size_t encryption_key_size(const EspSuite& suite) {
  if (suite.encryption == Encryption::des3_cbc) return 24;
  return suite.key_bits / 8u + (suite.encryption == Encryption::aes_gcm_16 ? 4 : 0);
}

std::size_t integrity_key_size(const EspSuite& suite) {
  switch (suite.integrity) {
    case Integrity::hmac_md5_96: return 16;
    case Integrity::hmac_sha1_96: return 20;
    case Integrity::hmac_sha2_256_128: return 32;
    case Integrity::hmac_sha2_384_192: return 48;
    case Integrity::hmac_sha2_512_256: return 64;
    default: return 0;
  }
}

std::optional<IkeTransform> parse_ike_transform(std::string_view text) {
  const auto parts = words<3>(text);
  if (!parts || parts->second != 3) return std::nullopt;
  const auto* cipher = find(ciphers, parts->first[0]);
  const auto* hash = find(hashes, parts->first[1]);
  const auto* group = find(groups, parts->first[2]);
  if (cipher == nullptr || hash == nullptr || group == nullptr) return std::nullopt;
  return IkeTransform{cipher->cipher, cipher->key_bits, *hash, *group};
}

std::optional<EspSuite> parse_esp_suite(std::string_view text) {
  const auto parts = words<2>(text);
  if (!parts) return std::nullopt;
  const auto* cipher = find(esp_ciphers, parts->first[0]);
  if (cipher == nullptr) return std::nullopt;
  const bool aead = cipher->encryption == Encryption::aes_gcm_16;
  if (aead != (parts->second == 1)) return std::nullopt;
  if (aead) return EspSuite{cipher->encryption, cipher->key_bits, Integrity::none};
  const auto* integrity = find(integrities, parts->first[1]);
  if (integrity == nullptr) return std::nullopt;
  return EspSuite{cipher->encryption, cipher->key_bits, *integrity};
}

std::string to_string(const IkeTransform& t) {
  std::string out(name_of(ciphers, CipherChoice{t.cipher, t.key_bits}));
  out.append("-").append(name_of(hashes, t.hash)).append("-").append(name_of(groups, t.group));
  return out;
}

std::string to_string(const EspSuite& s) {
  std::string out(name_of(esp_ciphers, EspCipher{s.encryption, s.key_bits}));
  if (s.integrity != Integrity::none) out.append("-").append(name_of(integrities, s.integrity));
  return out;
}

std::vector<IkeTransform> default_ike_transforms() {
  std::vector<IkeTransform> out;
  for (const auto& group : groups) {
    if (group.value == Group::modp1024 || group.value == Group::modp1536) continue;
    for (const auto& cipher : ciphers) {
      if (cipher.value.cipher == Cipher::des3_cbc) continue;
      for (const auto& hash : hashes) {
        if (hash.value == Hash::md5) continue;
        out.push_back({cipher.value.cipher, cipher.value.key_bits, hash.value, group.value});
      }
    }
  }
  return out;
}

std::vector<EspSuite> default_esp_suites() {
  std::vector<EspSuite> out;
  for (const auto& cipher : esp_ciphers) {
    if (cipher.value.encryption == Encryption::des3_cbc) continue;
    if (cipher.value.encryption == Encryption::aes_gcm_16) {
      out.push_back({cipher.value.encryption, cipher.value.key_bits, Integrity::none});
      continue;
    }
    for (const auto& integrity : integrities) {
      if (integrity.value == Integrity::hmac_md5_96) continue;
      out.push_back({cipher.value.encryption, cipher.value.key_bits, integrity.value});
    }
  }
  return out;
}

}  // namespace ike
