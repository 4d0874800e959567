#include "xfrmctl/monitor.h"

#include <chrono>
#include <cstdio>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "control/async_client.h"
#include "control/rows.h"
#include "os/loop.h"
#include "xfrmctl/explain.h"
#include "xfrmctl/json_text.h"

namespace xfrmctl {
namespace {

using control::Json;
using namespace std::chrono_literals;

/// One daemon's events; it is called again each second while it does not answer.
class Follower {
 public:
  Follower(os::Loop& loop, const Options& options, const char* daemon, const char* method)
      : loop_(loop),
        options_(options),
        daemon_(daemon),
        method_(method),
        again_(loop.on_time([this] { connect(); })) {}

  bool connect() {
    auto client = control::AsyncClient::connect(loop_, options_.run_dir + "/" + daemon_, [this] { lost(); });
    if (!client) {
      why_ = client.error().message;
      again_.set_time(base::Clock::now() + 1s);
      return false;
    }
    if (missed_) complain(fmt::format("{} answers again", daemon_), good);
    missed_ = false;
    client_ = std::move(*client);
    client_->call(method_, Json::object(), control::AsyncClient::Want::more,
                  [this](const control::Answer& answer) { take(answer); });
    return true;
  }
  const std::string& why() const { return why_; }
  int status() const { return status_; }

 private:
  void take(const control::Answer& answer) {
    if (!answer.error.empty()) {
      status_ = complain(fmt::format("{} does not tell: {}", daemon_, answer.error), no_answer);
      return loop_.stop();
    }
    const auto row = answer.parameters.find("event");
    const auto event = control::event_from(row == answer.parameters.end() ? Json() : *row);
    if (!event) return;
    if (options_.json) {
      auto shown = control::to_json(*event);
      shown["version"] = 1;
      fmt::print("{}", json_line(shown));
    } else {
      fmt::print("{}", event_line(*event));
    }
    // Whoever read us has gone.
    if (std::fflush(stdout) != 0) loop_.stop();
  }
  void lost() {
    complain(fmt::format("{} does not answer any more", daemon_), good);
    missed_ = true;
    client_.reset();
    again_.set_time(base::Clock::now() + 1s);
  }

  os::Loop& loop_;
  const Options& options_;
  const char* daemon_;
  const char* method_;
  std::string why_;
  bool missed_ = false;
  int status_ = good;
  os::Source again_;
  std::unique_ptr<control::AsyncClient> client_;
};

}  // namespace

int run_monitor(const Options& options) {
  os::Loop loop;
  Follower ikd(loop, options, "ikd", "sameroof.Ike.Events"),
      l2tpd(loop, options, "l2tpd", "sameroof.L2tp.Events");
  const bool one = ikd.connect(), other = l2tpd.connect();
  if (!one && !other) return complain(ikd.why(), no_answer);
  loop.run();
  return std::max(ikd.status(), l2tpd.status());
}

}  // namespace xfrmctl
