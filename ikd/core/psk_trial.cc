#include "ike/psk_trial.h"

#include <utility>

#include "crypto/cipher.h"
#include "ike/v1/exchange_table.h"

namespace ike {
namespace {

constexpr std::size_t generic_header = 4;

/// Whether the first block can be the beginning of a payload chain: under a wrong key one in some 100,000
/// is, so that the rest need not be decrypted and hashed for nothing.
bool begins_a_chain(const PskTrial& trial, const base::Secret& key, std::size_t size) {
  const auto block = crypto::block_size(trial.transform.cipher);
  const auto text = base::ByteView(trial.message).subspan(v1::header_size, block);
  const auto clear = crypto::decrypt_cbc(trial.transform.cipher, key.view(), trial.iv, text);
  const std::size_t length = static_cast<std::size_t>(clear[2]) << 8 | clear[3];
  return clear[1] == 0 && length >= generic_header && length <= size;
}

}  // namespace

std::optional<PskHit> first_fitting(PskTrial& trial) {
  const auto header = v1::decode_header(trial.message);
  const auto block = crypto::block_size(trial.transform.cipher);
  if (!header || trial.message.size() < v1::header_size + block) return std::nullopt;
  const auto size = trial.message.size() - v1::header_size;
  for (auto& candidate : trial.candidates) {
    auto keys = v1::derive_session_keys(trial.transform, candidate.skeyid, trial.g_xy, trial.initiator,
                                        trial.responder);
    if (!begins_a_chain(trial, keys.encryption_key, size)) continue;
    auto clear = v1::decrypt(*header, trial.message, trial.transform, keys.encryption_key, trial.iv);
    if (!clear) return std::nullopt;  // no whole number of blocks, under any key
    const auto chain = v1::decode_chain(header->next, clear->body);
    if (!chain || !v1::legal(v1::Step::main_mode_5, *chain)) continue;
    const auto id_body = chain->find(v1::PayloadType::identification)->body;
    const auto expected = v1::phase1_hash(trial.transform.hash, candidate.skeyid, trial.g_xi, trial.g_xr,
                                          trial.initiator, trial.responder, trial.sa_body, id_body);
    if (!base::same_in_constant_time(chain->find(v1::PayloadType::hash)->body, expected.view())) continue;
    return PskHit{.key = std::move(candidate),
                  .keys = std::move(keys),
                  .body = std::move(clear->body),
                  .next_iv = std::move(clear->next_iv)};
  }
  return std::nullopt;
}

}  // namespace ike
