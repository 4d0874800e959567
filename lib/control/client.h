#pragma once
// Calls to a control server that wait for their answer: for command-line tools, never for a daemon.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/fd.h"
#include "base/result.h"
#include "base/time.h"

namespace control {

using Json = nlohmann::json;

/// Why a call has no answer. `name` is the varlink error's; empty where nobody answered.
struct CallError : base::Error {
  std::string name = {};
};

class Client {
 public:
  /// `patience`: how long each call may take.
  static base::Result<Client> connect(const std::string& path, base::Duration patience);
  Client(Client&&) noexcept;
  ~Client();

  /// The answer's parameters. After an answer that did not come in time the client is of no more use.
  tl::expected<Json, CallError> call(std::string_view full_method, const Json& parameters);
  /// The same for a method whose list comes in parts; `part` says whether it can be used.
  tl::expected<void, CallError> call_for_parts(std::string_view full_method, const Json& parameters,
                                               const std::function<base::Result<void>(const Json&)>& part);

 private:
  tl::expected<Json, CallError> answer_to(std::string_view full_method, base::Time deadline);
  base::Result<void> request(const Json& call, base::Time deadline);
  struct Stream;
  explicit Client(std::unique_ptr<Stream> stream);
  std::unique_ptr<Stream> stream_;
};

}  // namespace control
