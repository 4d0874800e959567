#include "l2tpd/mtu.h"

#include <algorithm>

namespace l2tpd {
namespace {

constexpr int ip_header = 20, ipv6_header = 40, udp_header = 8;
constexpr int l2tp_header = 8;       // with L, which the peer may send
constexpr int sequence_numbers = 4;  // Ns and Nr
constexpr int ppp_header = 4;        // address, control, protocol: the kernel compresses none of it
constexpr int esp_header = 8;        // SPI and sequence number
constexpr int esp_trailer = 2;       // pad length and next header, inside what is padded
constexpr int least = 576;           // what any host must take

/// What a transform adds, octets.
struct Overhead {
  int iv, block, icv;
};

Overhead overhead_of(std::string_view transform) {
  if (transform.find("gcm16") != transform.npos) return {.iv = 8, .block = 4, .icv = 16};
  const bool des = transform.starts_with("3des");
  const bool aes = transform.starts_with("aes");
  const int block = des ? 8 : 16;
  int icv = 32;
  if (des || aes) {
    if (transform.ends_with("-sha1") || transform.ends_with("-md5")) icv = 12;
    if (transform.ends_with("-sha256")) icv = 16;
    if (transform.ends_with("-sha384")) icv = 24;
  }
  return {.iv = block, .block = block, .icv = icv};
}

}  // namespace

std::uint16_t largest_ppp_packet(std::uint16_t path_mtu, const Carrier& carrier) {
  int room = path_mtu - (carrier.ipv6 ? ipv6_header : ip_header);
  if (carrier.ipsec) {
    if (carrier.udp_encapsulation) room -= udp_header;
    const auto overhead = overhead_of(carrier.transform);
    room -= esp_header + overhead.iv + overhead.icv;
    room -= room % overhead.block + esp_trailer;
  }
  room -= udp_header + l2tp_header + ppp_header;
  if (carrier.sequencing) room -= sequence_numbers;
  return static_cast<std::uint16_t>(std::clamp(room, least, 1500));
}

}  // namespace l2tpd
