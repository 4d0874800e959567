#include "ikd/keys.h"

#include <algorithm>
#include <utility>

#include "crypto/prf.h"
#include "ike/v1/keymat.h"
#include "wire/reader.h"

namespace ikd {
namespace {

constexpr auto hashes = {crypto::Hash::md5, crypto::Hash::sha1, crypto::Hash::sha2_256,
                         crypto::Hash::sha2_384, crypto::Hash::sha2_512};

/// The same whenever the files are read again, and nothing that secrets could be guessed by.
std::uint32_t id_of(const base::Secret& secret) {
  static const base::Secret key = [] {
    auto out = base::Secret::of_size(32);
    crypto::random_bytes(out.writable());
    return out;
  }();
  const auto keyed = crypto::prf(crypto::Hash::sha2_256, key.view(), {secret.view()});
  return wire::Reader(keyed.view()).u32();
}

}  // namespace

Keys::Keys(const config::Ike& ike, config::Secrets secrets, std::vector<pki::OwnIdentity> own)
    : own_(std::move(own)) {
  for (const auto& psk : ike.psks) {
    const auto found = secrets.psk.find(psk.name);
    if (found == secrets.psk.end()) continue;
    by_name_.emplace(psk.name, psks_.size());
    auto& known = psks_.emplace_back(Psk{psk.name, psk.peer, std::move(found->second), {}});
    for (const auto& secret : known.secrets) known.ids.push_back(id_of(secret));
  }
}

void Keys::append(ike::SkeyidsDone& out, const Psk& psk, const ike::DeriveSkeyids& request) {
  if (psk.peer && !psk.peer->contains(request.peer)) return;
  for (std::size_t i = 0; i < psk.secrets.size(); ++i) {
    out.candidates.push_back(
        {psk.name, static_cast<std::uint32_t>(i), psk.ids[i],
         ike::v1::skeyid_of_psk(request.hash, psk.secrets[i].view(), request.ni, request.nr)});
  }
}

ike::SkeyidsDone Keys::derive(const ike::DeriveSkeyids& request) const {
  ike::SkeyidsDone out{.ticket = request.ticket, .candidates = {}};
  for (const auto& name : request.names) {
    if (const auto found = by_name_.find(name); found != by_name_.end())
      append(out, psks_[found->second], request);
  }
  if (!request.names.empty()) return out;
  auto at = request.from;
  for (; at < psks_.size() && out.candidates.size() < batch; ++at) append(out, psks_[at], request);
  if (at < psks_.size()) out.next = at;
  return out;
}

ike::Signed Keys::sign(const ike::Sign& request) const {
  if (request.certificate >= own_.size()) return {request.ticket, base::fail("there is no such certificate")};
  // With RSA what is no hash could be the DigestInfo of something else than IKE, such as a certificate.
  if (std::ranges::none_of(hashes, [&](auto h) { return crypto::hash_size(h) == request.hash.size(); }))
    return {request.ticket, base::fail("this is no hash")};
  const auto& own = own_[request.certificate];
  return {request.ticket, own.key.sign(own.certificate.method, request.hash)};
}

}  // namespace ikd
