#pragma once
// The other side of a test: a LAC that dials one tunnel and one call, over a network that loses, repeats and
// reorders, on virtual time.

#include <functional>
#include <map>
#include <vector>

#include "l2tp/channel.h"
#include "l2tp/secrecy.h"
#include "l2tp/server.h"

namespace l2tp::testing {

inline const Endpoint gateway{base::Address::v4(0xc6336401), 1701};

class Lac {
 public:
  Lac(Endpoint at, Mark mark, std::uint16_t tunnel, std::uint16_t window = 4)
      : at_(at), mark_(mark), tunnel_(tunnel), channel_(window) {
    channel_.set_peer(TunnelId(), 4);
    sccrq_.type = MessageType::SCCRQ;
    sccrq_.protocol_version = 0x0100;
    sccrq_.framing_capabilities = 3;
    sccrq_.host_name = base::as_bytes("lac");
    sccrq_.assigned_tunnel_id = TunnelId(tunnel);
    sccrq_.receive_window_size = window;
  }

  /// Before dial(): authenticates itself, and asks the same of the server.
  void share(ByteView secret) {
    secret_ = kept_here(base::Secret::copy_of(secret));
    challenge_ = base::to_bytes(secret);  // any bytes will do
    sccrq_.challenge = challenge_;
  }
  void dial(base::Time now) { send(sccrq_, now); }
  void hang_up(base::Time now) {
    Message cdn;
    cdn.type = MessageType::CDN;
    cdn.result = l2tp::hang_up(CallResult::administrative, "bye");
    cdn.assigned_session_id = SessionId(call_id);
    send(cdn, now, peer_session);
    Message stop_ccn;
    stop_ccn.type = MessageType::StopCCN;
    stop_ccn.result = stop(StopResult::general, "bye");
    stop_ccn.assigned_tunnel_id = TunnelId(tunnel_);
    send(stop_ccn, now);
  }
  void send(const Message& m, base::Time now, SessionId to = {}) { channel_.send(to, encode(m), now); }

  void receive(ByteView bytes, base::Time now) {
    const auto header = decode_header(bytes);
    if (!header || header->tunnel != TunnelId(tunnel_)) return;
    channel_.receive(*header, now);
    while (const auto received = channel_.next_message()) handle(decode(received->body), now);
    channel_.acknowledge();
  }

  const Endpoint& at() const { return at_; }
  Mark mark() const { return mark_; }
  Channel& channel() { return channel_; }

  static constexpr std::uint16_t call_id = 77;
  TunnelId peer_tunnel;
  SessionId peer_session;
  std::map<MessageType, int> seen;
  std::optional<Ending> ending;
  bool calls = true;               ///< dial a call once the tunnel stands
  bool server_is_genuine = false;  ///< it has answered our challenge

 private:
  void handle(const Message& m, base::Time now) {
    ++seen[m.type];
    if (m.result) ending = m.result;
    if (m.type == MessageType::SCCRP) {
      peer_tunnel = *m.assigned_tunnel_id;
      channel_.set_peer(peer_tunnel, *m.receive_window_size);
      Message scccn;
      scccn.type = MessageType::SCCCN;
      Bytes response;
      if (m.challenge) response = *challenge_response(MessageType::SCCCN, secret_, *m.challenge);
      if (m.challenge) scccn.challenge_response = response;
      if (m.challenge_response)
        server_is_genuine =
            base::equal(*m.challenge_response, *challenge_response(MessageType::SCCRP, secret_, challenge_));
      send(scccn, now);
      if (!calls) return;
      Message icrq;
      icrq.type = MessageType::ICRQ;
      icrq.assigned_session_id = SessionId(call_id);
      icrq.call_serial_number = 1;
      send(icrq, now);
    } else if (m.type == MessageType::ICRP) {
      peer_session = *m.assigned_session_id;
      Message iccn;
      iccn.type = MessageType::ICCN;
      iccn.tx_connect_speed = 10'000'000;
      iccn.framing_type = 1;
      send(iccn, now, peer_session);
    }
  }

