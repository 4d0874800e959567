// What a process that parses packets may tell the broker once it has been taken over. Whatever decodes has
// one encoding; of what the range admits the kernel is told what was checked and nothing else, and keys are
// made use of without trouble. The same bytes as an answer and as the hello, for the other side.

#include <cstring>
#include <set>

#include <libmnl/libmnl.h>
#include <linux/xfrm.h>

#include "crypto/prf.h"
#include "ikd/keys.h"
#include "ikd/protocol.h"
#include "ikd/range.h"
#include "xfrm/decode.h"
#include "xfrm/encode.h"

namespace {

void require(bool holds) {
  if (!holds) __builtin_trap();
}

const ikd::Range& range() {
  static const ikd::Range all({}, {{.protocol = 6, .port = 8080}});
  return all;
}

const ikd::Keys& keys() {
  static const ikd::Keys some = [] {
    config::Ike ike;
    config::Secrets secrets;
    for (const auto* name : {"family", "office"}) {
      auto& psk = ike.psks.emplace_back();
      psk.name = name;
      secrets.psk[name].push_back(base::Secret::copy_of(base::as_bytes(name)));
    }
    return ikd::Keys(ike, std::move(secrets));
  }();
  return some;
}

/// Every attribute of the message comes once and ends within it, and the SA is read back as it was checked.
void same_for_the_kernel(const xfrm::Sa& sa) {
  const auto request = xfrm::add_sa(sa);
  auto bytes = request.view();
  const auto message = nl::next_message(bytes);
  require(message && bytes.empty());
  std::set<std::uint16_t> seen;
  auto rest = message->payload.subspan(MNL_ALIGN(sizeof(xfrm_usersa_info)));
  while (!rest.empty()) {
    require(rest.size() >= sizeof(nlattr));
    nlattr attribute;
    std::memcpy(&attribute, rest.data(), sizeof attribute);
    const std::size_t padded = MNL_ALIGN(std::size_t{attribute.nla_len});
    require(seen.insert(attribute.nla_type).second && attribute.nla_len >= sizeof attribute &&
            padded <= rest.size());
    rest = rest.subspan(padded);
  }
  const auto read = xfrm::decode_sa(*message);
  require(read && read->sa.reqid == sa.reqid && read->sa.set_mark == sa.set_mark && read->sa.mark == sa.mark);
  require(read->sa.selector == sa.selector && read->sa.mode == xfrm::Mode::transport);
}

void perform(const ike::InstallInbound& r) {
  if (range().admits(r)) same_for_the_kernel(r.sa);
}
void perform(const ike::InstallOutbound& r) {
  if (range().admits(r)) same_for_the_kernel(r.sa);
}
void perform(const ike::RemovePeer& r) { (void)range().admits(r.entry); }
void perform(const ike::MovePeer& r) { (void)range().admits(r); }
void perform(const ikd::FillMaps& r) {
  for (const auto& peer : r.peers) (void)range().admits(peer);
}
void perform(const ike::DeriveSkeyids& r) {
  const auto done = keys().derive(r);
  for (const auto& candidate : done.candidates) require(candidate.skeyid.size() == crypto::hash_size(r.hash));
}
void perform(const ike::Sign& r) { require(!keys().sign(r).signature); }
template <class Other>
void perform(const Other&) {}

template <class Message>
void one_encoding(const std::optional<Message>& message, base::ByteView in) {
  require(!message || base::equal(ikd::encode(*message).view(), in));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::ByteView in(data, size);
  const auto request = ikd::decode_request(in);
  one_encoding(request, in);
  one_encoding(ikd::decode_answer(in), in);
  one_encoding(ikd::decode_hello(in), in);
  one_encoding(ikd::decode_provision(in), in);
  if (request) std::visit([](const auto& r) { perform(r); }, *request);
  return 0;
}
