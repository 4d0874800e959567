#include "ike/v1/vendor_ids.h"

#include <algorithm>

namespace ike::v1 {
namespace {

template <class Test>
bool any_vendor(const Chain& chain, Test test) {
  return std::ranges::any_of(
      chain.payloads, [&test](const Payload& p) { return p.type == PayloadType::vendor_id && test(p.body); });
}

bool begins_with(ByteView body, ByteView beginning) {
  return body.size() >= beginning.size() && base::equal(body.first(beginning.size()), beginning);
}

}  // namespace

bool has_vendor(const Chain& chain, ByteView id) {
  return any_vendor(chain, [id](ByteView body) { return base::equal(body, id); });
}

bool has_vendor_like(const Chain& chain, ByteView beginning) {
  return any_vendor(chain, [beginning](ByteView body) { return begins_with(body, beginning); });
}

bool understands_fragments(const Chain& chain) {
  return any_vendor(chain, [](ByteView body) {
    if (!begins_with(body, vendor_fragmentation)) return false;
    const auto capabilities = body.subspan(vendor_fragmentation.size());
    return capabilities.empty() || (capabilities.size() == 4 && (capabilities[0] & 0x80) != 0);
  });
}

}  // namespace ike::v1
