#pragma once
// The gateway's long-term secrets, on the broker's side: what leaves it is derived for one exchange.

#include <functional>
#include <vector>

#include "config/config.h"
#include "ike/effect.h"
#include "pki/own_certificate.h"

namespace ikd {

/// Where a worker thread asks for what needs a long-term key.
struct KeyService {
  std::function<ike::SkeyidsDone(const ike::DeriveSkeyids&)> derive;
  std::function<ike::Signed(const ike::Sign&)> sign;
};

/// Never changes; any thread may ask it.
class Keys {
 public:
  /// SKEYIDs of one answer: some 0.3 ms of work.
  static constexpr std::size_t batch = 256;

  /// Every PSK of `ike` has its secrets in `secrets` (config::check()).
  Keys(const config::Ike& ike, config::Secrets secrets, std::vector<pki::OwnIdentity> own = {});

  /// For the keys whose [[ike.psk]] admits the peer's address: those that are named, or a batch of all.
  ike::SkeyidsDone derive(const ike::DeriveSkeyids& request) const;
  ike::Signed sign(const ike::Sign& request) const;

 private:
  struct Psk {
    std::string name;
    std::optional<base::Prefix> peer;
    std::vector<base::Secret> secrets;  ///< the newest first
    std::vector<std::uint32_t> ids;     ///< of these
  };
  static void append(ike::SkeyidsDone& out, const Psk& psk, const ike::DeriveSkeyids& request);

  std::vector<Psk> psks_;
  std::vector<pki::OwnIdentity> own_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
};

}  // namespace ikd
