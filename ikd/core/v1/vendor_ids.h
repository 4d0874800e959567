#pragma once
// Vendor IDs (RFC 2408 §3.16). Most are the MD5 of a text, which the test computes again.

#include <array>
#include <cstdint>
#include <string_view>

#include "ike/v1/payload.h"

namespace ike::v1 {

namespace detail {
constexpr std::uint8_t nibble(char c) { return static_cast<std::uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); }
template <std::size_t digits>
constexpr std::array<std::uint8_t, (digits - 1) / 2> from_hex(const char (&text)[digits]) {
  std::array<std::uint8_t, (digits - 1) / 2> out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::uint8_t>(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
  return out;
}
}  // namespace detail

// NAT traversal: the RFC, and the drafts of it that are still met. "-02" exists with and without a newline
// at the end of the text.
inline constexpr auto vendor_rfc3947 = detail::from_hex("4a131c81070358455c5728f20e95452f");
inline constexpr auto vendor_natt_00 = detail::from_hex("4485152d18b6bbcd0be8a8469579ddcc");
inline constexpr auto vendor_natt_02 = detail::from_hex("cd60464335df21f87cfdb2fc68b6a448");
inline constexpr auto vendor_natt_02n = detail::from_hex("90cb80913ebb696e086381b5ec427b1f");
inline constexpr auto vendor_natt_03 = detail::from_hex("7d9419a65310ca6f2c179d9215529d56");
inline constexpr auto vendor_natt_04 = detail::from_hex("9909b64eed937c6573de52ace952fa6b");
inline constexpr auto vendor_natt_05 = detail::from_hex("80d0bb3def54565ee84645d4c85ce3ee");
inline constexpr auto vendor_natt_06 = detail::from_hex("4d1e0e136deafa34c4f3ea9f02ec7285");
inline constexpr auto vendor_natt_07 = detail::from_hex("439b59f8ba676c4c7737ae22eab8f582");
inline constexpr auto vendor_natt_08 = detail::from_hex("8f8d83826d246b6fc7a8a6a428c11de8");
/// "draft-ietf-ipsec-nat-t-ike" without a number: Apple's own (racoon/nattraversal.c), sent by nobody else.
inline constexpr auto vendor_natt_apple = detail::from_hex("4df37928e9fc4fd1b3262170d515c662");

/// RFC 3706 §5.1, version 1.0.
inline constexpr auto vendor_dpd = detail::from_hex("afcad71368a1f1c96b8696fc77570100");

/// "FRAGMENTATION". Windows and Libreswan send it bare; others append four bytes of capabilities, the first
/// bit of which is Main Mode's (racoon's VENDORID_FRAG_IDENT).
inline constexpr auto vendor_fragmentation = detail::from_hex("4048b7d56ebce88525e7de7f00d6c2d3");
/// The same as we say it.
inline constexpr auto vendor_fragmentation_main =
    detail::from_hex("4048b7d56ebce88525e7de7f00d6c2d380000000");

// What tells implementations apart (clients.md §1-§6).
inline constexpr auto vendor_microsoft = detail::from_hex("1e2b516905991c7d7c96fcbfb587e461");  // + version
inline constexpr auto vendor_ms_negotiation = detail::from_hex("fb1de3cdf341b7ea16b7e5be0855f120");
inline constexpr auto vendor_ms_initial_contact = detail::from_hex("26244d38eddb61b3172a36e3d0cfb819");
inline constexpr auto vendor_ms_cga = detail::from_hex("e3a5966a76379fe707228231e5ce8652");
inline constexpr auto vendor_xauth = detail::from_hex("09002689dfd6b712");
inline constexpr auto vendor_strongswan = detail::from_hex("882fe56d6fd20dbc2251613b2ebe5beb");
inline constexpr auto vendor_unity = detail::from_hex("12f5f28c457168a9702d9fe274cc");          // + version
inline constexpr auto vendor_cisco_vpn3000 = detail::from_hex("1f07f70eaa6514d3b0fa96542a50");  // + version
inline constexpr auto vendor_cisco_ios = detail::from_hex("3e984048");                          // + 12 bytes
inline constexpr std::string_view vendor_libreswan = "OE-Libreswan-";                           // + version

/// Whether a message carries exactly this vendor ID.
bool has_vendor(const Chain& chain, ByteView id);
/// Whether it carries one that begins with `beginning`.
bool has_vendor_like(const Chain& chain, ByteView beginning);
/// Whether the sender understands fragments of phase 1 messages: the bare vendor ID, or Main Mode's bit.
bool understands_fragments(const Chain& chain);

}  // namespace ike::v1
