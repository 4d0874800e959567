#pragma once
// An l2tpd without kernel and pppd: a core, links of nobody, and a control socket with a client at it.

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "bench.h"
#include "control/async_client.h"
#include "control/interfaces.h"
#include "control/server.h"
#include "l2tpd/daemon.h"
#include "l2tpd/packet_process.h"

namespace l2tpd {

class Served : public ::testing::Test {
 protected:
  Served() {
    char folder[] = "/tmp/l2tpd.XXXXXX";
    if (!::mkdtemp(folder)) std::abort();
    folder_ = folder;
    control::ServerOptions options;
    options.path = folder_ + "/l2tpd";
    options.rest = 0;
    options.privileged_uid = ::getuid();
    control_ = std::move(control::Server::listen(loop_, options, control::l2tp_interface).value());
    client_ = another_client();
  }
  ~Served() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<control::AsyncClient> another_client() {
    return std::move(control::AsyncClient::connect(loop_, folder_ + "/l2tpd", [] {}).value());
  }
  /// What the process that reads packets would.
  void tell() {
    Changed changed;
    const auto& tunnels = bench_.server.tunnels();
    for (const auto id : bench_.server.touched()) {
      if (const auto it = tunnels.find(id); it != tunnels.end())
        changed.rows.push_back(row_of(it->second));
      else
        changed.gone.push_back(id);
    }
    told_.changed(changed, bench_.now);
  }

  os::Loop loop_;
  std::string folder_;
  l2tp::testing::Bench bench_;
  Tunnels told_{[] {}};
  config::Config config_;
  config::Secrets secrets_;
  Accounts accounts_{config_, secrets_, base::Secret::copy_of(base::as_bytes("nobody knows"))};
  Bindings bindings_{loop_, config_, [](base::Mark) { return nullptr; }};
  Links links_{loop_,     config_, accounts_,
               bindings_, {},      {.ended = [](const auto&, const auto&, const auto&) {}}};
  HookCounters hooks_;
  DaemonCounters counters_;
  std::unique_ptr<control::Server> control_;
  std::unique_ptr<control::AsyncClient> client_;
};

}  // namespace l2tpd
