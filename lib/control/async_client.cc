#include "control/async_client.h"

#include <array>
#include <cerrno>

#include <nlohmann/json.hpp>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "control/unix_socket.h"

namespace control {
namespace {
constexpr std::size_t longest_answer = 64 * 1024 * 1024;
}

base::Result<std::unique_ptr<AsyncClient>> AsyncClient::connect(os::Loop& loop, const std::string& path,
                                                                std::function<void()> closed) {
  auto fd = connect_unix(path);
  if (!fd) return tl::unexpected(fd.error());
  return std::unique_ptr<AsyncClient>(new AsyncClient(loop, std::move(*fd), std::move(closed)));
}

AsyncClient::AsyncClient(os::Loop& loop, base::Fd fd, std::function<void()> closed)
    : fd_(std::move(fd)),
      input_(longest_answer),
      closed_(std::move(closed)),
      here_(std::make_shared<bool>(true)),
      watch_(loop.on_io(fd_.get(), EPOLLIN, [this](std::uint32_t events) { ready(events); })) {}

AsyncClient::~AsyncClient() { *here_ = false; }

pid_t AsyncClient::server_pid() const {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  return ::getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0 ? 0 : credentials.pid;
}

void AsyncClient::call(std::string_view full_method, const Json& parameters, Want want, OnAnswer on_answer) {
  if (!watch_) return;
  Json request{{"method", full_method}, {"parameters", parameters}};
  if (want == Want::more) request["more"] = true;
  output_ += request.dump(-1, ' ', false, Json::error_handler_t::replace);
  output_ += '\0';
  waiting_.push_back(std::move(on_answer));
  write();
}

void AsyncClient::ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) write();
  // What the server said before it hung up is still to be read.
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read();
}

void AsyncClient::write() {
  while (!output_.empty()) {
    const auto n = ::send(fd_.get(), output_.data(), output_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;  // full, or broken, which reading finds out
    output_.erase(0, static_cast<std::size_t>(n));
  }
  watch_.set_io_events(output_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

void AsyncClient::read() {
  std::array<std::uint8_t, 65536> buffer;
  const auto n = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return close();
  input_.append({buffer.data(), static_cast<std::size_t>(n)});
  while (auto message = input_.next()) {
    if (!deliver(*message)) return;
  }
  if (input_.overflowed()) close();
}

bool AsyncClient::deliver(const std::string& message) {
  const Json answer = Json::parse(message, nullptr, false);
  if (!answer.is_object() || waiting_.empty()) {
    close();
    return false;
  }
  const auto error = answer.find("error");
  const auto parameters = answer.find("parameters");
  const auto continues = answer.find("continues");
  const bool more = continues != answer.end() && continues->is_boolean() && continues->get<bool>();
  const bool failed = error != answer.end() && error->is_string();
  const Json none = Json::object();
  const bool given = parameters != answer.end() && parameters->is_object();

  const auto here = here_;
  const OnAnswer on_answer = waiting_.front();  // a copy: the callback may destroy the client
  if (!more) waiting_.pop_front();
  on_answer({.error = failed ? std::string_view(error->get_ref<const std::string&>()) : std::string_view(),
             .parameters = given ? *parameters : none,
             .continues = more});
  return *here && watch_;
}

void AsyncClient::close() {
  watch_ = {};
  fd_.reset();
  waiting_.clear();
  const auto call = std::move(closed_);
  call();
}

}  // namespace control
