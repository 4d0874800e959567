#include "crypto/dh.h"

#include <array>
#include <map>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/dh.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

namespace crypto {
namespace {

using base::Bytes;
using base::ByteView;
using Bignum = std::unique_ptr<BIGNUM, base::FreeWith<BN_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, base::FreeWith<EVP_PKEY_CTX_free>>;
using Pkey = std::unique_ptr<EVP_PKEY, base::FreeWith<EVP_PKEY_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, base::FreeWith<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, base::FreeWith<OSSL_PARAM_free>>;

enum class Kind { modp, ecp, x25519 };

struct GroupFacts {
  Kind kind;
  /// OpenSSL's name; MODP1024 has none there and is built from its prime.
  const char* name;
  std::size_t public_size;
  std::size_t shared_size;
};

GroupFacts facts(Group group) {
  switch (group) {
    case Group::modp1024: return {Kind::modp, nullptr, 128, 128};
    case Group::modp1536: return {Kind::modp, "modp_1536", 192, 192};
    case Group::modp2048: return {Kind::modp, "modp_2048", 256, 256};
    case Group::modp3072: return {Kind::modp, "modp_3072", 384, 384};
    case Group::modp4096: return {Kind::modp, "modp_4096", 512, 512};
    case Group::ecp256: return {Kind::ecp, "P-256", 64, 32};
    case Group::ecp384: return {Kind::ecp, "P-384", 96, 48};
    case Group::ecp521: return {Kind::ecp, "P-521", 132, 66};
    case Group::curve25519: return {Kind::x25519, "X25519", 32, 32};
  }
  return {};
}

base::Result<DhKey> no_key(const char* step) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  return base::fail(std::string("Diffie-Hellman: ") + step + ": " + text.data());
}

const char* algorithm(Kind kind) { return kind == Kind::modp ? "DH" : kind == Kind::ecp ? "EC" : "X25519"; }

/// The parameters of a group of MODP or a curve: by name, or by p and g where OpenSSL has no name (MODP1024).
Pkey make_parameters(const GroupFacts& group) {
  const ParamBuilder build(OSSL_PARAM_BLD_new());
  const Bignum p(BN_get_rfc2409_prime_1024(nullptr)), g(BN_new());
  BN_set_word(g.get(), 2);
  const bool ok =
      group.name != nullptr
          ? OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, group.name, 0) == 1
          : OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_FFC_P, p.get()) == 1 &&
                OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_FFC_G, g.get()) == 1;
  const Params params(ok ? OSSL_PARAM_BLD_to_param(build.get()) : nullptr);
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, algorithm(group.kind), nullptr));
  EVP_PKEY* key = nullptr;
  if (context && params && EVP_PKEY_fromdata_init(context.get()) == 1)
    EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEY_PARAMETERS, params.get());
  return Pkey(key);
}

/// Made once a thread and group: of a curve that costs as much as half of its arithmetic. Null where OpenSSL
/// does not have them.
EVP_PKEY* parameters_of(Group group) {
  thread_local std::map<Group, Pkey> made;
  auto& slot = made[group];
  if (!slot) slot = make_parameters(facts(group));
  return slot.get();
}

/// RFC 6989 §2.1 for safe primes: 1 < y < p-1.
bool in_range(ByteView value, const EVP_PKEY* parameters) {
  BIGNUM* raw = nullptr;
  EVP_PKEY_get_bn_param(parameters, OSSL_PKEY_PARAM_FFC_P, &raw);
  const Bignum p(raw), y(BN_bin2bn(value.data(), static_cast<int>(value.size()), nullptr));
  if (!p || !y || BN_is_one(y.get()) != 0 || BN_is_zero(y.get()) != 0) return false;
  BN_sub_word(p.get(), 1);
  return BN_cmp(y.get(), p.get()) < 0;
}

/// RFC 6989 §2.3: on the curve, with both coordinates in range. All points of these curves have the same
/// prime order, so nothing else is to be checked.
bool on_curve(EVP_PKEY* point) {
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, point, nullptr));
  return context && EVP_PKEY_public_check_quick(context.get()) == 1;
}

