// The ISAKMP decoders. Whatever decodes must encode back to the same bytes where the format allows it, and
// whatever is offered is chosen from without trouble.

#include "ike/profile.h"
#include "ike/v1/exchange_table.h"
#include "ike/v1/fragment.h"
#include "ike/v1/identification.h"
#include "ike/v1/message.h"
#include "ike/v1/nat.h"
#include "ike/v1/sa_payload.h"

namespace {

namespace v1 = ike::v1;
using base::ByteView;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

/// RESERVED2 of a transform (two bytes) is not kept, so SA bodies are compared after a second round.
void sa_body(ByteView body) {
  const auto sa = v1::decode_sa(body);
  if (!sa) return;
  const auto once = v1::encode_sa(*sa);
  require(once.size() == body.size());
  const auto again = v1::decode_sa(once);
  require(again.has_value() && v1::encode_sa(*again) == once);
  static const auto transforms = ike::default_ike_transforms();
  static const auto suites = ike::default_esp_suites();
  if (const auto offer = v1::choose(*sa, transforms)) {
    require(offer->proposal.transforms.size() == 1);
    require(std::ranges::find(transforms, offer->transform) != transforms.end());
  }
  for (const auto mode : {v1::EncapsulationMode::transport, v1::EncapsulationMode::udp_transport}) {
    const auto offer = v1::choose(*sa, suites, mode);
    if (!offer) continue;
    require(std::ranges::find(suites, offer->suite) != suites.end() && offer->spi.value >= 256);
  }
  require(v1::describe(*sa).size() < 1000);
}

void body_of(const v1::Payload& p) {
  switch (p.type) {
    case v1::PayloadType::sa: return sa_body(p.body);
    case v1::PayloadType::notification:
      if (const auto n = v1::decode_notification(p.body))
        require(base::equal(v1::encode_notification(*n), p.body));
      return;
    case v1::PayloadType::delete_:
      if (const auto d = v1::decode_delete(p.body); d && d->spi_size > 0)
        require(base::equal(v1::encode_delete(*d), p.body));
      return;
    case v1::PayloadType::identification:
    case v1::PayloadType::nat_oa:
    case v1::PayloadType::nat_oa_draft:
      if (const auto id = v1::decode_identification(p.body)) {
        require(base::equal(v1::encode_identification(*id), p.body));
        for (const char c : v1::describe(*id)) require(c >= 0x20 && c < 0x7f);
      }
      return;
    case v1::PayloadType::fragment:
      if (const auto piece = v1::decode_fragment(p.body)) require(piece->number != 0 && !piece->data.empty());
      return;
    // These have no shape of their own; each is to be seen (tests/fuzz/coverage).
    case v1::PayloadType::none: return;
    case v1::PayloadType::proposal: return;
    case v1::PayloadType::transform: return;
    case v1::PayloadType::key_exchange: return;
    case v1::PayloadType::certificate: return;
    case v1::PayloadType::certificate_request: return;
    case v1::PayloadType::hash: return;
    case v1::PayloadType::signature: return;
    case v1::PayloadType::nonce: return;
    case v1::PayloadType::vendor_id: return;
    case v1::PayloadType::nat_d: return;
    case v1::PayloadType::nat_d_draft: return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView in(data, size);
  const auto header = v1::decode_header(in);
  if (!header) return 0;
  wire::Writer out;
  v1::put_header(out, *header);
  require(base::equal(out.view(), in.first(v1::header_size)));

  const auto body = in.first(header->length).subspan(v1::header_size);
  const auto chain = v1::decode_chain(header->next, body);
  if (!chain) return 0;
  require(chain->payloads.size() <= v1::most_payloads && chain->size <= body.size());
  wire::Writer chained;
  v1::put_chain(chained, chain->payloads);
  require(base::equal(chained.view(), body.first(chain->size)));
  for (const auto& p : chain->payloads) body_of(p);
  for (const auto& row : v1::exchange_table) v1::legal(row.step, *chain);
  v1::understands_fragments(*chain);
  if (const auto* sa = chain->find(v1::PayloadType::sa)) {
    if (const auto offered = v1::decode_sa(sa->body))
      require(!name_of(ike::recognise(*chain, *offered)).empty());
  }
  std::size_t split_bytes = 0;
  for (const auto& piece : v1::split(in.first(header->length), 100)) split_bytes += piece.size() - 36;
  require(split_bytes == 0 || split_bytes == header->length);
  const auto flavour = v1::choose_nat_flavour(*chain);
  v1::find_nat(*chain, flavour, crypto::Hash::sha1, header->initiator, header->responder, {}, {});
  return 0;
}
