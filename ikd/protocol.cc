#include "ikd/protocol.h"

#include <array>
#include <tuple>

#include "wire/codec.h"

namespace ikd {
namespace {

using wire::Is;

/// How each struct and each enumeration looks.
struct Shape {
  static auto fields(Is<ike::Refused> auto& v) { return std::tie(v.message, v.refusal); }
  static auto fields(Is<xfrm::MaskedMark> auto& v) { return std::tie(v.value, v.mask); }
  static auto fields(Is<xfrm::Encap> auto& v) { return std::tie(v.source_port, v.destination_port); }
  static auto fields(Is<xfrm::Limits> auto& v) { return std::tie(v.bytes, v.packets, v.time); }
  static auto fields(Is<xfrm::Lifetimes> auto& v) { return std::tie(v.soft, v.hard); }
  static auto fields(Is<xfrm::Selector> auto& v) {
    return std::tie(v.source, v.destination, v.protocol, v.source_port, v.destination_port);
  }
  static auto fields(Is<xfrm::EspTransform> auto& v) {
    return std::tie(v.encryption, v.encryption_key, v.integrity, v.integrity_key);
  }
  static auto fields(Is<xfrm::Sa> auto& v) {
    return std::tie(v.source, v.destination, v.spi, v.reqid, v.mode, v.selector, v.transform, v.replay_window,
                    v.encap, v.mark, v.set_mark, v.lifetimes, v.mapping_interval);
  }
  static auto fields(Is<xfrm::SaId> auto& v) { return std::tie(v.destination, v.spi, v.protocol, v.mark); }
  // Not its outer addresses: the broker knows where a peer is.
  static auto fields(Is<xfrm::Policy> auto& v) {
    return std::tie(v.selector, v.direction, v.mark, v.reqid, v.priority);
  }
  static auto fields(Is<xfrm::PolicyId> auto& v) { return std::tie(v.selector, v.direction, v.mark); }
  static auto fields(Is<xfrm::SaStatistics> auto& v) {
    return std::tie(v.bytes, v.packets, v.added, v.used, v.outside_window, v.replayed, v.integrity_failed,
                    v.newest, v.sent);
  }
  static auto fields(Is<ike::PeerEntry> auto& v) { return std::tie(v.mark, v.alias, v.home, v.dialled); }
  static auto fields(Is<ike::InstallInbound> auto& v) { return std::tie(v.ticket, v.sa, v.new_entry); }
  static auto fields(Is<ike::InstallOutbound> auto& v) { return std::tie(v.ticket, v.sa, v.new_policy); }
  static auto fields(Is<ike::RemoveSa> auto& v) { return std::tie(v.sa, v.owner); }
  static auto fields(Is<ike::RemovePeer> auto& v) { return std::tie(v.entry); }
  static auto fields(Is<ike::MovePeer> auto& v) {
    return std::tie(v.mark, v.alias, v.new_home, v.port, v.inbound, v.outbound);
  }
  static auto fields(Is<ike::DeriveSkeyids> auto& v) {
    return std::tie(v.ticket, v.hash, v.ni, v.nr, v.peer, v.names, v.from);
  }
  static auto fields(Is<ike::Sign> auto& v) { return std::tie(v.ticket, v.certificate, v.hash); }
  static auto fields(Is<ike::NamedSkeyid> auto& v) { return std::tie(v.name, v.secret, v.id, v.skeyid); }
  static auto fields(Is<ike::SkeyidsDone> auto& v) { return std::tie(v.ticket, v.candidates, v.next); }
  static auto fields(Is<ike::Signed> auto& v) { return std::tie(v.ticket, v.signature); }
  static auto fields(Is<ike::OwnCertificate> auto& v) {
    return std::tie(v.method, v.id_body, v.chain, v.issuers);
  }
  static auto fields(Is<Hello> auto& v) {
    return std::tie(v.listeners, v.workers, v.user, v.group, v.watchdog_us, v.log_level);
  }
  static auto fields(Is<Provision::File> auto& v) { return std::tie(v.path, v.bytes); }
  static auto fields(Is<Provision> auto& v) {
    return std::tie(v.file_name, v.configuration, v.files, v.certificates);
  }
  static auto fields(Is<FillMaps> auto& v) { return std::tie(v.peers); }
  static auto fields(Is<Count> auto& v) { return std::tie(v.sas); }
  static auto fields(Is<Compare> auto& v) { return std::tie(v.sas); }
  static auto fields(Is<IsRulesetLoaded> auto&) { return std::tie(); }
  static auto fields(Is<ReadRules> auto&) { return std::tie(); }
  static auto fields(Is<Ready> auto&) { return std::tie(); }
  static auto fields(Is<Alive> auto&) { return std::tie(); }
  static auto fields(Is<CheckReload> auto&) { return std::tie(); }
  static auto fields(Is<Reload> auto&) { return std::tie(); }
  static auto fields(Is<ReadProvision> auto& v) { return std::tie(v.from); }
  static auto fields(Is<Outcome> auto& v) { return std::tie(v.result); }
  static auto fields(Is<Done> auto& v) { return std::tie(v.result); }
  static auto fields(Is<Removed> auto& v) { return std::tie(v.carried); }
  static auto fields(Is<RulesetLoaded> auto& v) { return std::tie(v.loaded); }
  static auto fields(Is<Counted> auto& v) { return std::tie(v.statistics); }
  static auto fields(Is<Comparison> auto& v) { return std::tie(v.absent, v.worn); }
  static auto fields(Is<Compared> auto& v) { return std::tie(v.found); }
  static auto fields(Is<RuleCount> auto& v) { return std::tie(v.rule, v.packets); }
  static auto fields(Is<RulesRead> auto& v) { return std::tie(v.counts); }
  static auto fields(Is<Changes> auto& v) { return std::tie(v.lines); }
  static auto fields(Is<Piece> auto& v) { return std::tie(v.octets); }
  static auto fields(Is<Traffic> auto& v) { return std::tie(v.in, v.out); }

