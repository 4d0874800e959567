#pragma once
// Calls to a control server that wait for their answer: for command-line tools, never for a daemon.

#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/fd.h"
#include "base/result.h"
#include "base/time.h"

namespace control {

using Json = nlohmann::json;

class Client {
 public:
  /// `patience`: how long each call may take.
  static base::Result<Client> connect(const std::string& path, base::Duration patience);
  Client(Client&&) noexcept;
  ~Client();

  /// The answer's parameters. A varlink error is an error with its name, and so is an answer that does not
  /// come in time; after either of the latter the client is of no more use.
  base::Result<Json> call(std::string_view full_method, const Json& parameters);

 private:
  struct Stream;
  explicit Client(std::unique_ptr<Stream> stream);
  std::unique_ptr<Stream> stream_;
};

}  // namespace control
