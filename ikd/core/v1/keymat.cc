#include "ike/v1/keymat.h"

#include "crypto/cipher.h"
#include "crypto/prf.h"

namespace ike::v1 {
namespace {

Secret cut(const Secret& from, std::size_t at, std::size_t size) {
  return Secret::copy_of(from.view().subspan(at, size));
}

/// Appendix B: K1 = prf(SKEYID_e, 0), K2 = prf(SKEYID_e, K1), … where SKEYID_e alone is too short.
Secret cipher_key(const IkeTransform& t, const Secret& skeyid_e) {
  const std::size_t size = t.cipher == crypto::Cipher::des3_cbc ? 24 : t.key_bits / 8u;
  if (skeyid_e.size() >= size) return cut(skeyid_e, 0, size);
  const std::uint8_t zero = 0;
  auto block = crypto::prf(t.hash, skeyid_e.view(), {{&zero, 1}});
  auto key = Secret::of_size(size);
  for (std::size_t at = 0; at < size;) {
    const auto part = block.view().first(std::min(block.size(), size - at));
    std::ranges::copy(part, key.writable().subspan(at).begin());
    at += part.size();
    block = crypto::prf(t.hash, skeyid_e.view(), {block.view()});
  }
  return key;
}

Bytes first_block(const IkeTransform& t, Bytes bytes) {
  bytes.resize(crypto::block_size(t.cipher));
  return bytes;
}

std::array<std::uint8_t, 4> big_endian(std::uint32_t v) {
  return {static_cast<std::uint8_t>(v >> 24), static_cast<std::uint8_t>(v >> 16),
          static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v)};
}

}  // namespace

Secret skeyid_of_psk(crypto::Hash hash, ByteView psk, ByteView ni, ByteView nr) {
  return crypto::prf(hash, psk, {ni, nr});
}

Secret skeyid_of_signature(crypto::Hash hash, ByteView ni, ByteView nr, const Secret& g_xy) {
  auto nonces = base::to_bytes(ni);
  base::append(nonces, nr);
  return crypto::prf(hash, nonces, {g_xy.view()});
}

SessionKeys derive_session_keys(const IkeTransform& t, const Secret& skeyid, const Secret& g_xy,
                                const Cookie& initiator, const Cookie& responder) {
  const std::uint8_t zero = 0, one = 1, two = 2;
  auto d = crypto::prf(t.hash, skeyid.view(), {g_xy.view(), initiator, responder, {&zero, 1}});
  auto a = crypto::prf(t.hash, skeyid.view(), {d.view(), g_xy.view(), initiator, responder, {&one, 1}});
  const auto e = crypto::prf(t.hash, skeyid.view(), {a.view(), g_xy.view(), initiator, responder, {&two, 1}});
  return {.skeyid_d = std::move(d), .skeyid_a = std::move(a), .encryption_key = cipher_key(t, e)};
}

Secret phase1_hash(crypto::Hash hash, const Secret& skeyid, ByteView mine, ByteView other,
                   const Cookie& my_cookie, const Cookie& other_cookie, ByteView sa_body, ByteView id_body) {
  return crypto::prf(hash, skeyid.view(), {mine, other, my_cookie, other_cookie, sa_body, id_body});
}

Bytes phase1_iv(const IkeTransform& t, ByteView g_xi, ByteView g_xr) {
  return first_block(t, crypto::digest(t.hash, {g_xi, g_xr}));
}

Bytes phase2_iv(const IkeTransform& t, ByteView last_phase1_block, MessageId id) {
  return first_block(t, crypto::digest(t.hash, {last_phase1_block, big_endian(id.value)}));
}

Secret phase2_hash(crypto::Hash hash, const Secret& skeyid_a, MessageId id, ByteView nonce, ByteView rest) {
  return crypto::prf(hash, skeyid_a.view(), {big_endian(id.value), nonce, rest});
}

Secret phase2_hash3(crypto::Hash hash, const Secret& skeyid_a, MessageId id, ByteView ni, ByteView nr) {
  const std::uint8_t zero = 0;
  return crypto::prf(hash, skeyid_a.view(), {{&zero, 1}, big_endian(id.value), ni, nr});
}

xfrm::EspTransform derive_keymat(crypto::Hash hash, const Secret& skeyid_d, ByteView g_xy, xfrm::Spi spi,
                                 ByteView ni, ByteView nr, const EspSuite& suite) {
  const auto encryption_size = encryption_key_size(suite);
  const auto integrity_size = integrity_key_size(suite);
  const std::uint8_t protocol = protocol_ipsec_esp;
  auto keymat = Secret::of_size(encryption_size + integrity_size);
  Secret block;
  for (std::size_t at = 0; at < keymat.size();) {
    block = crypto::prf(hash, skeyid_d.view(),
                        {block.view(), g_xy, {&protocol, 1}, big_endian(spi.value), ni, nr});
    const auto part = block.view().first(std::min(block.size(), keymat.size() - at));
    std::ranges::copy(part, keymat.writable().subspan(at).begin());
    at += part.size();
  }
  return {.encryption = suite.encryption,
          .encryption_key = cut(keymat, 0, encryption_size),
          .integrity = suite.integrity,
          .integrity_key = cut(keymat, encryption_size, integrity_size)};
}

}  // namespace ike::v1
