#pragma once
// l2tpd's privileged process as the one that reads packets sees it: it does what it is asked for in the order
// of the calls. Should it have gone, this process ends there and then.

#include <cstddef>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "l2tpd/protocol.h"
#include "os/channel.h"

namespace l2tpd {

class BrokerClient {
 public:
  explicit BrokerClient(os::Channel channel) : channel_(std::move(channel)) {}

  /// What cannot be done an order says; nobody waits for that.
  void tell(const Request& request);
  /// Everything that was told has been done.
  void wait();
  /// None where it cannot be had; an order says so, too.
  std::optional<base::Fd> open(const l2tp::OpenTunnelSocket& request);
  std::vector<Order> fetch_orders();
  /// With the secret, which this process has not.
  std::vector<l2tp::Digest> digests(const std::vector<l2tp::AroundSecret>& around);

 private:
  struct Answered {
    Answer answer;
    std::vector<base::Fd> descriptors;
  };
  void send(const Request& request);
  Answered receive();
  Answered ask(const Request& request);
  template <class Wanted>
  Wanted ask_for(const Request& request);
  os::Channel channel_;
  std::size_t unanswered_ = 0, unanswered_bytes_ = 0;  ///< requests
};

}  // namespace l2tpd
