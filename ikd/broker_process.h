#pragma once
// The privileged process of ikd: opens the sockets, starts the process that parses packets, and does for it
// what needs a key or a capability. It never sees a packet from the network.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ikd/broker.h"
#include "ikd/protocol.h"
#include "ikd/provision.h"
#include "nft/table_watch.h"
#include "os/channel.h"
#include "os/loop.h"
#include "os/partner.h"

namespace ikd {

struct BrokerOptions {
  std::string run_directory = "/run/sameroof";
  os::PartnerCommand partner;  ///< the other process
  /// The files once more.
  std::function<base::Result<Loaded>()> load = {};
  base::Severity log_level = base::Severity::info;  ///< of the other process
};

class BrokerProcess {
 public:
  /// Opens everything and starts the other process; what cannot be had is an error in words.
  static base::Result<std::unique_ptr<BrokerProcess>> start(Loaded loaded, const BrokerOptions& options);
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;
  ~BrokerProcess();

  /// Until SIGTERM or SIGINT, or until the other process ends; then everything of ours is removed. True when
  /// that was asked for, and went well.
  bool run();

 private:
  BrokerProcess(Loaded loaded, const BrokerOptions& options, std::string control_path, Broker broker,
                nft::TableWatch table);
  /// Answers the requests for long-term keys that come through one channel.
  void serve_keys(os::Channel& channel);
  /// Starts the other process, and hands over what it needs.
  base::Result<void> begin(const BrokerOptions& options, Hello hello, std::vector<base::Fd> sockets);
  void watch();
  void serve_request();
  /// None for what the process never asks here.
  std::optional<Answer> perform(const Request& request);
  /// What the files say now, where it may take the place of what they said.
  base::Result<Loaded> loaded_anew() const;
  Changes check_reload() const;
  Changes reload();
  Piece piece_of_provision(std::size_t from);
  void notice(Notice what);
  void stop();
  void ended(int status);
  void ended(bool well, const std::string& how);
  /// Nothing more is done for the other process, which is to end.
  void abandon();
  void finish();

  Loaded loaded_;
  /// What the threads use: `loaded_` changes in another one.
  std::atomic<std::shared_ptr<const Keys>> keys_;
  base::Secret provision_;  ///< while it is being read
  const std::function<base::Result<Loaded>()> load_;
  const std::string control_path_;
  os::Loop loop_;
  Broker broker_;
  nft::TableWatch table_;
  os::Channel requests_, notices_;
  std::vector<std::jthread> key_threads_;
  std::vector<os::Channel> key_channels_;
  pid_t child_ = -1;  ///< unless a launcher has started it
  std::vector<os::Source> sources_;
  os::Source request_source_;
  os::Source patience_;  ///< with the other process's end
  bool asked_to_end_ = false, well_ = false;
};

}  // namespace ikd
