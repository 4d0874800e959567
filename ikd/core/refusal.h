#pragma once
// Why a client does not come in, as far as IKE can tell. Each has its entry in the catalogue of refusals, and
// a counter of its name.

#include <cstdint>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace ike {

enum class Refusal : std::uint8_t {
  none,
  no_common_ike_proposal,
  not_in_aggressive_mode,
  no_common_esp_proposal,
  pfs_group_unknown,
  key_exchange_failed,
  no_psk_for_address,
  wrong_psk,
  wrong_psk_for_identity,
  unknown_identity,
  certificate_refused,
  certificate_expired,
  certificate_not_yet_valid,
  certificate_revoked,
  certificate_untrusted,
  certificate_unknown_class,
  own_key_unusable,
  no_mark_left,
  no_third_message,
  port_4500_blocked,
  no_proof_came,
  no_quick_mode,
  traffic_not_served,
  quick_mode_unanswered,
  kernel_refused,
  nft_refused,
  count_
};

std::string_view name_of(Refusal refusal);

/// An error that knows its entry.
struct Refused : base::Error {
  Refusal refusal = Refusal::none;
};

using DoneOrRefused = base::Result<void, Refused>;

inline DoneOrRefused refused_as(Refusal refusal, base::Result<void> done) {
  if (done) return {};
  return tl::unexpected(Refused{std::move(done.error()), refusal});
}

}  // namespace ike