/// Null for a value that is none of the group's.
Pkey peer_key(Group group, ByteView value) {
  const auto kind = facts(group).kind;
  if (kind == Kind::x25519)
    return Pkey(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, value.data(), value.size()));
  auto* const parameters = parameters_of(group);
  if (parameters == nullptr || (kind == Kind::modp && !in_range(value, parameters))) return nullptr;
  Bytes encoded;
  encoded.reserve(1 + value.size());
  if (kind == Kind::ecp) encoded.push_back(0x04);  // SEC 1: uncompressed
  base::append(encoded, value);
  Pkey key(EVP_PKEY_new());
  const bool fits = EVP_PKEY_copy_parameters(key.get(), parameters) == 1 &&
                    EVP_PKEY_set1_encoded_public_key(key.get(), encoded.data(), encoded.size()) == 1 &&
                    (kind == Kind::modp || on_curve(key.get()));
  return fits ? std::move(key) : nullptr;
}

}  // namespace

void free_key(evp_pkey_st* key) { EVP_PKEY_free(key); }

std::size_t public_value_size(Group group) { return facts(group).public_size; }

base::Result<DhKey> DhKey::generate(Group group) {
  KeyContext context;
  if (const auto kind = facts(group).kind; kind == Kind::x25519) {
    context.reset(EVP_PKEY_CTX_new_from_name(nullptr, algorithm(kind), nullptr));
  } else if (auto* const parameters = parameters_of(group); parameters != nullptr) {
    context.reset(EVP_PKEY_CTX_new_from_pkey(nullptr, parameters, nullptr));
  }
  if (!context || EVP_PKEY_keygen_init(context.get()) != 1) return no_key("group parameters");
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_generate(context.get(), &key) != 1) return no_key("key generation");
  return DhKey(group, Key(key));
}

base::Result<Bytes> DhKey::public_value() const {
  const auto group_facts = facts(group_);
  Bytes out(group_facts.public_size);
  std::size_t size = out.size();
  bool ok = false;
  if (group_facts.kind == Kind::modp) {
    BIGNUM* raw = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), OSSL_PKEY_PARAM_PUB_KEY, &raw);
    const Bignum y(raw);
    ok = y && BN_bn2binpad(y.get(), out.data(), static_cast<int>(out.size())) > 0;
  } else if (group_facts.kind == Kind::ecp) {
    Bytes point(out.size() + 1);
    ok = EVP_PKEY_get_octet_string_param(key_.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size(),
                                         &size) == 1 &&
         size == point.size() && point[0] == 0x04;
    if (ok) std::copy(point.begin() + 1, point.end(), out.begin());
  } else {
    ok = EVP_PKEY_get_raw_public_key(key_.get(), out.data(), &size) == 1 && size == out.size();
  }
  if (!ok) return base::fail("Diffie-Hellman: OpenSSL gave no public value");
  return out;
}

base::Result<base::Secret> DhKey::derive(ByteView peer_public_value) const {
  const auto group_facts = facts(group_);
  if (peer_public_value.size() != group_facts.public_size)
    return base::fail("Diffie-Hellman: the peer's public value has not the group's size");
  const auto peer = peer_key(group_, peer_public_value);
  if (!peer) {
    ERR_clear_error();
    return base::fail("Diffie-Hellman: the peer's public value is not in the group");
  }
  const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr));
  if (!context || EVP_PKEY_derive_init(context.get()) != 1) return base::fail("Diffie-Hellman: no context");
  if (group_facts.kind == Kind::modp) EVP_PKEY_CTX_set_dh_pad(context.get(), 1);
  std::size_t size = group_facts.shared_size;
  auto shared = base::Secret::of_size(size);
  // OpenSSL would raise the value, or multiply the point, by the order of the group: as much work again or
  // eight times as much, for what peer_key() has ruled out.
  constexpr int no_check = 0;
  if (EVP_PKEY_derive_set_peer_ex(context.get(), peer.get(), no_check) != 1 ||
      EVP_PKEY_derive(context.get(), shared.writable().data(), &size) != 1 ||
      size != group_facts.shared_size) {
    ERR_clear_error();
    return base::fail("Diffie-Hellman: the peer's public value was refused");
  }
  return shared;
}

base::Result<KeyPair> make_key_pair(Group group) {
  auto key = DhKey::generate(group);
  if (!key) return tl::unexpected(key.error());
  auto public_value = key->public_value();
  if (!public_value) return tl::unexpected(public_value.error());
  return KeyPair{std::move(*key), std::move(*public_value)};
}

base::Result<DhResult> respond(Group group, ByteView peer_public_value) {
  auto key = DhKey::generate(group);
  if (!key) return tl::unexpected(key.error());
  auto shared = key->derive(peer_public_value);
  if (!shared) return tl::unexpected(shared.error());
  auto public_value = key->public_value();
  if (!public_value) return tl::unexpected(public_value.error());
  return DhResult{std::move(*public_value), std::move(*shared)};
}

}  // namespace crypto
