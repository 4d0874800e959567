#pragma once
// L2TP of one client, as its own datagrams (RFC 2661): a tunnel, and in it a session up to ICCN.

#include <optional>

#include "base/time.h"
#include "l2tp/channel.h"

namespace crowd {

class Call {
 public:
  /// `session`: after the tunnel an incoming call.
  Call(l2tp::TunnelId own, bool session) : own_(own), wants_session_(session) {}

  void begin(base::Time now);
  void receive(base::ByteView datagram, base::Time now);
  void timeout(base::Time now) { channel_.timeout(now); }
  std::optional<base::Time> next_timeout() const { return channel_.next_timeout(); }
  std::optional<base::Bytes> next_datagram() { return channel_.next_datagram(); }

  /// All that it wanted stands, as far as it can know.
  bool up() const;
  /// How often the peer has asked whether it is there.
  std::size_t hellos() const { return hellos_; }
  bool failed() const { return channel_.failed() || refused_; }
  /// A data message of the session: an IPv4 packet of so many zeros in PPP, which nobody takes before IPCP.
  base::Bytes data(std::size_t bytes) const;

 private:
  void answer(const l2tp::Message& message, base::Time now);
  void say(l2tp::MessageType type, l2tp::SessionId to, base::Time now);

  l2tp::TunnelId own_, peer_{};
  l2tp::SessionId peer_session_{};
  std::size_t hellos_ = 0;
  bool wants_session_, refused_ = false;
  l2tp::Channel channel_{4};
};

}  // namespace crowd
