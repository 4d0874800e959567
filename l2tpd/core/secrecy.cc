#include "l2tp/secrecy.h"

#include <array>
#include <initializer_list>
#include <memory>

#include <openssl/evp.h>

#include "base/fd.h"

namespace l2tp {
namespace {

using Digest = std::array<std::uint8_t, 16>;

using Context = std::unique_ptr<EVP_MD_CTX, base::FreeWith<EVP_MD_CTX_free>>;

std::optional<Digest> md5(std::initializer_list<ByteView> parts) {
  const Context context(EVP_MD_CTX_new());
  if (!context || EVP_DigestInit_ex(context.get(), EVP_md5(), nullptr) != 1) return std::nullopt;
  for (const auto part : parts) EVP_DigestUpdate(context.get(), part.data(), part.size());
  Digest out{};
  if (EVP_DigestFinal_ex(context.get(), out.data(), nullptr) != 1) return std::nullopt;
  return out;
}

std::array<std::uint8_t, 2> big_endian(std::size_t number) {
  return {static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
}

/// §4.3: each block is masked with a digest over the masked block before it, the first one with a digest over
/// the random vector.
enum class Direction { mask, unmask };
std::optional<Bytes> apply_mask(Direction direction, std::uint16_t type, ByteView in, ByteView secret,
                                ByteView random_vector) {
  Bytes out(in.begin(), in.end());
  const auto type_bytes = big_endian(type);
  auto mask = md5({type_bytes, secret, random_vector});
  for (std::size_t at = 0; at < in.size(); at += sizeof(Digest)) {
    const auto size = std::min(sizeof(Digest), in.size() - at);
    if (!mask) return std::nullopt;
    for (std::size_t i = 0; i < size; ++i) out[at + i] ^= (*mask)[i];
    if (at + size == in.size()) break;
    const ByteView masked = direction == Direction::mask ? ByteView(out) : in;
    mask = md5({secret, masked.subspan(at, size)});
  }
  return out;
}

}  // namespace

std::optional<Bytes> hide(std::uint16_t type, ByteView value, std::size_t padding, ByteView secret,
                          ByteView random_vector) {
  const auto length = big_endian(value.size());
  Bytes plain(length.begin(), length.end());
  base::append(plain, value);
  plain.resize(plain.size() + padding);
  return apply_mask(Direction::mask, type, plain, secret, random_vector);
}

std::optional<Bytes> reveal(std::uint16_t type, ByteView hidden, ByteView secret, ByteView random_vector) {
  const auto plain = apply_mask(Direction::unmask, type, hidden, secret, random_vector);
  if (!plain) return std::nullopt;
  wire::Reader in(*plain);
  const auto value = in.bytes(in.u16());
  if (!in.ok()) return std::nullopt;
  return base::to_bytes(value);
}

Bytes reveal_all(ByteView body, ByteView secret) {
  if (secret.empty()) return base::to_bytes(body);
  wire::Writer out;
  std::optional<ByteView> random_vector;  // the last one before an AVP is the one it was hidden with
  for (wire::Reader in(body); in.left() > 0;) {
    const auto from = in.at();
    auto avp = next_avp(in);
    if (!avp) {
      out.bytes(body.subspan(from));  // for the decoder to judge
      break;
    }
    if (avp->vendor == 0 && avp->type == static_cast<std::uint16_t>(Attribute::random_vector) && !avp->hidden)
      random_vector = avp->value;
    std::optional<Bytes> plain;
    if (avp->hidden && random_vector) plain = reveal(avp->type, avp->value, secret, *random_vector);
    if (plain) {
      avp->hidden = false;
      avp->value = *plain;
    }
    put_avp(out, *avp);
  }
  return out.take();
}

std::optional<Bytes> challenge_response(MessageType answer, ByteView secret, ByteView challenge) {
  // §5.1.1: as CHAP does it, the message type standing for the identifier.
  const std::array id{static_cast<std::uint8_t>(answer)};
  const auto digest = md5({id, secret, challenge});
  if (!digest) return std::nullopt;
  return Bytes(digest->begin(), digest->end());
}

}  // namespace l2tp
