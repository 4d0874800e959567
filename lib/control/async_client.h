#pragma once
// Calls to a control server from within a daemon's loop: l2tpd follows ikd's peers with it.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>
#include <sys/types.h>

#include "base/fd.h"
#include "base/result.h"
#include "control/framing.h"
#include "os/loop.h"

namespace control {

using Json = nlohmann::json;

/// One answer; it borrows and lives until the callback returns.
struct Answer {
  std::string_view error;  ///< empty: none
  const Json& parameters;  ///< an object
  bool continues;          ///< more answers to the same call follow
};

class AsyncClient {
 public:
  enum class Want { one, more };
  using OnAnswer = std::function<void(const Answer&)>;

  /// `closed` is called once, from the loop, when the server has gone or speaks nonsense; calls that wait
  /// get no answer then. Both it and OnAnswer may destroy the client.
  static base::Result<std::unique_ptr<AsyncClient>> connect(os::Loop& loop, const std::string& path,
                                                            std::function<void()> closed);
  AsyncClient(const AsyncClient&) = delete;
  AsyncClient& operator=(const AsyncClient&) = delete;
  ~AsyncClient();

  /// The process that listened on the socket: another one after the server was restarted. 0: not known.
  pid_t server_pid() const;
  /// Answers come in the order of calls: nothing called after a stream is answered before it ends.
  void call(std::string_view full_method, const Json& parameters, Want want, OnAnswer on_answer);

 private:
  AsyncClient(os::Loop& loop, base::Fd fd, std::function<void()> closed);
  void ready(std::uint32_t events);
  void read();
  void write();
  /// False when a callback destroyed the client.
  bool deliver(const std::string& message);
  void close();

  base::Fd fd_;
  Framer input_;
  std::string output_;
  std::deque<OnAnswer> waiting_;
  std::function<void()> closed_;
  std::shared_ptr<bool> here_;  ///< false once the client has been destroyed
  os::Source watch_;
};

}  // namespace control