  // The values that are sent; who uses them counts on that there are no others.
  static auto values(const base::Severity&) {
    return std::array{base::Severity::info, base::Severity::debug};
  }
  static auto values(const xfrm::Encryption&) {
    return std::array{xfrm::Encryption::null, xfrm::Encryption::des3_cbc, xfrm::Encryption::aes_cbc,
                      xfrm::Encryption::aes_gcm_16};
  }
  static auto values(const xfrm::Integrity&) {
    return std::array{xfrm::Integrity::none,
                      xfrm::Integrity::hmac_md5_96,
                      xfrm::Integrity::hmac_sha1_96,
                      xfrm::Integrity::hmac_sha2_256_128,
                      xfrm::Integrity::hmac_sha2_384_192,
                      xfrm::Integrity::hmac_sha2_512_256};
  }
  static auto values(const ike::Refusal&) {
    return std::array{ike::Refusal::kernel_refused, ike::Refusal::nft_refused};
  }
  static auto values(const xfrm::Mode&) { return std::array{xfrm::Mode::transport, xfrm::Mode::tunnel}; }
  static auto values(const xfrm::Direction&) {
    return std::array{xfrm::Direction::in, xfrm::Direction::out, xfrm::Direction::forward};
  }
  static auto values(const crypto::Hash&) {
    return std::array{crypto::Hash::md5, crypto::Hash::sha1, crypto::Hash::sha2_256, crypto::Hash::sha2_384,
                      crypto::Hash::sha2_512};
  }
  static auto values(const ike::AuthMethod&) {
    return std::array{ike::AuthMethod::psk, ike::AuthMethod::rsa_signature, ike::AuthMethod::ecdsa_256,
                      ike::AuthMethod::ecdsa_384, ike::AuthMethod::ecdsa_521};
  }
};

}  // namespace

base::Secret encode(const Hello& hello) { return wire::encoded<Shape>(hello); }
base::Secret encode(const Provision& provision) { return wire::encoded<Shape>(provision); }
base::Secret encode(const Request& request) { return wire::encoded<Shape>(request); }
base::Secret encode(const Answer& answer) { return wire::encoded<Shape>(answer); }
std::optional<Hello> decode_hello(base::ByteView bytes) { return wire::decoded<Shape, Hello>(bytes); }
std::optional<Provision> decode_provision(base::ByteView bytes) {
  return wire::decoded<Shape, Provision>(bytes);
}
std::optional<Request> decode_request(base::ByteView bytes) { return wire::decoded<Shape, Request>(bytes); }
std::optional<Answer> decode_answer(base::ByteView bytes) { return wire::decoded<Shape, Answer>(bytes); }

}  // namespace ikd
