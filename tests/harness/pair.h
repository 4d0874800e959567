#pragma once
// Two engines that talk to one another on virtual time, each with its fake kernel, and ESP between their
// kernels: a packet each way every so often, always on the newest outbound SA, as the real kernel does it.
// What finds no SA at either end is a lost packet.

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/fake_kernel.h"
#include "harness/network.h"
#include "ike/engine.h"

namespace harness {

struct PairSettings {
  ike::Settings client = {}, gateway = {};
  KernelSettings client_kernel = {}, gateway_kernel = {};
  ike::Connection connection = {};  ///< its endpoints and IDs are filled in
  bool nat = true;                  ///< in front of the client
  base::Duration esp_interval = std::chrono::milliseconds(20);
  std::uint64_t seed = 1;
};

class Pair {
 public:
  struct Side {
    ike::Engine engine;
    FakeKernel kernel;
    base::Address address;
    std::size_t sent = 0, received = 0;  ///< ESP packets
  };

  explicit Pair(PairSettings settings);

  /// The client dials for this service; ESP of all services that it has dialled for flows.
  void connect(const ike::Service& service = ike::l2tp_service);
  void run(base::Duration span);
  /// ESP flows in these directions from now on.
  void talk(bool client, bool gateway) { client_talks_ = client, gateway_talks_ = gateway; }
  void pump();

  Side& client() { return client_; }
  Side& gateway() { return gateway_; }
  Network& network() { return network_; }
  NatBox& nat() { return nat_; }
  base::Time now() const { return now_; }
  /// The only peer of a side; null when there is none.
  static const ike::Peer* peer_of(const Side& side);
  static std::size_t count(const Side& side, ike::ChildState state);
  const std::vector<std::string>& lost() const { return lost_; }
  std::vector<std::string> complaints() const;

 private:
  Side& other(const Side& side) { return &side == &client_ ? gateway_ : client_; }
  void pump(Side& side);
  void send_esp(Side& side, const ike::Service& service);
  void deliver(const Datagram& datagram);
  void deliver_esp(const Datagram& datagram);
  std::optional<base::Time> next_event() const;

  PairSettings settings_;
  base::Time now_{std::chrono::hours(1)};
  base::Time next_esp_ = now_;
  Side client_, gateway_;
  Network network_, esp_;
  NatBox nat_;
  std::set<ike::Service> services_;
  bool client_talks_ = false, gateway_talks_ = false;
  std::vector<std::string> lost_;
};

}  // namespace harness
