#pragma once
// l2tpd's privileged process as the one that reads packets sees it: each call asks and waits for the answer.
// Should it have gone, this process ends there and then.

#include <optional>
#include <vector>

#include "base/fd.h"
#include "l2tpd/protocol.h"
#include "os/channel.h"

namespace l2tpd {

class BrokerClient {
 public:
  explicit BrokerClient(os::Channel channel) : channel_(std::move(channel)) {}

  void tell(const Request& request);
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
  Answered ask(const Request& request);
  template <class Wanted>
  Wanted ask_for(const Request& request);
  os::Channel channel_;
};

}  // namespace l2tpd
