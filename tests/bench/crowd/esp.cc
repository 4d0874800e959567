#include "crowd/esp.h"

#include "crypto/cipher.h"
#include "crypto/prf.h"
#include "wire/writer.h"

namespace crowd {

base::Bytes esp_packet(const xfrm::EspTransform& keys, xfrm::Spi spi, std::uint32_t sequence,
                       std::size_t size) {
  constexpr std::size_t block = 16, icv = 12, trailer = 2, udp_header = 8;
  wire::Writer text;
  text.u16(1701);
  text.u16(1701);
  text.u16(static_cast<std::uint16_t>(udp_header + size));
  text.u16(0);  // no checksum: the client's would cover another address (RFC 3948 §3.1.2)
  text.zeros(size);
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

}  // namespace crowd
