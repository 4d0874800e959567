// What it costs ikd's broker and the kernel to take a peer in and to let it go, by the number of peers that
// are there already: both SAs, the policy and the map elements, as ikd asks for them. Runs where XFRM and ESP
// are, with the ruleset of ikd's default configuration loaded; a line of JSON for each size.
//
//   peers_bench one|own SIZE...     ascending; all behind one NAT address, or each behind its own

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include <nlohmann/json.hpp>

#include "ikd/broker.h"
#include "ikd/settings.h"

namespace {

constexpr std::uint32_t sample = 50;  // peers that are taken in and let go for each figure

const auto gateway = base::Address::v4(0xcb007101);  // 203.0.113.1

struct Peers {
  ike::Numbering numbering;
  bool own_nats;

  base::Address our_end(std::uint32_t n) const {
    return numbering.our_end(ike::l2tp_service, entry(n).alias, gateway);
  }
  base::Address home(std::uint32_t n) const { return base::Address::v4(0xc6120001 + (own_nats ? n : 0)); }

  ike::PeerEntry entry(std::uint32_t n) const {
    const ike::PeerNumber number(n);
    return {.mark = numbering.mark_of(number),
            .alias = numbering.alias_of(number, home(n)),
            .home = home(n),
            .dialled = gateway};
  }
  xfrm::Sa sa(std::uint32_t n) const {
    xfrm::Sa out;
    out.spi = xfrm::Spi(0x10000 + n);
    out.reqid = xfrm::Reqid(entry(n).mark.value);
    out.transform = {.encryption = xfrm::Encryption::aes_cbc,
                     .encryption_key = base::Secret::of_size(16),
                     .integrity = xfrm::Integrity::hmac_sha1_96,
                     .integrity_key = base::Secret::of_size(20)};
    return out;
  }
  ike::InstallInbound inbound(std::uint32_t n) const {
    auto in = sa(n);
    in.source = home(n);
    in.destination = gateway;
    in.selector = {.source = base::host(entry(n).alias),
                   .destination = numbering.our_ends(ike::l2tp_service, gateway),
                   .protocol = 17,
                   .source_port = {},
                   .destination_port = 1701};
    in.set_mark = xfrm::MaskedMark{entry(n).mark.value, numbering.mask};
    in.encap = xfrm::Encap{.source_port = port(n), .destination_port = 4500};
    return {.ticket = {}, .sa = std::move(in), .new_entry = entry(n)};
  }
  xfrm::Policy policy(std::uint32_t n) const {
    xfrm::Policy out;
    out.selector = {.source = base::host(our_end(n)),
                    .destination = base::host(entry(n).alias),
                    .protocol = 17,
                    .source_port = 1701,
                    .destination_port = {}};
    out.mark = numbering.lookup_mark_of(ike::PeerNumber(n));
    out.reqid = xfrm::Reqid(entry(n).mark.value);
    return out;
  }
  ike::InstallOutbound outbound(std::uint32_t n) const {
    auto out = sa(n);
    out.source = our_end(n);
    out.destination = entry(n).alias;
    out.selector = policy(n).selector;
    out.mark = policy(n).mark;
    out.encap = xfrm::Encap{.source_port = 4500, .destination_port = port(n)};
    return {.ticket = {}, .sa = std::move(out), .new_policy = policy(n)};
  }
  std::uint16_t port(std::uint32_t n) const { return static_cast<std::uint16_t>(1024 + n % 60000); }
};

template <class Value, class Error>
void must(const base::Result<Value, Error>& result) {
  if (result) return;
  std::fprintf(stderr, "peers_bench: %s\n", result.error().message.c_str());
  std::exit(1);
}

class Timer {
 public:
  double microseconds(std::uint32_t parts) const {
    return std::chrono::duration<double, std::micro>(base::Clock::now() - begun_).count() / parts;
  }

 private:
  base::Time begun_ = base::Clock::now();
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: peers_bench one|own SIZE...\n");
    return 2;
  }
  const config::Config config;
  auto broker = ikd::Broker::open(config);
  must(broker);
  const Peers peers{ikd::numbering_from(config), std::string(argv[1]) == "own"};
  std::uint32_t oldest = 1, next = 1;
  const auto take_in = [&](std::uint32_t count) {
    for (; count > 0; --count, ++next) {
      must(broker->install(peers.inbound(next)));
      must(broker->install(peers.outbound(next)));
    }
  };
  const auto let_go = [&](std::uint32_t n) {
    must(broker->remove(ike::RemoveSa{xfrm::id_of(peers.inbound(n).sa), peers.entry(n).mark}));
    must(broker->remove(ike::RemoveSa{xfrm::id_of(peers.outbound(n).sa), peers.entry(n).mark}));
    must(broker->remove(ike::RemovePeer{peers.entry(n)}));
  };
  for (int i = 2; i < argc; ++i) {
    const auto size = static_cast<std::uint32_t>(std::atoi(argv[i]));
    take_in(size - (next - oldest));
    const Timer in;
    take_in(sample);
    const auto in_us = in.microseconds(sample);
    const Timer out;
    for (std::uint32_t n = 0; n < sample; ++n) let_go(--next);
    const auto newest_us = out.microseconds(sample);
    take_in(sample);
    const Timer out_again;
    for (std::uint32_t n = 0; n < sample; ++n) let_go(oldest++);
    std::cout << nlohmann::json{{"peers", size},
                                {"in_us", in_us},
                                {"newest_us", newest_us},
                                {"oldest_us", out_again.microseconds(sample)}}
              << std::endl;
  }
  must(broker->clean_up());
  return 0;
}
