#pragma once
// The IKE daemon: the core between sockets, workers, the broker and the control socket.

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "control/rows.h"
#include "control/server.h"
#include "ikd/broker.h"
#include "ikd/chronicle.h"
#include "ikd/event_sentences.h"
#include "ikd/metrics.h"
#include "ikd/workers.h"
#include "ike/engine.h"
#include "nft/table_watch.h"
#include "os/loop.h"
#include "os/udp.h"
#include "xfrm/kernel.h"

namespace ikd {

struct DaemonOptions {
  std::string run_directory = "/run/sameroof";
};

class Daemon {
 public:
  /// Opens everything; what cannot be had is an error in words.
  static base::Result<std::unique_ptr<Daemon>> start(const config::Config& config, config::Secrets secrets,
                                                     const DaemonOptions& options);
  /// Until SIGTERM or SIGINT; then every peer is told and everything of ours is removed.
  void run();

 private:
  Daemon(const config::Config& config, ike::Settings settings, Broker broker, pki::Verifier verifier);
  base::Result<void> open_sockets(const config::Config& config);
  base::Result<void> open_control(const DaemonOptions& options);
  void receive(os::UdpSocket& socket);
  void kernel_events();
  void compare_with_kernel();
  void fill_maps();
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

  // status.cc
  void serve_control();
  control::Peer row_of(const ike::Peer& peer);
  void list_peers(control::Call call);
  void follow_peers(control::Call call);
  void tell_peer(std::optional<ike::PeerNumber> number, control::Call call);
  void tell_monitors(const ike::Event& event);

  const config::L2tp l2tp_;
  os::Loop loop_;
  ike::Engine engine_;
  Broker broker_;
  pki::Verifier verifier_;
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
  std::optional<nft::TableWatch> table_;
  std::vector<os::Source> sources_;
  os::Source timer_;
  std::unique_ptr<control::Server> control_;
  std::vector<std::shared_ptr<control::Call>> monitors_;
  std::uint64_t send_failures_ = 0, removal_failures_ = 0, move_failures_ = 0;
  base::Time started_;
};

}  // namespace ikd
