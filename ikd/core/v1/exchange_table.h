#pragma once
// Which payloads a message may and must carry, as data: one row a message
// (RFC 2409 §5.1, §5.4, §5.5, §5.7; RFC 3947 §3.2, §5.2).

#include "ike/v1/payload.h"

namespace ike::v1 {

enum class Step : std::uint8_t {
  main_mode_1,
  main_mode_2,
  main_mode_3,
  main_mode_4,
  main_mode_5,
  main_mode_6,
  quick_mode_1,
  quick_mode_2,
  quick_mode_3,
  informational,
  main_mode_5_signature,
  main_mode_6_signature,
  aggressive_1,
  aggressive_3
};

namespace detail {
constexpr std::uint32_t set() { return 0; }
template <class... More>
constexpr std::uint32_t set(PayloadType first, More... more) {
  return 1u << static_cast<unsigned>(first) | set(more...);
}
}  // namespace detail

struct ExchangeRow {
  Step step;
  std::uint32_t once;      ///< exactly once
  std::uint32_t optional;  ///< at most once
  std::uint32_t any;       ///< any number
};

inline constexpr ExchangeRow exchange_table[] = {
    {Step::main_mode_1, detail::set(PayloadType::sa), 0, detail::set(PayloadType::vendor_id)},
    {Step::main_mode_2, detail::set(PayloadType::sa), 0, detail::set(PayloadType::vendor_id)},
    {Step::main_mode_3, detail::set(PayloadType::key_exchange, PayloadType::nonce), 0,
     detail::set(PayloadType::nat_d, PayloadType::vendor_id, PayloadType::certificate_request)},
    {Step::main_mode_4, detail::set(PayloadType::key_exchange, PayloadType::nonce), 0,
     detail::set(PayloadType::nat_d, PayloadType::vendor_id, PayloadType::certificate_request)},
    {Step::main_mode_5, detail::set(PayloadType::identification, PayloadType::hash), 0,
     detail::set(PayloadType::notification, PayloadType::vendor_id, PayloadType::certificate_request)},
    {Step::main_mode_6, detail::set(PayloadType::identification, PayloadType::hash), 0,
     detail::set(PayloadType::notification, PayloadType::vendor_id)},
    {Step::quick_mode_1, detail::set(PayloadType::hash, PayloadType::sa, PayloadType::nonce),
     detail::set(PayloadType::key_exchange),
     detail::set(PayloadType::identification, PayloadType::nat_oa, PayloadType::notification)},
    {Step::quick_mode_2, detail::set(PayloadType::hash, PayloadType::sa, PayloadType::nonce),
     detail::set(PayloadType::key_exchange),
     detail::set(PayloadType::identification, PayloadType::nat_oa, PayloadType::notification)},
    {Step::quick_mode_3, detail::set(PayloadType::hash), 0, detail::set(PayloadType::notification)},
    {Step::informational, detail::set(PayloadType::hash), 0,
     detail::set(PayloadType::notification, PayloadType::delete_)},
    {Step::main_mode_5_signature, detail::set(PayloadType::identification, PayloadType::signature), 0,
     detail::set(PayloadType::certificate, PayloadType::certificate_request, PayloadType::notification,
                 PayloadType::vendor_id)},
    {Step::main_mode_6_signature, detail::set(PayloadType::identification, PayloadType::signature), 0,
     detail::set(PayloadType::certificate, PayloadType::notification, PayloadType::vendor_id)},
    {Step::aggressive_1,
     detail::set(PayloadType::sa, PayloadType::key_exchange, PayloadType::nonce, PayloadType::identification),
     0, detail::set(PayloadType::vendor_id, PayloadType::certificate_request)},
    {Step::aggressive_3, detail::set(PayloadType::hash), 0,
     detail::set(PayloadType::nat_d, PayloadType::notification, PayloadType::vendor_id)},
};

/// The drafts' NAT-D and NAT-OA stand where the RFC's do.
inline PayloadType as_in_table(PayloadType type) {
  if (type == PayloadType::nat_d_draft) return PayloadType::nat_d;
  return type == PayloadType::nat_oa_draft ? PayloadType::nat_oa : type;
}

/// Unknown payload types are refused with the known ones that do not belong (RFC 2408 §5.3).
inline bool legal(Step step, const Chain& chain) {
  const auto& row = exchange_table[static_cast<std::size_t>(step)];
  std::uint32_t seen = 0;
  for (const auto& p : chain.payloads) {
    const auto number = static_cast<unsigned>(as_in_table(p.type));
    if (number >= 32) return false;
    const std::uint32_t bit = 1u << number;
    if ((bit & (row.once | row.optional | row.any)) == 0) return false;
    if ((bit & row.any) == 0 && (bit & seen) != 0) return false;
    seen |= bit;
  }
  return (seen & row.once) == row.once;
}

}  // namespace ike::v1
