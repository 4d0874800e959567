#include "crowd/esp.h"

#include "crypto/cipher.h"
#include "crypto/prf.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace crowd {

namespace {

constexpr std::size_t block = 16, icv = 12, trailer = 2, udp_header = 8, esp_header = 8;

}  // namespace

base::Bytes esp_packet(const xfrm::EspTransform& keys, xfrm::Spi spi, std::uint32_t sequence,
                       base::ByteView payload) {
  const auto size = payload.size();
  wire::Writer text;
  text.u16(1701);
  text.u16(1701);
  text.u16(static_cast<std::uint16_t>(udp_header + size));
  text.u16(0);  // no checksum: the client's would cover another address (RFC 3948 §3.1.2)
  text.bytes(payload);
  const auto padding = (block - (udp_header + size + trailer) % block) % block;
  for (std::size_t i = 1; i <= padding; ++i) text.u8(static_cast<std::uint8_t>(i));
  text.u8(static_cast<std::uint8_t>(padding));
  text.u8(17);

  // What an attacker could foresee of these IVs harms nobody here.
  wire::Writer iv;
  iv.zeros(block - 4);
  iv.u32(sequence);
  wire::Writer out;
  out.u32(spi.value);
  out.u32(sequence);
  out.bytes(iv.view());
  out.bytes(crypto::encrypt_cbc(crypto::Cipher::aes_cbc, keys.encryption_key.view(), iv.view(), text.view()));
  const auto tag = crypto::prf(crypto::Hash::sha1, keys.integrity_key.view(), {out.view()});
  out.bytes(tag.view().first(icv));
  return out.take();
}

std::optional<base::Bytes> open_esp(const xfrm::EspTransform& keys, xfrm::Spi spi, base::ByteView packet) {
  if (packet.size() < esp_header + 2 * block + icv || wire::Reader(packet).u32() != spi.value)
    return std::nullopt;
  const auto covered = packet.first(packet.size() - icv);
  const auto tag = crypto::prf(crypto::Hash::sha1, keys.integrity_key.view(), {covered});
  const auto text = covered.subspan(esp_header + block);
  if (!base::equal(tag.view().first(icv), packet.last(icv)) || text.size() % block != 0) return std::nullopt;
  auto out = crypto::decrypt_cbc(crypto::Cipher::aes_cbc, keys.encryption_key.view(),
                                 covered.subspan(esp_header, block), text);
  const std::size_t end = out[out.size() - trailer] + trailer;
  if (out.size() < udp_header + end) return std::nullopt;
  return base::to_bytes(base::ByteView(out).subspan(udp_header, out.size() - udp_header - end));
}

}  // namespace crowd
