#pragma once
// One scripted client behind a NAT, on a socket of its own that stands for what the NAT makes of it: both its
// ports, 500 and 4500, leave from the same outer port.

#include <optional>

#include "base/fd.h"
#include "base/result.h"
#include "crowd/call.h"
#include "harness/initiator.h"

namespace crowd {

constexpr base::Duration question_every = std::chrono::seconds(1);

class Client {
 public:
  /// `outside`: where the gateway sees it; must be an address of this host.
  static base::Result<Client> open(harness::InitiatorSettings settings, const base::Endpoint& outside);

  void connect(base::Time now);
  /// Everything that waits on the socket.
  void readable(base::Time now);
  void timeout(base::Time now);
  std::optional<base::Time> next_timeout() const;

  bool up() const { return !initiator_.children().empty(); }
  bool failed() const { return initiator_.failed(); }
  /// How long it took to its SAs, from message 1.
  base::Duration took() const { return up_since_ - began_; }
  base::Time began() const { return began_; }
  /// What the gateway did wrong, in the client's eyes.
  const std::vector<std::string>& complaints() const { return initiator_.complaints(); }
  /// IKE datagrams.
  std::uint64_t sent() const { return sent_; }
  int fd() const { return socket_.get(); }

  /// Deletes its SAs.
  void leave();

  struct Asked {
    std::uint32_t questions = 0, answers = 0;
    bool deleted = false;  ///< the gateway has let an SA of its go
  };
  /// From then on it asks every second whether the gateway is there, by R-U-THERE (RFC 3706), and sends a
  /// packet with each question. Nothing is repeated.
  void keep_asking(base::Time first) { next_question_ = first; }
  void stop_asking() { next_question_.reset(); }
  Asked asked() const;

  /// L2TP through its newest SA.
  void call(l2tp::TunnelId own, bool session, base::Time now);
  const Call* call() const { return call_ ? &*call_ : nullptr; }

  /// So many packets through its newest SA, in its L2TP session if it has called, prepared first and then
  /// sent one by one: nanoseconds that this thread runs for it, with all that the kernel does on the spot.
  std::uint64_t flow(std::uint32_t packets, std::size_t bytes);

 private:
  Client(harness::InitiatorSettings settings, base::Fd socket)
      : initiator_(std::move(settings)), socket_(std::move(socket)) {}
  void say();
  base::Endpoint gateway() const;
  base::Bytes sealed(base::ByteView payload);
  void send(const base::Endpoint& to, base::ByteView bytes);
  void ask(base::Time now);

  harness::Initiator initiator_;
  std::optional<Call> call_;
  base::Fd socket_;
  base::Time began_{}, up_since_{};
  std::uint64_t sent_ = 0;
  std::uint32_t sequence_ = 0;  ///< of the last ESP packet
  std::optional<base::Time> next_question_;
  std::uint32_t questions_ = 0;
};

}  // namespace crowd
