// A datagram "from the kernel", plain or as differences from a good one: whatever decodes must decode to
// the same value after we encoded it.
#include <cstddef>
#include <cstdint>

#include "xfrm/decode.h"
#include "xfrm/encode.h"

namespace {

void require(bool holds) {
  if (!holds) __builtin_trap();
}

nl::Message message_of(const nl::Request& request) {
  auto bytes = request.view();
  const auto message = nl::next_message(bytes);
  require(message.has_value() && bytes.empty());
  return *message;
}

void check(const xfrm::InstalledSa& first) {
  const auto request = xfrm::add_sa(first.sa);
  const auto second = xfrm::decode_sa(message_of(request));
  require(second.has_value());
  require(id_of(second->sa) == id_of(first.sa));
  require(second->sa.selector == first.sa.selector);
  require(second->sa.lifetimes == first.sa.lifetimes);
  require(second->sa.encap == first.sa.encap);
  require(second->sa.set_mark == first.sa.set_mark);
  require(second->sa.replay_window == first.sa.replay_window);
  const auto& transform = first.sa.transform;
  if (transform.encryption != xfrm::Encryption::other) {
    require(base::equal(second->sa.transform.encryption_key.view(), transform.encryption_key.view()));
  }
}

void check(const xfrm::Policy& first) {
  const auto request = xfrm::add_policy(first);
  require(xfrm::decode_policy(message_of(request)) == first);
}

base::Prefix host(std::uint32_t address) { return {.network = base::Address::v4(address), .length = 32}; }

xfrm::Sa good_sa() {
  xfrm::Sa sa;
  sa.source = base::Address::v4(0xc6336401);
  sa.destination = base::Address::v4(0xcb007101);
  sa.spi = xfrm::Spi(0xc0000101);
  sa.selector.source = host(0xf0000001);
  sa.selector.destination = host(0xcb007101);
  sa.transform = {.encryption = xfrm::Encryption::aes_cbc,
                  .encryption_key = base::Secret::of_size(16),
                  .integrity = xfrm::Integrity::hmac_sha2_256_128,
                  .integrity_key = base::Secret::of_size(32)};
  sa.encap = xfrm::Encap{};
  sa.mark = sa.set_mark = xfrm::MaskedMark{.value = 0x100, .mask = 0x0fffff00};
  sa.mapping_interval = std::chrono::seconds(1);
  return sa;
}

xfrm::Policy good_policy() {
  xfrm::Policy policy;
  policy.selector = good_sa().selector;
  policy.reqid = xfrm::Reqid(1);
  return policy;
}

base::Bytes good_message(std::uint8_t which) {
  if (which == 1) return base::to_bytes(xfrm::add_sa(good_sa()).view());
  if (which == 2) {
    auto sa = good_sa();
    sa.transform = {.encryption = xfrm::Encryption::aes_gcm_16,
                    .encryption_key = base::Secret::of_size(36),
                    .integrity = xfrm::Integrity::none,
                    .integrity_key = {}};
    return base::to_bytes(xfrm::add_sa(sa).view());
  }
  return base::to_bytes(xfrm::add_policy(good_policy()).view());
}

void check_datagram(base::ByteView datagram) {
  while (const auto message = nl::next_message(datagram)) {
    if (const auto sa = xfrm::decode_sa(*message)) check(*sa);
    if (const auto policy = xfrm::decode_policy(*message)) check(*policy);
    (void)xfrm::decode_event(*message);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const base::Bytes input(data + 1, data + size);  // aligned, as a socket's buffer is
  const auto which = static_cast<std::uint8_t>(data[0] & 3);
  if (which == 0) {
    check_datagram(input);
    return 0;
  }
  auto datagram = good_message(which);
  if (input.size() > datagram.size()) datagram.resize(input.size());
  for (std::size_t i = 0; i < input.size(); ++i) datagram[i] ^= input[i];
  check_datagram(datagram);
  return 0;
}
