#include "l2tpd/router_advertisement.h"

#include <algorithm>

#include <netinet/icmp6.h>

#include "wire/reader.h"
#include "wire/writer.h"

namespace l2tpd {
namespace {

using namespace std::chrono_literals;
using std::chrono::seconds;

// RFC 4861 §6.2.1 and §10, with their names there.
constexpr base::Duration max_rtr_adv_interval = 600s, min_rtr_adv_interval = 198s;
constexpr base::Duration max_initial_rtr_advert_interval = 16s;
constexpr int max_initial_rtr_advertisements = 3;
constexpr base::Duration min_delay_between_ras = 3s;
constexpr base::Duration max_ra_delay_time = 500ms;

// What is announced outlives two advertisements that are lost; addresses go with the interface anyhow.
constexpr seconds lifetime = 1800s;
constexpr seconds valid_lifetime = 7200s;
static_assert(lifetime == 3 * max_rtr_adv_interval);  // RFC 8106 §5.1 wants the same of a DNS server

constexpr std::uint8_t default_hop_limit = 64;
constexpr std::uint8_t our_hop_limit = 255;  // nobody beyond the link can send with it
constexpr std::uint8_t option_rdnss = 25;
constexpr std::size_t option_unit = 8;
constexpr std::size_t solicitation_size = 8;

std::uint32_t number(seconds value) { return static_cast<std::uint32_t>(value.count()); }

base::Duration between(base::Duration least, base::Duration most, std::uint16_t random) {
  return least + (most - least) * random / UINT16_MAX;
}

void put_prefix(wire::Writer& out, const base::Prefix& prefix) {
  out.u8(ND_OPT_PREFIX_INFORMATION);
  out.u8(4);
  out.u8(prefix.length);
  // Not on the link: the whole way to a neighbour is through us.
  out.u8(ND_OPT_PI_FLAG_AUTO);
  out.u32(number(valid_lifetime));
  out.u32(number(lifetime));
  out.zeros(4);
  out.bytes(prefix.network.bytes());
}

void put_dns(wire::Writer& out, const std::vector<base::Address>& servers) {
  out.u8(option_rdnss);
  out.u8(static_cast<std::uint8_t>(1 + 2 * servers.size()));
  out.zeros(2);
  out.u32(number(lifetime));
  for (const auto& server : servers) out.bytes(server.bytes());
}

}  // namespace

base::Bytes encode(const RouterAdvertisement& advertisement) {
  wire::Writer out;
  out.u8(ND_ROUTER_ADVERT);
  out.u8(0);
  out.zeros(2);
  out.u8(default_hop_limit);
  out.u8(0);  // no DHCPv6
  out.u16(static_cast<std::uint16_t>(lifetime.count()));
  out.zeros(8);  // reachable time and retransmission timer: the host's own
  put_prefix(out, advertisement.prefix);
  out.u8(ND_OPT_MTU);
  out.u8(1);
  out.zeros(2);
  out.u32(advertisement.mtu);
  if (!advertisement.dns.empty()) put_dns(out, advertisement.dns);
  return out.take();
}

bool is_router_solicitation(base::ByteView message, std::uint32_t hop_limit) {
  if (hop_limit != our_hop_limit || message.size() < solicitation_size) return false;
  if (message[0] != ND_ROUTER_SOLICIT || message[1] != 0) return false;
  for (wire::Reader in(message.subspan(solicitation_size)); in.left() > 0;) {
    in.u8();
    const std::size_t length = in.u8() * option_unit;
    if (length == 0) return false;
    in.bytes(length - 2);
    if (!in.ok()) return false;
  }
  return true;
}

void AdvertisingTimes::sent(base::Time now, std::uint16_t random) {
  earliest_ = now + min_delay_between_ras;
  const auto wait = between(min_rtr_adv_interval, max_rtr_adv_interval, random);
  const bool initial = sent_ < max_initial_rtr_advertisements && ++sent_ < max_initial_rtr_advertisements;
  next_ = now + (initial ? std::min(wait, max_initial_rtr_advert_interval) : wait);
}

void AdvertisingTimes::solicited(base::Time now, std::uint16_t random) {
  next_ = std::min(next_, std::max(earliest_, now + between({}, max_ra_delay_time, random)));
}

}  // namespace l2tpd
