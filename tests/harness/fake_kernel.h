#pragma once
// The world that a responder's effects reach: Diffie-Hellman, pre-shared keys, SAs, policies and map
// elements as books. It completes after a delay, refuses when told to, and writes down every effect that
// the real kernel could not have meant well.

#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "harness/pretend_dh.h"
#include "ike/effect.h"
#include "ike/service.h"
#include "pki/own_certificate.h"
#include "pki/verifier.h"

namespace harness {

struct Psk {
  std::string name;
  std::string secret;
};

struct KernelSettings {
  std::vector<Psk> psks{{"family", "swordfish"}};  ///< one name twice: its new and its old secret
  std::size_t skeyid_batch = 256;
  const pki::Verifier* verifier = nullptr;  ///< of certificates; outlives the kernel
  // In the order of Settings::certificates, and as many.
  std::vector<const pki::PrivateKey*> own_keys = {};
  std::vector<ike::AuthMethod> own_methods = {};
  /// Without a verifier: pretended ones (pretend_signature.h), of which those that begin with "good" are
  /// good.
  std::vector<base::Bytes> pretended_certificates = {};
  Dh dh = Dh::real;
  base::Duration dh_delay{0}, skeyid_delay{0}, install_delay{0};
  /// Up to so much is added to each delay, so that completions change places.
  base::Duration jitter{0};
  /// Of installations, in [0, 1].
  double refuse_chance = 0;
  /// Protocols and ports that SAs may admit.
  std::set<ike::Service> served{ike::l2tp_service};
  // As the engine was told.
  ike::OutboundLookup lookup = ike::OutboundLookup::alias_and_mark;
  std::uint32_t near_bit = 0;
  std::uint64_t seed = 1;
};

class FakeKernel {
 public:
  explicit FakeKernel(KernelSettings settings)
      : settings_(std::move(settings)), engine_(settings_.seed), random_(seeded_random(settings_.seed)) {}

  /// Any effect but Send.
  void execute(ike::Effect effect, base::Time now);
  std::optional<base::Time> next_completion() const;
  std::optional<ike::Completion> pop_completion(base::Time now);

  KernelSettings& settings() { return settings_; }
  /// The next so many installations fail and leave nothing.
  void refuse_inbound(int times, ike::Refusal with = ike::Refusal::kernel_refused) {
    refuse_inbound_ = times;
    refuse_with_ = with;
  }
  void refuse_outbound(int times) { refuse_outbound_ = times; }
  void refuse_moves(int times) { refuse_moves_ = times; }
  /// There is no room for the next so many key exchanges.
  void put_off_dh(int times) { put_off_dh_ = times; }
  /// The next so many questions for a peer's inbound packets get no answer.
  void do_not_count(int times) { do_not_count_ = times; }
  /// A hard limit is reached: the SA vanishes by itself.
  void expire(const xfrm::SaId& id);

  const std::map<xfrm::SaId, xfrm::Sa>& sas() const { return sas_; }
  const xfrm::Sa* inbound(xfrm::Spi spi) const;
  const xfrm::Sa* outbound(base::Mark mark, xfrm::Spi spi) const;
  /// What the kernel sends on, whoever the peer; null when there is none.
  const xfrm::Sa* newest_outbound(const ike::Service& service = ike::l2tp_service) const;
  std::size_t inbound_sas() const;
  std::size_t outbound_sas() const { return sas_.size() - inbound_sas(); }
  const std::map<base::Mark, ike::PeerEntry>& entries() const { return entries_; }
  const std::map<xfrm::PolicyId, xfrm::Policy>& policies() const { return policies_; }
  const std::vector<ike::Event>& events() const { return events_; }
  std::size_t events_of(ike::EventKind kind) const;
  void forget_events() { events_.clear(); }
  /// The words of the first event of this kind.
  std::string told(ike::EventKind kind) const;
  bool empty() const { return sas_.empty() && entries_.empty() && policies_.empty(); }
  /// Each peer's books agree: entry and policy with SAs, inbound for every outbound. Call when quiet.
  std::vector<std::string> imbalances() const;
  /// So many packets came through this inbound SA.
  void traffic(xfrm::Spi inbound_spi, std::uint64_t packets) { packets_[inbound_spi] += packets; }
  const std::vector<std::string>& complaints() const { return complaints_; }
  /// What was removed after it had been refused: the responder must know better, for the name may be
  /// somebody else's.
  const std::vector<xfrm::SaId>& removed_in_vain() const { return removed_in_vain_; }
  std::size_t computed_dh() const { return computed_dh_; }
  std::size_t moves() const { return moves_; }
  std::size_t derived_skeyids() const { return derived_skeyids_; }
  std::size_t verified_certificates() const { return verified_certificates_; }

 private:
  void complain(std::string what) { complaints_.push_back(std::move(what)); }
  void complete(ike::Completion completion, base::Duration delay, base::Time now);
  bool refused(int& planned);
  base::Result<crypto::DhResult> shared_secret(ike::ComputeDh& effect);
  void run(ike::MakeKeyPair effect, base::Time now);
  void run(ike::ComputeDh effect, base::Time now);
  void run(ike::DeriveSkeyids effect, base::Time now);
  void run(ike::TryCandidates effect, base::Time now);
  static tl::expected<ike::Authentication, ike::Refused> pretend_to_verify(
      const ike::VerifyCertificate& effect);
  void run(const ike::VerifyCertificate& effect, base::Time now);
  void run(const ike::Sign& effect, base::Time now);
  void run(ike::InstallInbound effect, base::Time now);
  void run(ike::InstallOutbound effect, base::Time now);
  void run(const ike::RemoveSa& effect, base::Time now);
  void run(const ike::MovePeer& effect, base::Time now);
  void move_sas(const ike::MovePeer& effect);
  void run(const ike::RemovePeer& effect, base::Time now);
  void run(const ike::CountInbound& effect, base::Time now);
  void run(const ike::LookForTraffic& effect, base::Time now);
  void run(ike::Event effect, base::Time) { events_.push_back(std::move(effect)); }
  void run(const ike::Send&, base::Time) { complain("a datagram is no matter of the kernel"); }
  /// Where l2tpd's tunnels with this peer are, where that is no address of ours.
  std::optional<base::Address> near_end(const ike::PeerEntry& entry, const ike::Service& service) const;
  void check_inbound(const xfrm::Sa& sa);
  void check_outbound(const xfrm::Sa& sa);

  KernelSettings settings_;
  std::mt19937_64 engine_;
  std::function<void(std::span<std::uint8_t>)> random_;
  std::multimap<base::Time, ike::Completion> completions_;
  int refuse_inbound_ = 0, refuse_outbound_ = 0, refuse_moves_ = 0, put_off_dh_ = 0, do_not_count_ = 0;
  ike::Refusal refuse_with_ = ike::Refusal::kernel_refused;
  std::map<xfrm::SaId, xfrm::Sa> sas_;
  std::vector<xfrm::SaId> outbound_order_;  ///< as they were installed; some may have gone
  /// Refused or expired, but the responder may not know yet: removing them is no error.
  std::set<xfrm::SaId> excused_;
  std::map<base::Mark, ike::PeerEntry> entries_;
  std::map<xfrm::PolicyId, xfrm::Policy> policies_;
  std::vector<ike::Event> events_;
  std::vector<std::string> complaints_;
  std::vector<xfrm::SaId> removed_in_vain_;
  std::map<xfrm::Spi, std::uint64_t> packets_;
  std::size_t computed_dh_ = 0, moves_ = 0, derived_skeyids_ = 0, verified_certificates_ = 0;
};

}  // namespace harness
