// A script of datagrams, completions and time for the whole core. Each step is an opcode byte and its
// arguments; tunnel ids that the server gave out can be named, or no script would get past the SCCRQ.

#include <set>

#include "l2tp/secrecy.h"
#include "l2tp/server.h"
#include "wire/reader.h"

namespace {

using namespace l2tp;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

class Script {
 public:
  explicit Script(base::ByteView in)
      : in_(in),
        with_secret_(in_.u8() % 2 == 1),
        server_(settings(with_secret_), [this] { return ++drawn_ * 40503; }) {}

  void run() {
    while (in_.left() > 0) {
      step();
      carry_out();
    }
    server_.abandon_all();
    carry_out();
    require(sockets_.empty() && latches_.empty() && sessions_.empty());
    require(!server_.next_timeout());
  }

 private:
  static const SharedSecret& shared() {
    static const auto secret = kept_here(base::Secret::copy_of(base::as_bytes("1234")));
    return secret;
  }
  static Settings settings(bool with_secret) {
    Settings s;
    if (with_secret) s.secret = shared();
    s.limits = {.tunnels_per_mark = 3,
                .tunnels_per_address = 3,
                .clear_text_tunnels = 2,
                .half_open = 4,
                .half_open_per_peer = 2,
                .sessions_per_tunnel = 2,
                .tunnels_at_once = 4};
    return s;
  }

  Mark mark() { return Mark(static_cast<std::uint32_t>(in_.u8() % 3) << 8); }
  Endpoint endpoint(Mark mark) {
    return {base::Address::v4(0xf0000000 + mark.value), static_cast<std::uint16_t>(1701 + in_.u8() % 2)};
  }
  TunnelId tunnel() {
    const auto n = in_.u8() % (server_.tunnels().size() + 1);
    auto it = server_.tunnels().begin();
    std::advance(it, static_cast<std::ptrdiff_t>(n));
    return it == server_.tunnels().end() ? TunnelId(in_.u16()) : it->first;
  }

  void step() {
    switch (in_.u8() % 8) {
      case 0: datagram(in_.bytes(std::min<std::size_t>(in_.u8(), in_.left()))); break;
      case 1: message(TunnelId()); break;
      case 2: message(tunnel()); break;
      case 3: advance(); break;
      case 4: server_.completed(TunnelFailed{tunnel(), "failed"}, now_); break;
      case 5: end_session(); break;
      case 6: server_.peer_gone(mark()); break;
      case 7: server_.close(tunnel(), stop(StopResult::general, "closed"), now_); break;
    }
  }
  void datagram(base::ByteView bytes) {
    const auto m = mark();
    server_.input({.from = endpoint(m), .to = {base::Address::v4(1), 1701}, .mark = m, .bytes = bytes}, now_);
  }
  void message(TunnelId to) {
    Message m;
    m.type = static_cast<MessageType>(in_.u8() % 17);
    const auto flags = in_.u8();
    if (flags & 1) m.assigned_tunnel_id = TunnelId(in_.u8());
    if (flags & 2) m.assigned_session_id = SessionId(in_.u8());
    if (flags & 4) m.receive_window_size = in_.u8();
    if (flags & 8) m.result = Ending{in_.u8(), in_.u8(), "x"};
    Bytes response;
    if (flags & 128) {  // for an SCCCN the right one, as long as the tunnel's challenge is known
      response = *challenge_response(MessageType::SCCCN, shared(), challenges_[to]);
      if (m.type == MessageType::SCCRQ)
        m.challenge = response;
      else
        m.challenge_response = response;
    }
    auto body = encode(m);
    if (flags & 16) base::append(body, in_.bytes(std::min<std::size_t>(in_.u8(), in_.left())));
    if (flags & 32) body.clear();
    SessionId session(in_.u8());
    if (flags & 64 && server_.tunnels().contains(to) && !server_.tunnels().at(to).sessions().empty())
      session = server_.tunnels().at(to).sessions().begin()->first;
    datagram(encode(Header{.tunnel = to,
                           .session = session,
                           .ns = SeqNo(static_cast<std::uint16_t>(in_.u8() % 16)),
                           .nr = SeqNo(static_cast<std::uint16_t>(in_.u8() % 16)),
                           .body = body}));
  }
  void advance() {
    now_ += std::chrono::milliseconds(in_.u8() * 100);
    server_.timeout(now_);
    require(!server_.next_timeout() || *server_.next_timeout() > now_);
  }
  void end_session() {
    const auto id = tunnel();
    SessionId session(in_.u8());
    if (server_.tunnels().contains(id) && !server_.tunnels().at(id).sessions().empty())
      session = server_.tunnels().at(id).sessions().begin()->first;
    sessions_.erase({id, session});
    server_.completed(SessionEnded{id, session, hang_up(CallResult::administrative, "ended")}, now_);
  }

  void carry_out() {
    int sends = 0;
    while (auto effect = server_.next_effect()) {
      if (const auto* e = std::get_if<Send>(&*effect)) {
        require(++sends < 200);  // no datagram may set off a storm
        const auto header = decode_header(e->bytes);
        require(header.has_value());
        if (const auto sent = decode(header->body); sent.challenge)
          challenges_[e->tunnel.id] = base::to_bytes(*sent.challenge);
        require(e->via == Via::main_socket || sockets_.contains(e->tunnel.id));
        require(e->via == Via::main_socket || latches_.contains({e->tunnel.mark, e->tunnel.id}));
      } else if (const auto* open = std::get_if<OpenTunnelSocket>(&*effect)) {
        require(open->tunnel.id.value != 0 && sockets_.insert(open->tunnel.id).second);
      } else if (const auto* close = std::get_if<CloseTunnelSocket>(&*effect)) {
        require(sockets_.erase(close->tunnel.id) == 1);
      } else if (const auto* add = std::get_if<AddLatch>(&*effect)) {
        require(latches_.insert({add->tunnel.mark, add->tunnel.id}).second);
      } else if (const auto* remove = std::get_if<RemoveLatch>(&*effect)) {
        require(latches_.erase({remove->tunnel.mark, remove->tunnel.id}) == 1);
      } else if (const auto* start = std::get_if<StartSession>(&*effect)) {
        require(sockets_.contains(start->tunnel.id));
        require(start->session.id.value != 0);
        require(sessions_.insert({start->tunnel.id, start->session.id}).second);
      } else if (const auto* stop = std::get_if<StopSession>(&*effect)) {
        sessions_.erase({stop->tunnel.id, stop->session.id});  // a call that never started has none
      }
    }
    for (const auto& [id, tunnel] : server_.tunnels()) {
      require(tunnel.name().id == id);
      const bool has_socket = tunnel.established_at() && !tunnel.lingering();
      require(has_socket == latches_.contains({tunnel.name().mark, id}) &&
              has_socket == sockets_.contains(id));
      require(tunnel.next_timeout().has_value());  // nothing waits for ever
    }
  }

  wire::Reader in_;
  bool with_secret_;
  std::map<TunnelId, Bytes> challenges_;  ///< ours, as the peer knows them
  std::uint16_t drawn_ = 0;
  base::Time now_{};
  Server server_;
  std::set<TunnelId> sockets_;
  std::set<std::pair<Mark, TunnelId>> latches_;
  std::set<std::pair<TunnelId, SessionId>> sessions_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Script({data, size}).run();
  return 0;
}
