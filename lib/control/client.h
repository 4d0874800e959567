#pragma once
// Calls to a control server that wait for their answer: for command-line tools, never for a daemon.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

/// One call on a socket of its own, given up after ten seconds.
tl::expected<Json, CallError> ask(const std::string& socket, std::string_view method, const Json& parameters);

/// Each element of the list `member` that a method answers; an error of `take` ends it.
base::Result<void> ask_list(const std::string& socket, std::string_view method, const char* member,
                            const std::function<base::Result<void>(const Json&)>& take);
/// A list, in however many parts it comes.
template <class Row>
base::Result<std::vector<Row>> ask_rows(const std::string& socket, std::string_view method,
                                        const char* member, base::Result<Row> (*row_from)(const Json&)) {
  std::vector<Row> out;
  const auto done = ask_list(socket, method, member, [&](const Json& json) -> base::Result<void> {
    auto row = row_from(json);
    if (!row) return tl::unexpected(row.error());
    out.push_back(std::move(*row));
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  return out;
}

}  // namespace control
