#pragma once
// The process that parses packets: the core between sockets, workers, the broker and the control socket. It
// has no long-term key and no capability.

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "control/rows.h"
#include "control/server.h"
#include "ikd/broker_client.h"
#include "ikd/chronicle.h"
#include "ikd/event_sentences.h"
#include "ikd/metrics.h"
#include "ikd/provision.h"
#include "ikd/workers.h"
#include "ike/engine.h"
#include "os/loop.h"
#include "os/udp.h"
#include "xfrm/kernel.h"

namespace ikd {

class Daemon {
 public:
  /// Takes over what the broker sends through `channel`, and gives up every privilege; what cannot be is an
  /// error in words.
  static base::Result<std::unique_ptr<Daemon>> start(os::Channel channel);
  /// Until the broker, SIGTERM or SIGINT says so; then every peer is told.
  void run();

 private:
  /// What the broker handed over, in this order.
  struct Belongings {
    std::vector<base::Fd> listeners;
    base::Fd events, control;
    os::Channel notices;
    std::vector<KeyService> keys;
  };
  static std::optional<Belongings> sorted(const Hello& hello, std::vector<base::Fd> descriptors);
  Daemon(Prepared prepared, BrokerClient broker, std::vector<KeyService> keys);
  void listen(const Hello& hello, std::vector<base::Fd> sockets);
  base::Result<void> watch(Belongings belongings, const Hello& hello);
  void take_notice();
  void be_alive();
  void receive(os::UdpSocket& socket);
  void kernel_events();
  /// The SA as the core names it.
  xfrm::SaId named(const xfrm::Expire& expire) const;
  void compare_with_kernel();
  void fill_maps();
  base::Result<std::vector<std::string>> reload();
  void stop();

  /// Carries out what the core wants until it wants nothing more.
  void drain();
  void perform(ike::Send& send);
  void perform(ike::MakeKeyPair& request);
  void perform(ike::ComputeDh& request);
  void perform(ike::DeriveSkeyids& request);
  void perform(ike::TryCandidates& request);
  void perform(ike::VerifyCertificate& request);
  void perform(ike::Sign& request);
  void perform(ike::InstallInbound& request);
  void perform(ike::InstallOutbound& request);
  void perform(ike::RemoveSa& request);
  void perform(ike::MovePeer& request);
  void perform(ike::RemovePeer& request);
  void perform(ike::CountInbound& request);
  void perform(ike::LookForTraffic& request);
  void perform(ike::Event& event);
  /// Of a peer's map elements and policies, which the core does not hear of.
  void tell(ike::EventKind kind, const ike::PeerEntry& entry, std::string detail);
  void tell_failure(const ike::PeerEntry& entry, const ike::Refused& why);

  // status.cc
  void serve_control();
  std::vector<xfrm::SaStatistics> counted(const ike::Peer& peer);
  control::Peer row_of(const ike::Peer& peer);
  control::Peer row_of(const ike::Peer& peer, const std::vector<xfrm::SaStatistics>& counted);
  void list_peers(control::Call call);
  void follow_peers(control::Call call);
  void tell_peer(std::optional<ike::PeerNumber> number, control::Call call);
  void tell_monitors(const ike::Event& event);
  void tell_metrics(control::Call call);

  const config::L2tp l2tp_;  ///< what ikd makes of it changes at a restart only
  os::Loop loop_;
  ike::Engine engine_;
  BrokerClient broker_;
  Workers workers_;
  EventSentences sentences_;
  Metrics metrics_;
  Chronicle chronicle_;  // outlives control_
  struct Listener {
    base::Endpoint local;
    os::UdpSocket socket;
    os::Source source;
  };
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::optional<xfrm::EventSource> events_;
  os::Channel notices_;
  std::vector<os::Source> sources_;
  os::Source timer_, alive_timer_, compare_timer_;
  base::Duration alive_interval_{0};
  std::unique_ptr<control::Server> control_;
  std::vector<std::shared_ptr<control::Call>> monitors_;
  std::uint64_t send_failures_ = 0, removal_failures_ = 0, move_failures_ = 0;
  base::Time started_;
};

}  // namespace ikd