  Endpoint at_;
  Mark mark_;
  std::uint16_t tunnel_;
  Channel channel_;
  Message sccrq_;
  SharedSecret secret_;
  Bytes challenge_;
};

/// What the network does to each datagram: the delays of its copies (none: lost).
using Network = std::function<std::vector<base::Duration>()>;

/// A server, its peers, the network between them, and what the server asked of its shell.
class World {
 public:
  explicit World(Network network = perfect(), Settings settings = {}, std::uint32_t seed = 1)
      : server(std::move(settings), [this] { return chance(); }),
        network_(std::move(network)),
        state_(seed) {}

  static Network perfect() {
    return [] { return std::vector<base::Duration>{std::chrono::milliseconds(10)}; };
  }

  Lac& add(Endpoint at, Mark mark, std::uint16_t tunnel, std::uint16_t window = 4) {
    return *lacs_.emplace_back(std::make_unique<Lac>(at, mark, tunnel, window));
  }
  /// As if it came through the SA of `mark`.
  void inject(const Endpoint& from, Mark mark, ByteView bytes) {
    server.input({.from = from, .to = gateway, .mark = mark, .bytes = bytes}, now);
    carry_out();
  }
  /// Runs until nothing more happens before `end`.
  void run_until(base::Time end) {
    for (;;) {
      pump();
      const auto next = earliest();
      if (!next || *next > end) break;
      now = std::max(now, *next);
      step();
    }
    now = end;
  }
  void run_for(base::Duration time) { run_until(now + time); }

  template <class E>
  std::vector<E> all() const {
    std::vector<E> out;
    for (const auto& effect : effects) {
      if (const auto* e = std::get_if<E>(&effect)) out.push_back(*e);
    }
    return out;
  }
  /// Performs what next_effect() holds.
  void carry_out() {
    while (auto effect = server.next_effect()) {
      if (watch) watch(*effect);
      if (const auto* send = std::get_if<Send>(&*effect)) {
        to_peer(*send);
      } else {
        effects.push_back(std::move(*effect));
      }
    }
  }
  std::uint16_t chance() {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<std::uint16_t>(state_ >> 16);
  }

  Server server;
  base::Time now{};
  std::vector<Effect> effects;
  std::function<void(const Effect&)> watch;  ///< sees each before it is carried out
  int sent = 0;

 private:
  struct InFlight {
    Lac* to_lac = nullptr;
    Lac* from_lac = nullptr;
    Bytes bytes;
  };

  void to_peer(const Send& send) {
    ++sent;
    for (const auto& lac : lacs_) {
      if (lac->mark() != send.tunnel.mark || lac->at() != send.tunnel.remote) continue;
      for (const auto delay : network_())
        flying_.emplace(now + delay, InFlight{lac.get(), nullptr, send.bytes});
    }
  }
  void pump() {
    carry_out();
    for (const auto& lac : lacs_) {
      while (auto datagram = lac->channel().next_datagram()) {
        for (const auto delay : network_())
          flying_.emplace(now + delay, InFlight{nullptr, lac.get(), *datagram});
      }
    }
  }
  std::optional<base::Time> earliest() const {
    std::optional<base::Time> out = server.next_timeout();
    const auto consider = [&out](const std::optional<base::Time>& t) {
      if (t && (!out || *t < *out)) out = t;
    };
    if (!flying_.empty()) consider(flying_.begin()->first);
    for (const auto& lac : lacs_) consider(lac->channel().next_timeout());
    return out;
  }
  void step() {
    while (!flying_.empty() && flying_.begin()->first <= now) {
      const auto datagram = std::move(flying_.begin()->second);
      flying_.erase(flying_.begin());
      if (datagram.to_lac != nullptr) {
        datagram.to_lac->receive(datagram.bytes, now);
      } else {
        server.input({.from = datagram.from_lac->at(),
                      .to = gateway,
                      .mark = datagram.from_lac->mark(),
                      .bytes = datagram.bytes},
                     now);
      }
    }
    server.timeout(now);
    for (const auto& lac : lacs_) lac->channel().timeout(now);
  }

  Network network_;
  std::uint32_t state_;
  std::vector<std::unique_ptr<Lac>> lacs_;
  std::multimap<base::Time, InFlight> flying_;
};

}  // namespace l2tp::testing
