#pragma once
// What the kernel would list of two peers' SAs and policies: requests to install them have the same form.

#include <linux/netlink.h>

#include "xfrm/encode.h"
#include "xfrmctl/kernel.h"

namespace messages {

inline const auto gateway = base::Address::v4(0xcb007101);  // 203.0.113.1
inline const auto nat = base::Address::v4(0xc6336401);      // 198.51.100.1
inline base::Address alias(std::uint32_t number) { return base::Address::v4(0xf0000000 + number); }
inline xfrm::MaskedMark mark(std::uint32_t number) { return {.value = number << 8, .mask = 0x0fffff00}; }

inline xfrm::Sa inbound_sa(std::uint32_t number) {
  xfrm::Sa sa;
  sa.source = nat, sa.destination = gateway;
  sa.spi = xfrm::Spi(0x0badca00 + number);
  sa.reqid = xfrm::Reqid(number << 8);
  sa.selector = {.source = base::host(alias(number)),
                 .destination = base::host(gateway),
                 .protocol = 17,
                 .source_port = {},
                 .destination_port = 1701};
  sa.transform = {.encryption = xfrm::Encryption::aes_cbc,
                  .encryption_key = base::Secret::copy_of(base::as_bytes(std::string(32, 'k'))),
                  .integrity = xfrm::Integrity::hmac_sha1_96,
                  .integrity_key = base::Secret::copy_of(base::as_bytes(std::string(20, 'k')))};
  sa.encap = xfrm::Encap{.source_port = 40001, .destination_port = 4500};
  sa.set_mark = mark(number);
  sa.lifetimes.hard.time = std::chrono::seconds(3600);
  return sa;
}

inline xfrm::Sa outbound_sa(std::uint32_t number) {
  auto sa = inbound_sa(number);
  sa.source = gateway, sa.destination = nat;
  sa.mode = xfrm::Mode::beet;
  sa.spi = xfrm::Spi(0xfeed0000 + number);
  sa.selector = {.source = base::host(gateway),
                 .destination = base::host(alias(number)),
                 .protocol = 17,
                 .source_port = 1701,
                 .destination_port = {}};
  sa.encap = xfrm::Encap{.source_port = 4500, .destination_port = 40001};
  sa.mark = mark(number);
  sa.set_mark.reset();
  return sa;
}

inline xfrm::Policy outbound_policy(std::uint32_t number) {
  return {.selector = outbound_sa(number).selector,
          .direction = xfrm::Direction::out,
          .mark = mark(number),
          .reqid = xfrm::Reqid(number << 8),
          .priority = 100,
          .outer = xfrm::Ends{.source = gateway, .destination = nat}};
}

inline base::Bytes inbound(std::uint32_t number) {
  return base::to_bytes(xfrm::add_sa(inbound_sa(number)).view());
}
inline base::Bytes outbound(std::uint32_t number) {
  return base::to_bytes(xfrm::add_sa(outbound_sa(number)).view());
}
inline base::Bytes policy(std::uint32_t number) {
  return base::to_bytes(xfrm::add_policy(outbound_policy(number)).view());
}

}  // namespace messages

namespace xfrmctl {

inline KernelSa sa_from_message(base::Bytes bytes) {
  return sa_from(*reinterpret_cast<nlmsghdr*>(bytes.data())).value();
}
inline KernelPolicy policy_from_message(base::Bytes bytes) {
  return policy_from(*reinterpret_cast<nlmsghdr*>(bytes.data())).value();
}

}  // namespace xfrmctl
