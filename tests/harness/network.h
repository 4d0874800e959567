#pragma once
// The way between initiators and the responder, on virtual time: delay, loss, duplication, reordering, and
// NAT boxes. Everything follows from a seed.

#include <map>
#include <optional>
#include <random>

#include "base/address.h"
#include "base/bytes.h"
#include "base/time.h"

namespace harness {

struct Datagram {
  base::Endpoint from, to;
  base::Bytes bytes;
};

/// Gives every inside endpoint a port of its one outside address.
class NatBox {
 public:
  explicit NatBox(base::Address outside, std::uint16_t first_port = 40001)
      : outside_(outside), next_port_(first_port) {}

  const base::Address& outside() const { return outside_; }
  base::Endpoint outward(const base::Endpoint& inside);
  /// Who hides behind one of our ports.
  std::optional<base::Endpoint> inward(const base::Endpoint& at) const;
  /// Forgets everything: the next packets come from new ports.
  void rebind();

 private:
  base::Address outside_;
  std::uint16_t next_port_;
  std::map<base::Endpoint, std::uint16_t> ports_;
  std::map<std::uint16_t, base::Endpoint> insides_;
};

struct Conditions {
  double loss = 0;              ///< in [0, 1]
  std::size_t largest = 65535;  ///< bytes of UDP payload; a larger one would be IP fragments, and vanishes
  double duplicate = 0;         ///< in [0, 1]; the second copy takes its own time
  base::Duration delay = std::chrono::milliseconds(10);
  /// Up to so much is added to each delay: datagrams overtake one another.
  base::Duration jitter{0};
};

/// What happens to one datagram, whatever the weather.
enum class Fate : std::uint8_t {
  lost,
  doubled,  ///< the second copy comes after whatever repetitions there are
  late      ///< overtaken by its sender's repetition
};

class Network {
 public:
  explicit Network(std::uint64_t seed) : engine_(seed) {}

  Conditions conditions;
  /// By the number of the datagram, in the order in which they are sent; the next one is sent().
  std::map<std::size_t, Fate> fates;
  std::size_t sent() const { return sent_; }

  void send(Datagram datagram, base::Time now);
  std::optional<base::Time> next_arrival() const;
  std::optional<Datagram> pop_arrival(base::Time now);

 private:
  bool happens(double chance);
  base::Duration travel_time();

  std::mt19937_64 engine_;
  std::size_t sent_ = 0;
  std::multimap<base::Time, Datagram> under_way_;
};

}  // namespace harness
