#include "ike/v1/message.h"

#include "crypto/cipher.h"

namespace ike::v1 {

Bytes encode_clear(Header header, const std::vector<Payload>& payloads) {
  wire::Writer out;
  header.next = payloads.empty() ? PayloadType::none : payloads.front().type;
  put_header(out, header);
  put_chain(out, payloads);
  out.patch_u32(header_size - 4, out.view().size());
  return out.take();
}

Bytes encode_encrypted(Header header, const std::vector<Payload>& payloads, const IkeTransform& t,
                       const Secret& key, Bytes& iv) {
  wire::Writer body;
  put_chain(body, payloads);
  const auto block = crypto::block_size(t.cipher);
  body.zeros((block - body.view().size() % block) % block);
  const auto sealed = crypto::encrypt_cbc(t.cipher, key.view(), iv, body.view());
  iv.assign(sealed.end() - static_cast<std::ptrdiff_t>(block), sealed.end());

  header.next = payloads.front().type;
  header.flags |= flag_encryption;
  header.length = static_cast<std::uint32_t>(header_size + sealed.size());
  wire::Writer out;
  put_header(out, header);
  out.bytes(sealed);
  return out.take();
}

std::optional<Decrypted> decrypt(const Header& header, ByteView datagram, const IkeTransform& t,
                                 const Secret& key, ByteView iv) {
  const auto sealed = datagram.subspan(header_size, header.length - header_size);
  const auto block = crypto::block_size(t.cipher);
  if (sealed.empty() || sealed.size() % block != 0) return std::nullopt;
  return Decrypted{.body = crypto::decrypt_cbc(t.cipher, key.view(), iv, sealed),
                   .next_iv = base::to_bytes(sealed.last(block))};
}

Bytes encode_phase2(Header header, const std::vector<Payload>& after_hash, const IkeTransform& t,
                    const SessionKeys& keys, ByteView nonce, Bytes& iv) {
  wire::Writer rest;
  put_chain(rest, after_hash);
  const auto hash = phase2_hash(t.hash, keys.skeyid_a, header.message_id, nonce, rest.view());
  std::vector<Payload> payloads{{PayloadType::hash, hash.view()}};
  payloads.insert(payloads.end(), after_hash.begin(), after_hash.end());
  return encode_encrypted(header, payloads, t, keys.encryption_key, iv);
}

std::optional<Chain> authenticated_chain(const Header& header, ByteView body, crypto::Hash hash,
                                         const SessionKeys& keys, ByteView nonce) {
  auto chain = decode_chain(header.next, body);
  if (!chain || chain->payloads.size() < 2 || chain->payloads.front().type != PayloadType::hash)
    return std::nullopt;
  const auto& claimed = chain->payloads.front().body;
  // What follows the HASH payload up to the end of the last payload; padding is not covered.
  const auto rest = body.subspan(claimed.size() + 4, chain->size - claimed.size() - 4);
  const auto expected = phase2_hash(hash, keys.skeyid_a, header.message_id, nonce, rest);
  if (!base::same_in_constant_time(claimed, expected.view())) return std::nullopt;
  return std::move(*chain);
}

}  // namespace ike::v1
