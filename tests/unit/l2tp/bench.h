#pragma once
// A server alone: single datagrams go in, what it sends and asks for is kept.

#include "l2tp/server.h"
#include "lac.h"
#include "vectors.h"

namespace l2tp::testing {

inline const Endpoint alias_a{base::Address::v4(0xf0000001), 1701};
inline const Endpoint alias_b{base::Address::v4(0xf0000002), 1701};
inline constexpr Mark mark_a(0x100);
inline constexpr Mark mark_b(0x200);

struct Bench {
  explicit Bench(Settings settings = {})
      : server(std::move(settings), [this] { return static_cast<std::uint16_t>(0x1000 + ++drawn); }) {}

  void input(ByteView bytes, const Endpoint& from = alias_a, Mark mark = mark_a) {
    server.input({.from = from, .to = gateway, .mark = mark, .bytes = bytes}, now);
    while (auto effect = server.next_effect()) effects.push_back(std::move(*effect));
  }
  void input(const Message& m, TunnelId to, std::uint16_t ns, std::uint16_t nr, SessionId session = {}) {
    const auto body = encode(m);
    input(encode(Header{.tunnel = to, .session = session, .ns = SeqNo(ns), .nr = SeqNo(nr), .body = body}));
  }
  /// What has been sent since the last call.
  std::vector<Message> sent() {
    std::vector<Message> out;
    kept.clear();
    for (const auto& effect : effects) {
      if (const auto* send = std::get_if<Send>(&effect)) kept.push_back(send->bytes);
    }
    for (const auto& bytes : kept) {
      const auto header = decode_header(bytes);
      out.push_back(header->body.empty() ? Message{} : decode(header->body));
    }
    effects.clear();
    return out;
  }
  template <class E>
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(effects, [](const Effect& e) { return std::holds_alternative<E>(e); }));
  }
  std::uint64_t dropped(DropReason reason) const { return server.counters().dropped(reason); }
  /// A tunnel that stands: returns our id.
  TunnelId establish() {
    input(vector("sccrq-windows10"));
    const auto id = server.tunnels().begin()->first;
    Message scccn;
    scccn.type = MessageType::SCCCN;
    input(scccn, id, 1, 1);
    effects.clear();
    return id;
  }

  std::uint16_t drawn = 0;
  base::Time now{};
  std::vector<Effect> effects;
  std::vector<Bytes> kept;
  Server server;
};

inline Message of_type(MessageType type) {
  Message m;
  m.type = type;
  return m;
}

}  // namespace l2tp::testing
