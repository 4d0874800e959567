#include "l2tpd/protocol.h"

#include "wire/codec.h"

namespace l2tpd {
namespace {

using wire::Is;

/// How each struct and each enumeration looks.
struct Shape {
  static auto fields(Is<l2tp::TunnelName> auto& v) {
    return std::tie(v.id, v.peer, v.mark, v.local, v.remote);
  }
  static auto fields(Is<l2tp::SessionName> auto& v) { return std::tie(v.id, v.peer); }
  static auto fields(Is<l2tp::Ending> auto& v) { return std::tie(v.code, v.error, v.message); }
  static auto fields(Is<l2tp::Send> auto& v) { return std::tie(v.tunnel, v.via, v.bytes); }
  static auto fields(Is<l2tp::OpenTunnelSocket> auto& v) { return std::tie(v.tunnel); }
  static auto fields(Is<l2tp::CloseTunnelSocket> auto& v) { return std::tie(v.tunnel); }
  static auto fields(Is<l2tp::AddLatch> auto& v) { return std::tie(v.tunnel); }
  static auto fields(Is<l2tp::RemoveLatch> auto& v) { return std::tie(v.tunnel); }
  static auto fields(Is<l2tp::KernelTunnelUp> auto& v) { return std::tie(v.tunnel, v.host_name); }
  static auto fields(Is<l2tp::StartSession> auto& v) { return std::tie(v.tunnel, v.session, v.sequencing); }
  static auto fields(Is<l2tp::StopSession> auto& v) { return std::tie(v.tunnel, v.session, v.why); }
  static auto fields(Is<l2tp::TunnelDown> auto& v) { return std::tie(v.tunnel, v.why, v.stop, v.stood); }
  static auto fields(Is<l2tp::CallRefused> auto& v) { return std::tie(v.tunnel, v.why); }
  static auto fields(Is<l2tp::TunnelFailed> auto& v) { return std::tie(v.tunnel, v.why); }
  static auto fields(Is<l2tp::SessionEnded> auto& v) { return std::tie(v.tunnel, v.session, v.ending); }
  static auto fields(Is<Hello> auto& v) {
    return std::tie(v.listeners, v.mark_mask, v.aliases, v.cleartext, v.hello_interval, v.hello_patience,
                    v.tunnel_secret, v.user, v.group, v.watchdog_us, v.log_level);
  }
  static auto fields(Is<SessionRow> auto& v) { return std::tie(v.name, v.sequencing); }
  static auto fields(Is<TunnelRow> auto& v) {
    return std::tie(v.name, v.host_name, v.established, v.lingering, v.sessions);
  }
  static auto fields(Is<Changed> auto& v) { return std::tie(v.rows, v.gone); }
  static auto fields(Is<Counts> auto& v) {
    return std::tie(v.dropped, v.clear_text, v.marked, v.astray, v.send_failures);
  }
  static auto fields(Is<FetchOrders> auto&) { return std::tie(); }
  static auto fields(Is<l2tp::AroundSecret> auto& v) { return std::tie(v.before, v.after); }
  static auto fields(Is<DigestWithSecret> auto& v) { return std::tie(v.around); }
  static auto fields(Is<Digests> auto& v) { return std::tie(v.digests); }
  static auto fields(Is<Solicited> auto& v) { return std::tie(v.ifindex, v.valid); }
  static auto fields(Is<Solicitation> auto& v) { return std::tie(v.ifindex, v.hop_limit, v.message); }
  static auto fields(Is<Ready> auto&) { return std::tie(); }
  static auto fields(Is<Alive> auto&) { return std::tie(); }
  static auto fields(Is<PeerGone> auto& v) { return std::tie(v.mark); }
  static auto fields(Is<PeersGone> auto& v) { return std::tie(v.before); }
  static auto fields(Is<CloseTunnel> auto& v) { return std::tie(v.tunnel, v.ending); }
  static auto fields(Is<CloseIdleTunnel> auto& v) { return std::tie(v.tunnel, v.ending); }
  static auto fields(Is<CloseAll> auto&) { return std::tie(); }
  static auto fields(Is<AbandonAll> auto&) { return std::tie(); }
  static auto fields(Is<Done> auto&) { return std::tie(); }
  static auto fields(Is<Orders> auto& v) { return std::tie(v.orders); }

  static auto values(const l2tp::Via&) { return std::array{l2tp::Via::main_socket}; }
  static auto values(const config::Cleartext&) {
    return std::array{config::Cleartext::off, config::Cleartext::beside, config::Cleartext::only};
  }
  static auto values(const base::Severity&) {
    return std::array{base::Severity::info, base::Severity::debug};
  }
};

}  // namespace

base::Secret encode(const Hello& hello) { return wire::encoded<Shape>(hello); }
base::Secret encode(const TunnelRow& row) { return wire::encoded<Shape>(row); }
base::Secret encode(const Request& request) { return wire::encoded<Shape>(request); }
base::Secret encode(const Answer& answer) { return wire::encoded<Shape>(answer); }
std::optional<Hello> decode_hello(base::ByteView bytes) { return wire::decoded<Shape, Hello>(bytes); }
std::optional<Request> decode_request(base::ByteView bytes) { return wire::decoded<Shape, Request>(bytes); }
std::optional<Answer> decode_answer(base::ByteView bytes) { return wire::decoded<Shape, Answer>(bytes); }

}  // namespace l2tpd
