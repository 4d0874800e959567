#include "control/client.h"

#include <array>
#include <cerrno>
#include <chrono>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>

#include "control/framing.h"
#include "control/unix_socket.h"

namespace control {
namespace {
constexpr std::size_t longest_answer = 256 * 1024 * 1024;
constexpr auto ask_patience = std::chrono::seconds(10);
}  // namespace

struct Client::Stream {
  std::string path;
  base::Fd fd;
  base::Duration patience;
  Framer input{longest_answer};

  base::Result<void> wait(short events, base::Time deadline) const {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - base::Clock::now()).count();
      pollfd p{.fd = fd.get(), .events = events, .revents = 0};
      const int n = left <= 0 ? 0 : ::poll(&p, 1, static_cast<int>(left));
      if (n > 0) return {};
      if (n == 0) return base::fail(fmt::format("{} does not answer in time", path));
      if (errno != EINTR) return base::fail_errno(fmt::format("cannot wait for {}", path), errno);
    }
  }

  base::Result<void> send(std::string_view text, base::Time deadline) const {
    while (!text.empty()) {
      const auto n = ::send(fd.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n > 0) {
        text.remove_prefix(static_cast<std::size_t>(n));
      } else if (errno == EAGAIN) {
        if (auto ok = wait(POLLOUT, deadline); !ok) return ok;
      } else if (errno != EINTR) {
        return base::fail_errno(fmt::format("cannot write to {}", path), errno);
      }
    }
    return {};
  }

  base::Result<std::string> receive(base::Time deadline) {
    std::array<std::uint8_t, 65536> buffer;
    for (;;) {
      if (auto message = input.next()) return std::move(*message);
      if (input.overflowed()) return base::fail(fmt::format("the answer of {} is too long", path));
      if (auto ok = wait(POLLIN, deadline); !ok) return tl::unexpected(ok.error());
      const auto n = ::recv(fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (n == 0) return base::fail(fmt::format("{} hung up instead of answering", path));
      if (n > 0) {
        input.append({buffer.data(), static_cast<std::size_t>(n)});
      } else if (errno != EAGAIN && errno != EINTR) {
        return base::fail_errno(fmt::format("cannot read from {}", path), errno);
      }
    }
  }
};

Client::Client(std::unique_ptr<Stream> stream) : stream_(std::move(stream)) {}
Client::Client(Client&&) noexcept = default;
Client::~Client() = default;

base::Result<Client> Client::connect(const std::string& path, base::Duration patience) {
  auto fd = connect_unix(path, patience);
  if (!fd) return tl::unexpected(fd.error());
  return Client(std::make_unique<Stream>(Stream{.path = path, .fd = std::move(*fd), .patience = patience}));
}

base::Result<void> Client::request(const Json& call, base::Time deadline) {
  auto text = call.dump(-1, ' ', false, Json::error_handler_t::replace);  // it may bear what a user typed
  text += '\0';
  return stream_->send(text, deadline);
}

/// The whole message; its parameters are those of an answer that is no error.
tl::expected<Json, CallError> Client::answer_to(std::string_view full_method, base::Time deadline) {
  const auto text = stream_->receive(deadline);
  if (!text) return tl::unexpected(CallError{text.error()});
  Json answer = Json::parse(*text, nullptr, false);
  if (!answer.is_object())
    return tl::unexpected(CallError{{fmt::format("the answer of {} is no JSON object", stream_->path)}});
  const auto error = answer.find("error");
  if (!answer.contains("parameters") || !answer["parameters"].is_object())
    answer["parameters"] = Json::object();
  if (error == answer.end()) return answer;
  // Ours say in a sentence what is wrong, where that is not in the error's name.
  const auto& out = answer["parameters"];
  const bool explained = out.contains("why") && out["why"].is_string();
  const auto name = error->is_string() ? error->get<std::string>() : "error";
  const auto words = explained ? out["why"].get<std::string>() : name;
  return tl::unexpected(CallError{{fmt::format("{}: {}", full_method, words)}, name});
}

tl::expected<Json, CallError> Client::call(std::string_view full_method, const Json& parameters) {
  const auto deadline = base::Clock::now() + stream_->patience;
  if (auto sent = request({{"method", full_method}, {"parameters", parameters}}, deadline); !sent)
    return tl::unexpected(CallError{sent.error()});
  auto answer = answer_to(full_method, deadline);
  if (!answer) return tl::unexpected(answer.error());
  return std::move((*answer)["parameters"]);
}

tl::expected<void, CallError> Client::call_for_parts(
    std::string_view full_method, const Json& parameters,
    const std::function<base::Result<void>(const Json&)>& part) {
  const auto sent = request({{"method", full_method}, {"parameters", parameters}, {"more", true}},
                            base::Clock::now() + stream_->patience);
  if (!sent) return tl::unexpected(CallError{sent.error()});
  for (;;) {
    const auto answer = answer_to(full_method, base::Clock::now() + stream_->patience);
    if (!answer) return tl::unexpected(answer.error());
    if (auto taken = part((*answer)["parameters"]); !taken) return tl::unexpected(CallError{taken.error()});
    const auto continues = answer->find("continues");
    if (continues == answer->end() || !continues->is_boolean() || !continues->get<bool>()) return {};
  }
}

tl::expected<Json, CallError> ask(const std::string& socket, std::string_view method,
                                  const Json& parameters) {
  auto client = Client::connect(socket, ask_patience);
  if (!client) return tl::unexpected(CallError{client.error()});
  return client->call(method, parameters);
}

base::Result<void> ask_list(const std::string& socket, std::string_view method, const char* member,
                            const std::function<base::Result<void>(const Json&)>& take) {
  auto client = Client::connect(socket, ask_patience);
  if (!client) return tl::unexpected(client.error());
  const auto done =
      client->call_for_parts(method, Json::object(), [&](const Json& part) -> base::Result<void> {
        const auto list = part.find(member);
        if (list == part.end() || !list->is_array())
          return base::fail(fmt::format("{} answers {} without a list of {}", socket, method, member));
        for (const auto& json : *list) {
          if (auto taken = take(json); !taken)
            return base::fail(fmt::format("{} answers {} with a {}", socket, method, taken.error().message));
        }
        return {};
      });
  if (!done) return tl::unexpected(done.error());
  return {};
}

}  // namespace control
