#include "ike/refusal.h"

#include <iterator>

namespace ike {
namespace {

constexpr std::string_view names[] = {"none",
                                      "no_common_ike_proposal",
                                      "not_in_aggressive_mode",
                                      "no_common_esp_proposal",
                                      "pfs_group_unknown",
                                      "key_exchange_failed",
                                      "no_psk_for_address",
                                      "wrong_psk",
                                      "wrong_psk_for_identity",
                                      "unknown_identity",
                                      "certificate_refused",
                                      "certificate_expired",
                                      "certificate_not_yet_valid",
                                      "certificate_revoked",
                                      "certificate_untrusted",
                                      "certificate_unknown_class",
                                      "own_key_unusable",
                                      "no_mark_left",
                                      "no_third_message",
                                      "port_4500_blocked",
                                      "no_proof_came",
                                      "no_quick_mode",
                                      "traffic_not_served",
                                      "quick_mode_unanswered",
                                      "kernel_refused",
                                      "nft_refused"};
static_assert(std::size(names) == static_cast<std::size_t>(Refusal::count_));

}  // namespace

std::string_view name_of(Refusal refusal) { return names[static_cast<std::size_t>(refusal)]; }

}  // namespace ike
