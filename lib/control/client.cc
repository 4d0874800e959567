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
}

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
  auto fd = connect_unix(path);
  if (!fd) return tl::unexpected(fd.error());
  return Client(std::make_unique<Stream>(Stream{.path = path, .fd = std::move(*fd), .patience = patience}));
}

tl::expected<Json, CallError> Client::call(std::string_view full_method, const Json& parameters) {
  const auto unanswered = [](base::Error why) { return tl::unexpected(CallError{std::move(why)}); };
  const auto deadline = base::Clock::now() + stream_->patience;
  auto request = Json{{"method", full_method}, {"parameters", parameters}}.dump();
  request += '\0';
  if (auto sent = stream_->send(request, deadline); !sent) return unanswered(sent.error());
  const auto text = stream_->receive(deadline);
  if (!text) return unanswered(text.error());
  const Json answer = Json::parse(*text, nullptr, false);
  if (!answer.is_object())
    return unanswered({fmt::format("the answer of {} is no JSON object", stream_->path)});
  const auto out = answer.find("parameters");
  if (const auto error = answer.find("error"); error != answer.end()) {
    // Ours say in a sentence what is wrong, where that is not in the error's name.
    const bool explained =
        out != answer.end() && out->is_object() && out->contains("why") && (*out)["why"].is_string();
    const auto name = error->is_string() ? error->get<std::string>() : "error";
    const auto words = explained ? (*out)["why"].get<std::string>() : name;
    return tl::unexpected(CallError{{fmt::format("{}: {}", full_method, words)}, name});
  }
  return out == answer.end() ? Json::object() : *out;
}

}  // namespace control
