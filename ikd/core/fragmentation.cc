// IKE fragmentation at the engine's door: pieces in, pieces out.

#include "ike/engine.h"
#include "ike/v1/fragment.h"

namespace ike {

void Engine::send(const IsakmpSa& sa, ByteView message) {
  const auto most = largest_datagram(sa.client);
  if (!sa.fragments || message.size() <= most) return send(sa.local, sa.remote, message);
  const auto pieces = v1::split(message, most);
  if (pieces.empty()) return send(sa.local, sa.remote, message);
  for (const auto& piece : pieces) send(sa.local, sa.remote, piece);
}

// Only for an SA that is known, and only where it said that it sends such: message 1 is never in pieces,
// for nobody has said yet that he understands them.
void Engine::fragment(IsakmpSa& sa, ByteView datagram, const base::Endpoint& from, const base::Endpoint& to,
                      base::Time now) {
  if (!sa.fragments) return drop(DropReason::unexpected_payload);
  const auto chain = v1::decode_chain(v1::PayloadType::fragment, datagram.subspan(v1::header_size), 1);
  const auto piece = chain ? v1::decode_fragment(chain->payloads.front().body)
                           : v1::Decoded<v1::Fragment>(tl::unexpected(chain.error()));
  if (!piece) return drop(DropReason::malformed);
  const auto taken = fragments_.take(sa.number, from, *piece, now);
  watch_fragments();
  if (!taken) return drop(DropReason::fragment_limit);
  if (!*taken) return;
  const auto& message = **taken;
  // The pieces' own headers say little: strongSwan calls every exchange Main Mode in them.
  const auto header = v1::decode_header(message);
  if (!header || header->length != message.size() || header->initiator != sa.initiator ||
      header->responder != sa.responder || header->next == v1::PayloadType::fragment)
    return drop(DropReason::malformed);
  dispatch(sa, *header, message, from, to, now);
}

void Engine::watch_fragments() {
  if (const auto next = fragments_.next_timeout()) {
    timers_.set({TimerKind::fragments, 0}, *next);
  } else {
    timers_.cancel({TimerKind::fragments, 0});
  }
}

}  // namespace ike
