// The ISAKMP decoders, and what certificates and names say that come in them. Whatever decodes must encode
// back to the same bytes where the format allows it, and whatever is offered is chosen from without trouble.

#include "ike/profile.h"
#include "ike/v1/exchange_table.h"
#include "ike/v1/fragment.h"
#include "ike/v1/identification.h"
#include "ike/v1/message.h"
#include "ike/v1/nat.h"
#include "ike/v1/sa_payload.h"
#include "pki/certificate.h"
#include "pki/signature.h"

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

/// What is shown to people and goes to programs as JSON.
void clean(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    require(lead >= 0x20 && lead != 0x7f);
    const std::size_t more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    require(lead < 0x80 || lead >= 0xc2);
    require(i + more < text.size());
    for (std::size_t k = 1; k <= more; ++k) require((static_cast<unsigned char>(text[i + k]) & 0xc0) == 0x80);
    i += more + 1;
  }
}

void certificate(const pki::Certificate& c, ByteView signature) {
  for (const auto& text : {c.subject(), c.issuer()}) {
    require(text.size() <= 200);
    clean(text);
  }
  const auto again = pki::Certificate::from_der(c.der());
  require(again && again->subject_der() == c.subject_der());
  for (const auto& name : c.alternative_names()) require(name.find('\0') == std::string::npos);
  for (const auto& login : c.logins()) require(login.find('\0') == std::string::npos);
  const auto subject = c.subject_der();
  if (!c.subject_attributes().empty())
    require(c.is_named_by({.type = v1::IdType::der_asn1_dn, .protocol = 0, .port = 0, .data = subject}));
  require(!c.is_named_by({.type = v1::IdType::key_id, .protocol = 0, .port = 0, .data = subject}));
  c.unfit_for_client();
  c.is_authority();
  const std::array<std::uint8_t, 20> hash{};
  for (const auto method : {ike::AuthMethod::rsa_signature, ike::AuthMethod::ecdsa_256,
                            ike::AuthMethod::ecdsa_384, ike::AuthMethod::ecdsa_521}) {
    // Nobody has signed zeroes, unless with a key that is worth nothing.
    const bool good = pki::verify(c, method, hash, signature);
    require(!good || pki::method_of(c) == method);
  }
}

void certificate_body(const v1::Payload& p, const v1::Chain& chain) {
  if (p.body.empty()) return;
  const auto* signature = chain.find(v1::PayloadType::signature);
  const auto signed_with = signature == nullptr ? ByteView() : signature->body;
  if (ike::CertificateEncoding{p.body[0]} == ike::CertificateEncoding::pkcs7) {
    for (const auto& c : pki::Certificate::from_pkcs7(p.body.subspan(1))) certificate(c, signed_with);
  } else if (const auto c = pki::Certificate::from_der(p.body.subspan(1))) {
    certificate(*c, signed_with);
  }
}

void body_of(const v1::Payload& p, const v1::Chain& chain) {
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
    case v1::PayloadType::certificate: return certificate_body(p, chain);
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
  for (const auto& p : chain->payloads) body_of(p, *chain);
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
