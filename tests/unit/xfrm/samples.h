#pragma once
// A peer behind a NAT as the gateway sees it (kernel.md §1).

#include "xfrm/types.h"

namespace samples {

inline base::Address address(std::string_view text) { return *base::Address::parse(text); }
inline base::Prefix prefix(std::string_view text) { return *base::Prefix::parse(text); }

inline constexpr xfrm::MaskedMark mark{.value = 0x00000100, .mask = 0x0fffff00};

inline xfrm::EspTransform cbc() {
  return {.encryption = xfrm::Encryption::aes_cbc,
          .encryption_key = base::Secret(base::Bytes(16, 0x11)),
          .integrity = xfrm::Integrity::hmac_sha2_256_128,
          .integrity_key = base::Secret(base::Bytes(32, 0x22))};
}

inline xfrm::EspTransform gcm() {
  return {.encryption = xfrm::Encryption::aes_gcm_16,
          .encryption_key = base::Secret(base::Bytes(36, 0x33)),
          .integrity = xfrm::Integrity::none,
          .integrity_key = {}};
}

inline xfrm::Sa inbound() {
  xfrm::Sa sa;
  sa.source = address("198.51.100.1");
  sa.destination = address("203.0.113.1");
  sa.spi = xfrm::Spi(0xc0000101);
  sa.reqid = xfrm::Reqid(1);
  sa.selector = {.source = prefix("240.0.0.1/32"),
                 .destination = prefix("203.0.113.1/32"),
                 .protocol = IPPROTO_UDP,
                 .source_port = {},
                 .destination_port = 1701};
  sa.transform = cbc();
  sa.encap = xfrm::Encap{.source_port = 40001, .destination_port = 4500};
  sa.set_mark = mark;
  sa.lifetimes.soft.packets = 4'000'000'000;
  sa.lifetimes.soft.bytes = 250'000'000;
  sa.lifetimes.hard.time = std::chrono::seconds(3700);
  sa.mapping_interval = std::chrono::seconds(1);
  return sa;
}

inline xfrm::Sa outbound() {
  xfrm::Sa sa;
  sa.source = address("203.0.113.1");
  sa.destination = address("240.0.0.1");
  sa.spi = xfrm::Spi(0x0badcafe);
  sa.reqid = xfrm::Reqid(1);
  sa.selector = {.source = prefix("203.0.113.1/32"),
                 .destination = prefix("240.0.0.1/32"),
                 .protocol = IPPROTO_UDP,
                 .source_port = 1701,
                 .destination_port = {}};
  sa.transform = gcm();
  sa.replay_window = 32;
  sa.encap = xfrm::Encap{.source_port = 4500, .destination_port = 40001};
  sa.mark = mark;
  return sa;
}

inline xfrm::Policy policy() {
  return {.selector = outbound().selector,
          .direction = xfrm::Direction::out,
          .mark = mark,
          .reqid = xfrm::Reqid(1),
          .priority = 100};
}

}  // namespace samples
