#include "broker_messages.h"

#include "wire/writer.h"

namespace l2tpd::sample {
namespace {

using namespace std::chrono_literals;

const auto outside_v6 = *base::Address::parse("2001:db8::7");

TunnelRow row() {
  return {.name = tunnel(),
          .host_name = "phone",
          .established = true,
          .lingering = true,
          .sessions = {{session(), true}, {{l2tp::SessionId(12), l2tp::SessionId(2)}, false}}};
}

Counts counts() {
  Counts out{.dropped = {}, .clear_text = 100, .marked = 1ULL << 40, .astray = 102, .send_failures = 103};
  for (std::size_t i = 0; i < out.dropped.size(); ++i) out.dropped[i] = i + 1;
  return out;
}

/// A ZLB.
base::Bytes control_message() { return base::from_hex("c802000c0007000000010002"); }

}  // namespace

l2tp::TunnelName tunnel() {
  return {.id = l2tp::TunnelId(0x1001),
          .peer = l2tp::TunnelId(7),
          .mark = base::Mark(0x700),
          .local = {base::Address::v4(0xcb007101), 1701},
          .remote = {base::Address::v4(0xf0000007), 40001}};
}

l2tp::SessionName session() { return {.id = l2tp::SessionId(11), .peer = l2tp::SessionId(1)}; }

Hello hello() {
  return {.listeners = {{base::Address(), 1701}, {outside_v6, 1701}},
          .mark_mask = 0x0fffff00,
          .aliases = {base::Address::v4(0xf0000000), 8},
          .cleartext = config::Cleartext::beside,
          .hello_interval = 60s,
          .hello_patience = 300s,
          .tunnel_secret = true,
          .user = 990,
          .group = 991,
          .watchdog_us = 30'000'000,
          .log_level = base::Severity::debug};
}

std::vector<Request> life() {
  return {Changed{{row()}, {}},
          l2tp::OpenTunnelSocket{tunnel()},
          l2tp::AddLatch{tunnel()},
          l2tp::KernelTunnelUp{tunnel(), "phone"},
          l2tp::StartSession{tunnel(), session(), true},
          l2tp::StopSession{tunnel(), session(), "the peer closed it"},
          l2tp::CloseTunnelSocket{tunnel()},
          l2tp::RemoveLatch{tunnel()},
          l2tp::TunnelDown{tunnel(), "the peer closed it", {}, true}};
}

std::deque<Request> requests() {
  const auto all = life();
  std::deque<Request> out(all.begin(), all.end());
  out.push_back(l2tp::Send{tunnel(), l2tp::Via::main_socket, control_message()});
  out.push_back(l2tp::TunnelDown{
      tunnel(), "no", l2tp::stop(l2tp::StopResult::general_error, "bad", l2tp::GeneralError::length_wrong),
      false});
  out.push_back(l2tp::CallRefused{tunnel(), "too many calls in this tunnel"});
  out.push_back(Changed{{row(), row()}, {l2tp::TunnelId(5), l2tp::TunnelId(6)}});
  out.push_back(Changed{});
  out.push_back(counts());
  out.push_back(FetchOrders{});
  out.push_back(
      DigestWithSecret{{{.before = {0, 9}, .after = base::Bytes(16, 7)}, {.before = {}, .after = {}}}});
  out.push_back(Solicited{17, true});
  out.push_back(Ready{});
  out.push_back(Alive{});
  return out;
}

std::deque<Answer> answers() {
  std::deque<Answer> out;
  out.push_back(Done{});
  out.push_back(Orders{});
  out.push_back(Digests{{l2tp::Digest{1, 2, 3}, l2tp::Digest{}}});
  out.push_back(
      Orders{{l2tp::TunnelFailed{tunnel().id, "insufficient resources"},
              l2tp::SessionEnded{tunnel().id, session().id,
                                 l2tp::hang_up(l2tp::CallResult::administrative, "PPP has ended")},
              PeerGone{base::Mark(0x700)}, PeersGone{1'000'000'007},
              Solicitation{17, 255, {0x85, 0, 0, 0, 0, 0, 0, 0}},
              CloseTunnel{tunnel().id, l2tp::stop(l2tp::StopResult::general, "the operator ended it")},
              CloseAll{}, AbandonAll{},
              CloseIdleTunnel{tunnel().id, l2tp::stop(l2tp::StopResult::general, "the operator ended it")}}});
  return out;
}

base::Bytes in_a_row(const std::vector<Request>& requests) {
  wire::Writer out;
  for (const auto& request : requests) {
    const auto bytes = encode(request);
    out.u16(static_cast<std::uint16_t>(bytes.size()));
    out.bytes(bytes.view());
  }
  return out.take();
}

}  // namespace l2tpd::sample
