// Any bytes as a control message: what decodes encodes back, and decoding is settled after one round.

#include "l2tp/avp.h"
#include "l2tp/message.h"
#include "l2tp/secrecy.h"

namespace {

void require(bool holds) {
  if (!holds) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const base::ByteView in(data, size);
  if (const auto header = l2tp::decode_header(in)) {
    // Flags the RFC tells us to ignore and padding do not come back; everything else does.
    const auto out = l2tp::encode(*header);
    require(base::equal(base::ByteView(out).subspan(2), in.subspan(2, out.size() - 2)));
  }
  if (const auto avps = l2tp::decode_avps(in)) {
    wire::Writer out;
    for (const auto& avp : *avps) l2tp::put_avp(out, avp);
    require(base::equal(out.view(), in));
  }
  static const auto secret = l2tp::kept_here(base::Secret::copy_of(base::as_bytes("swordfish")));
  const auto random_vector = in.first(std::min<std::size_t>(size, 16));
  require(l2tp::reveal_all(in, {}) == base::to_bytes(in));
  require(l2tp::reveal_all(in, secret).size() <= size);  // what was hidden has lost its length and padding
  if (size <= l2tp::longest_avp_value) {
    const auto hidden = l2tp::hide(7, in, size % 20, secret, random_vector);
    require(hidden && l2tp::reveal(7, *hidden, secret, random_vector) == base::to_bytes(in));
  }
  const auto revealed = l2tp::reveal_all(in, secret);
  l2tp::decode(revealed);
  const auto message = l2tp::decode(in);
  if (message.fault) return 0;
  const auto once = l2tp::encode(message);
  const auto again = l2tp::decode(once);
  require(!again.fault);
  require(l2tp::encode(again) == once);
  return 0;
}
