#include "l2tp/secrecy.h"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <span>
#include <utility>

#include <openssl/evp.h>

#include "base/fd.h"

namespace l2tp {
namespace {

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

Bytes two_bytes(std::size_t number) {
  const auto bytes = big_endian(number);
  return {bytes.begin(), bytes.end()};
}

// §4.3: each block is masked with a digest over the masked block before it, the first one with a digest over
// the random vector.

AroundSecret first_mask(std::uint16_t type, ByteView random_vector) {
  return {.before = two_bytes(type), .after = base::to_bytes(random_vector)};
}
AroundSecret mask_after(ByteView masked_block) {
  return {.before = {}, .after = base::to_bytes(masked_block)};
}

void mask(std::span<std::uint8_t> block, const Digest& digest) {
  for (std::size_t i = 0; i < block.size(); ++i) block[i] ^= digest[i];
}

/// What the masks of a hidden value are made of.
std::vector<AroundSecret> masks_of(std::uint16_t type, ByteView hidden, ByteView random_vector) {
  std::vector<AroundSecret> out{first_mask(type, random_vector)};
  for (std::size_t at = 0; at + sizeof(Digest) < hidden.size(); at += sizeof(Digest))
    out.push_back(mask_after(hidden.subspan(at, sizeof(Digest))));
  return out;
}

/// The value behind its masks. None when the length inside cannot be.
std::optional<Bytes> unmasked(ByteView hidden, std::span<const Digest> masks) {
  auto plain = base::to_bytes(hidden);
  for (std::size_t at = 0; at < plain.size(); at += sizeof(Digest)) {
    const auto size = std::min(sizeof(Digest), plain.size() - at);
    mask(std::span(plain).subspan(at, size), masks[at / sizeof(Digest)]);
  }
  wire::Reader in(plain);
  const auto value = in.bytes(in.u16());
  if (!in.ok()) return std::nullopt;
  return base::to_bytes(value);
}

/// In the place of the values that are hidden, in their order; without `tell` they stay as they are.
Bytes with_each_hidden(ByteView body,
                       const std::function<std::optional<Bytes>(const Avp&, ByteView random_vector)>& tell) {
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
    if (avp->hidden && random_vector) plain = tell(*avp, *random_vector);
    if (plain) {
      avp->hidden = false;
      avp->value = *plain;
    }
    put_avp(out, *avp);
  }
  return out.take();
}

}  // namespace

SharedSecret kept_here(base::Secret secret) {
  if (secret.empty()) return {};
  const auto kept = std::make_shared<const base::Secret>(std::move(secret));
  return [kept](const std::vector<AroundSecret>& all) {
    std::vector<Digest> out;
    for (const auto& [before, after] : all) {
      const auto digest = md5({before, kept->view(), after});
      if (!digest) return std::vector<Digest>();
      out.push_back(*digest);
    }
    return out;
  };
}

std::optional<Bytes> hide(std::uint16_t type, ByteView value, std::size_t padding, const SharedSecret& secret,
                          ByteView random_vector) {
  auto out = two_bytes(value.size());
  base::append(out, value);
  out.resize(out.size() + padding);
  auto around = first_mask(type, random_vector);
  for (std::size_t at = 0; at < out.size(); at += sizeof(Digest)) {
    const auto digest = secret({around});
    if (digest.empty()) return std::nullopt;
    const auto block = std::span(out).subspan(at, std::min(sizeof(Digest), out.size() - at));
    mask(block, digest.front());
    around = mask_after(block);
  }
  return out;
}

std::optional<Bytes> reveal(std::uint16_t type, ByteView hidden, const SharedSecret& secret,
                            ByteView random_vector) {
  const auto wanted = masks_of(type, hidden, random_vector);
  const auto masks = secret(wanted);
  if (masks.size() != wanted.size()) return std::nullopt;
  return unmasked(hidden, masks);
}

Bytes reveal_all(ByteView body, const SharedSecret& secret) {
  if (!secret) return base::to_bytes(body);
  constexpr std::size_t overhead = 16;  // of each, where it travels
  std::vector<AroundSecret> wanted;
  std::size_t size = 0;
  (void)with_each_hidden(body, [&](const Avp& avp, ByteView random_vector) -> std::optional<Bytes> {
    for (auto& around : masks_of(avp.type, avp.value, random_vector)) {
      size += around.before.size() + around.after.size() + overhead;
      if (size <= most_around_secret) wanted.push_back(std::move(around));
    }
    return std::nullopt;
  });
  if (wanted.empty()) return base::to_bytes(body);
  const auto masks = secret(wanted);
  std::size_t used = 0;
  return with_each_hidden(body, [&](const Avp& avp, ByteView) -> std::optional<Bytes> {
    const auto count = std::max<std::size_t>(1, (avp.value.size() + sizeof(Digest) - 1) / sizeof(Digest));
    if (masks.size() - used < count) {
      used = masks.size();
      return std::nullopt;
    }
    return unmasked(avp.value, std::span(masks).subspan(std::exchange(used, used + count), count));
  });
}

std::optional<Bytes> challenge_response(MessageType answer, const SharedSecret& secret, ByteView challenge) {
  // §5.1.1: as CHAP does it, the message type standing for the identifier.
  const auto digest =
      secret({{.before = {static_cast<std::uint8_t>(answer)}, .after = base::to_bytes(challenge)}});
  if (digest.empty()) return std::nullopt;
  return Bytes(digest.front().begin(), digest.front().end());
}

}  // namespace l2tp
