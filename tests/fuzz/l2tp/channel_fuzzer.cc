// Two channels and the network between them, under a script that loses, repeats and reorders what either
// sends: each delivers in order what the other was given, and once the network is good again all of it.

#include <array>
#include <deque>
#include <iterator>
#include <vector>

#include "l2tp/channel.h"
#include "wire/reader.h"

namespace {

using namespace l2tp;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

/// One end, and what the network still has of its datagrams.
struct End {
  explicit End(std::uint16_t window) : channel(window) {}

  Channel channel;
  std::deque<Bytes> flying;
  std::uint32_t given = 0;  ///< messages, each of which is its own number
  std::uint32_t heard = 0;  ///< of the other's
};

class Script {
 public:
  explicit Script(base::ByteView in) : in_(in), ends_{End(window()), End(window())} {
    for (auto& end : ends_) end.channel.set_peer(TunnelId(1), window());
    if (in_.u8() % 4 == 1) ends_ = worn_ends();
  }

  void run() {
    while (in_.left() > 0) step();
    // Nobody has died: what has not been given up arrives.
    for (int tries = 0; tries < 1000 && !at_rest(); ++tries) {
      calm_down();
      now_ += std::chrono::seconds(1);
      for (auto& end : ends_) time_passes(end);
    }
    require(at_rest());
  }

 private:
  /// Their sequence numbers begin anew after some messages, and no script is long enough for 65536 of them.
  static const std::array<End, 2>& worn_ends() {
    static const auto ends = [] {
      Script script{base::ByteView()};
      for (int i = 0; i < 0xfff0; ++i) {
        for (std::size_t from = 0; from < 2; ++from) script.send(from);
        script.calm_down();
      }
      return script.ends_;
    }();
    return ends;
  }
  std::uint16_t window() { return static_cast<std::uint16_t>(1 + in_.u8() % 8); }
  bool alive() const { return !ends_[0].channel.failed() && !ends_[1].channel.failed(); }
  bool at_rest() const {
    if (!alive()) return true;
    for (std::size_t i = 0; i < ends_.size(); ++i) {
      if (!ends_[i].channel.all_acknowledged() || ends_[1 - i].heard != ends_[i].given) return false;
    }
    return true;
  }

  void step() {
    const auto what = in_.u8();
    const std::size_t from = what & 1;
    auto& flying = ends_[from].flying;
    const auto which = flying.empty() ? 0 : (what >> 4) % flying.size();
    switch (what >> 1 & 7) {
      case 0: send(from); break;
      case 1: deliver(from, 0); break;
      case 2: deliver(from, which); break;
      case 3:
        if (!flying.empty()) flying.erase(flying.begin() + static_cast<std::ptrdiff_t>(which));
        break;
      case 4:
        if (!flying.empty()) flying.push_back(flying[which]);
        break;
      case 5: now_ += std::chrono::milliseconds(100 << (what >> 5)); [[fallthrough]];
      case 6: time_passes(ends_[from]); break;
      case 7: ends_[from].channel.repeat(); break;
    }
    take_off(ends_[from]);
  }

  void send(std::size_t from) {
    auto& end = ends_[from];
    const auto number = end.given++;
    Bytes body;
    for (int shift = 24; shift >= 0; shift -= 8) body.push_back(static_cast<std::uint8_t>(number >> shift));
    end.channel.send(SessionId(), std::move(body), now_);
    take_off(end);
  }

  void deliver(std::size_t from, std::size_t which) {
    auto& flying = ends_[from].flying;
    if (flying.empty()) return;
    const auto datagram = std::move(flying[which]);
    flying.erase(flying.begin() + static_cast<std::ptrdiff_t>(which));
    const auto header = decode_header(datagram);
    require(header.has_value());
    auto& to = ends_[1 - from];
    // Neither end says what the other has not sent.
    require(to.channel.receive(*header, now_) != Arrival::bad_ack || !alive());
    while (const auto message = to.channel.next_message()) {
      wire::Reader in(message->body);
      require(in.u32() == to.heard++ && to.heard <= ends_[from].given);
    }
    to.channel.acknowledge();
    take_off(to);
  }

  void time_passes(End& end) {
    end.channel.timeout(now_);
    require(end.channel.failed() || !end.channel.next_timeout() || *end.channel.next_timeout() > now_);
    take_off(end);
  }

  void take_off(End& end) {
    while (auto datagram = end.channel.next_datagram()) end.flying.push_back(std::move(*datagram));
    require(end.channel.congestion_window() >= 1);
    // No network keeps them for ever, nor a script that repeats them.
    while (end.flying.size() > 300) end.flying.pop_front();
  }

  void calm_down() {
    while (!ends_[0].flying.empty() || !ends_[1].flying.empty()) {
      for (std::size_t from = 0; from < ends_.size(); ++from) deliver(from, 0);
    }
  }

  wire::Reader in_;
  std::array<End, 2> ends_;
  base::Time now_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  Script({data, size}).run();
  return 0;
}
