#pragma once
// IKE and ESP of one client, with the gateway's own core as initiator, in the network of whoever opens it.

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "ike/engine.h"
#include "os/udp.h"
#include "xfrm/kernel.h"

namespace self_test {

class Dialer {
 public:
  /// `psk`: the secret that it shares with the gateway.
  static base::Result<Dialer> open(const base::Address& own, const base::Address& gateway, std::string psk);

  void dial(base::Time now);
  /// Takes what has come, and does what is due.
  void go_on(base::Time now);
  std::optional<base::Time> next_timeout() const { return engine_->next_timeout(); }
  std::vector<int> descriptors() const;

  /// Its SAs are there, both ways.
  bool up() const { return up_; }
  /// What went wrong, in words.
  const std::string& failure() const { return failure_; }

 private:
  Dialer(const base::Address& own, const base::Address& gateway, std::string psk, os::UdpSocket ike,
         os::UdpSocket natt, xfrm::Kernel kernel);
  void drain(base::Time now);
  std::optional<ike::Completion> perform(ike::Effect& effect);
  /// What the engine wants installed is a gateway's, with a mark and an alias; a client has neither.
  ike::DoneOrRefused install(xfrm::Sa& sa, xfrm::Direction direction);

  base::Address own_, gateway_;
  std::string psk_;
  std::unique_ptr<ike::Engine> engine_;
  os::UdpSocket ike_, natt_;
  xfrm::Kernel kernel_;
  bool up_ = false;
  std::string failure_;
};

}  // namespace self_test
