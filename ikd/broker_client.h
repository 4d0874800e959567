#pragma once
// The broker as the process that parses packets sees it: each call asks and waits for the answer. Should the
// broker have gone, this process ends there and then.

#include <optional>
#include <vector>

#include "ikd/protocol.h"
#include "ikd/workers.h"
#include "os/channel.h"

namespace ikd {

class BrokerClient {
 public:
  explicit BrokerClient(os::Channel channel) : channel_(std::move(channel)) {}

  /// All or nothing.
  ike::DoneOrRefused install(ike::InstallInbound&& request) { return done(std::move(request)); }
  ike::DoneOrRefused install(ike::InstallOutbound&& request) { return done(std::move(request)); }
  /// What is not there any more is as good as removed. Of an SA: what it has carried.
  base::Result<Traffic> remove(ike::RemoveSa&& request);
  ike::DoneOrRefused remove(ike::RemovePeer&& request) { return done(std::move(request)); }
  /// What can be moved is, even where something else fails.
  ike::DoneOrRefused move(ike::MovePeer&& request) { return done(std::move(request)); }
  bool ruleset_loaded();
  base::Result<std::vector<RuleCount>> rule_counts();
  base::Result<void> fill_maps(const std::vector<ike::PeerEntry>& peers);
  /// In this order; zero for one that is not there.
  base::Result<std::vector<xfrm::SaStatistics>> count(std::vector<xfrm::SaId> sas);
  base::Result<Comparison> compare(const std::vector<xfrm::SaId>& sas);
  base::Result<std::vector<std::string>> check_reload();
  /// After which there is another provision.
  base::Result<std::vector<std::string>> reload();
  Provision provision();
  void ready() { (void)outcome(Ready{}); }
  void alive() { (void)outcome(Alive{}); }

 private:
  base::Result<void> outcome(Request request);
  ike::DoneOrRefused done(Request request);
  os::Channel channel_;
};

/// A worker thread's own way to the long-term keys.
KeyService keys_behind(os::Channel channel);

}  // namespace ikd
