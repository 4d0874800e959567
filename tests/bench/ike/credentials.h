#pragma once
// How both sides prove who they are.

#include <vector>

#include "harness/authority.h"
#include "harness/initiator.h"
#include "ikd/keys.h"
#include "ike/engine.h"
#include "pki/verifier.h"

namespace bench {

class Credentials {
 public:
  /// So many pre-shared keys on one listener; the clients have the last one.
  static Credentials psks(std::size_t count);
  /// One authority, and certificates of this kind for the gateway and for clients 1 to `clients`: each its
  /// own, with one key for all of them, whom only they know to be the same.
  static Credentials certificates(harness::KeyKind kind, std::uint32_t clients);

  const ikd::Keys& keys() const { return keys_; }
  std::shared_ptr<const pki::Verifier> verifier() const { return verifier_; }
  const ike::Settings& engine() const { return engine_; }
  void give(std::uint32_t client, harness::InitiatorSettings& settings) const;

 private:
  explicit Credentials(ikd::Keys keys) : keys_(std::move(keys)) {}

  struct Person {
    base::Bytes certificate, subject;
  };
  ikd::Keys keys_;
  ike::Settings engine_;
  std::shared_ptr<pki::Verifier> verifier_ = std::make_shared<pki::Verifier>(pki::Revocation::if_known);
  std::vector<Person> people_;
  std::optional<pki::PrivateKey> their_key_;
};

}  // namespace bench
